//! The fault schedule of a round, derived from its seed: faults and client behaviour.
//!
//! - `nodes`: rounds of several nodes

mod nodes;

use std::ops::Range;

use clap::ValueEnum;
use harness::Random;

use crate::client::Behaviour;
use crate::disk::DiskKind;
pub(crate) use nodes::{NodeFault, NodesSchedule, nodes_schedule};

/// The kinds of rounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(crate) enum RoundKind {
    /// No faults.
    Calm,
    /// The server is repeatedly killed (SIGKILL).
    Kill,
    /// The server is repeatedly stopped (SIGTERM).
    Term,
    /// The network delays, cuts, half-closes, stalls and drops answers.
    Network,
    /// Clients repeat, forge, reload, stop reading, and send old marks.
    Clients,
    /// The disk is full.
    Full,
    /// Every flush fails.
    Eio,
    /// SIGKILL, SIGTERM, network and clients together.
    Mixed,
    /// A failing disk, SIGKILL, network and clients together.
    Ruin,
    /// Nodes only: nodes are stopped and started again one after the other, with another version if
    /// there is one.
    Roll,
    /// Nodes only: NATS is killed or paused.
    Broker,
    /// Nodes only: Postgres is stopped immediately, or terminates connections.
    Database,
    /// Nodes only: data in one direction between a node and Postgres or NATS is held back.
    Silence,
    /// Nodes only: clocks differ by ten minutes, and nodes are killed.
    Clocks,
    /// Nodes only: a restored copy of the store has nodes of its own on the same NATS; nodes of the
    /// original are killed.
    Copy,
}

impl RoundKind {
    /// The kinds for one server, in the order in which they run.
    pub(crate) const ONE: [Self; 9] = [
        Self::Calm,
        Self::Kill,
        Self::Term,
        Self::Network,
        Self::Clients,
        Self::Full,
        Self::Eio,
        Self::Mixed,
        Self::Ruin,
    ];

    /// The kinds for several nodes, in the order in which they run.
    pub(crate) const NODES: [Self; 11] = [
        Self::Mixed,
        Self::Copy,
        Self::Kill,
        Self::Silence,
        Self::Database,
        Self::Broker,
        Self::Roll,
        Self::Clocks,
        Self::Network,
        Self::Clients,
        Self::Calm,
    ];

    /// The name on the command line and in reports.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Calm => "calm",
            Self::Kill => "kill",
            Self::Term => "term",
            Self::Network => "network",
            Self::Clients => "clients",
            Self::Full => "full",
            Self::Eio => "eio",
            Self::Mixed => "mixed",
            Self::Ruin => "ruin",
            Self::Roll => "roll",
            Self::Broker => "broker",
            Self::Database => "database",
            Self::Silence => "silence",
            Self::Clocks => "clocks",
            Self::Copy => "copy",
        }
    }
}

/// A fault of one server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ServerFault {
    /// SIGKILL, then a start.
    Kill,
    /// SIGTERM, then a start.
    Term,
    /// The disk fails for a while.
    Disk,
}

/// The schedule of a round of one server.
#[derive(Clone, Debug)]
pub(crate) struct Schedule {
    /// The possible faults of the server, injected one at a time.
    pub faults: Vec<ServerFault>,
    /// Milliseconds between faults.
    pub between: Range<u64>,
    /// Whether network faults are injected.
    pub network: bool,
    pub behaviour: Behaviour,
    /// Whether second tabs stop reading ([`Behaviour::suspended`]).
    pub suspended: bool,
    pub disk: DiskKind,
}

/// Clients that mostly write.
fn gentle() -> Behaviour {
    Behaviour { calls: 5, body: 60, pause: 120, ..Behaviour::default() }
}

/// Clients with every kind of deviation.
fn wild() -> Behaviour {
    Behaviour {
        repeats: 5,
        forges: 1,
        stale_marks: 2,
        calls: 10,
        reloads: 15,
        stops_reading: 10,
        suspended: false,
        body: 400,
        burst: 0,
        pause: 80,
    }
}

/// Clients with long bodies and short pauses, so that the queue of a tab that stops reading soon
/// fills.
fn flood() -> Behaviour {
    Behaviour { stops_reading: 40, reloads: 5, body: 3_900, burst: 3, pause: 40, ..wild() }
}

/// Returns the schedule of a round of one server.
pub(crate) fn schedule(kind: RoundKind, random: &mut Random) -> Schedule {
    let (gentle, wild) = (gentle(), wild());
    let (faults, network, behaviour, disk): (&[ServerFault], _, _, _) = match kind {
        // `kinds` in main.rs allows the remaining kinds only with nodes.
        RoundKind::Calm
        | RoundKind::Roll
        | RoundKind::Broker
        | RoundKind::Database
        | RoundKind::Silence
        | RoundKind::Clocks
        | RoundKind::Copy => (&[], false, gentle, DiskKind::Own),
        RoundKind::Kill => (&[ServerFault::Kill], false, gentle, DiskKind::Own),
        RoundKind::Term => (&[ServerFault::Term], false, gentle, DiskKind::Own),
        RoundKind::Network => (&[], true, gentle, DiskKind::Own),
        RoundKind::Clients => (&[], false, flood(), DiskKind::Own),
        RoundKind::Full => (&[ServerFault::Disk], false, gentle, DiskKind::Small),
        RoundKind::Eio => (&[ServerFault::Disk], false, gentle, DiskKind::Failing),
        RoundKind::Mixed => {
            (&[ServerFault::Kill, ServerFault::Kill, ServerFault::Term], true, wild, DiskKind::Own)
        }
        RoundKind::Ruin => {
            let disk = if random.percent(50) { DiskKind::Small } else { DiskKind::Failing };
            (&[ServerFault::Disk, ServerFault::Kill], true, wild, disk)
        }
    };
    let between = if disk == DiskKind::Own { 100..1_500 } else { 600..1_500 };
    Schedule {
        faults: faults.to_vec(),
        between,
        network,
        behaviour,
        suspended: kind == RoundKind::Clients,
        disk,
    }
}
