//! The plan of a round, derived from its seed: faults and client behaviour.
//!
//! - `nodes`: rounds of several nodes

mod nodes;

use std::ops::Range;

use clap::ValueEnum;

use crate::chance::Chance;
use crate::disk;
use crate::page::Habits;
pub use nodes::{NodesPlan, Stroke, plan_of_nodes};

/// The kinds of rounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub enum Kind {
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

impl Kind {
    /// The kinds for one server, in the order in which they run.
    pub const ONE: [Self; 9] = [
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
    pub const NODES: [Self; 11] = [
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
    pub fn name(self) -> &'static str {
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
pub enum Blow {
    /// SIGKILL, then a start.
    Kill,
    /// SIGTERM, then a start.
    Term,
    /// The disk fails for a while.
    Disk,
}

/// The plan of a round of one server.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The possible faults of the server, injected one at a time.
    pub blows: Vec<Blow>,
    /// Milliseconds between faults.
    pub between: Range<u64>,
    /// Whether network faults are injected.
    pub network: bool,
    pub habits: Habits,
    /// Whether second tabs stop reading ([`Habits::deaf`]).
    pub deaf: bool,
    pub disk: disk::Kind,
}

/// Clients that mostly write.
fn gentle() -> Habits {
    Habits { calls: 5, body: 60, pause: 120, ..Habits::default() }
}

/// Clients with every kind of deviation.
fn wild() -> Habits {
    Habits {
        repeats: 5,
        forges: 1,
        stale_marks: 2,
        calls: 10,
        reloads: 15,
        stops_reading: 10,
        deaf: false,
        body: 400,
        burst: 0,
        pause: 80,
    }
}

/// Clients with long bodies and short pauses, so that the queue of a tab that stops reading soon
/// fills.
fn flood() -> Habits {
    Habits { stops_reading: 40, reloads: 5, body: 3_900, burst: 3, pause: 40, ..wild() }
}

/// Returns the plan of a round of one server.
pub fn plan(kind: Kind, chance: &mut Chance) -> Plan {
    let (gentle, wild) = (gentle(), wild());
    let (blows, network, habits, disk): (&[Blow], _, _, _) = match kind {
        // `kinds` in main.rs allows the remaining kinds only with nodes.
        Kind::Calm
        | Kind::Roll
        | Kind::Broker
        | Kind::Database
        | Kind::Silence
        | Kind::Clocks
        | Kind::Copy => (&[], false, gentle, disk::Kind::Own),
        Kind::Kill => (&[Blow::Kill], false, gentle, disk::Kind::Own),
        Kind::Term => (&[Blow::Term], false, gentle, disk::Kind::Own),
        Kind::Network => (&[], true, gentle, disk::Kind::Own),
        Kind::Clients => (&[], false, flood(), disk::Kind::Own),
        Kind::Full => (&[Blow::Disk], false, gentle, disk::Kind::Small),
        Kind::Eio => (&[Blow::Disk], false, gentle, disk::Kind::Failing),
        Kind::Mixed => (&[Blow::Kill, Blow::Kill, Blow::Term], true, wild, disk::Kind::Own),
        Kind::Ruin => {
            let disk = if chance.percent(50) { disk::Kind::Small } else { disk::Kind::Failing };
            (&[Blow::Disk, Blow::Kill], true, wild, disk)
        }
    };
    let between = if disk == disk::Kind::Own { 100..1_500 } else { 600..1_500 };
    Plan { blows: blows.to_vec(), between, network, habits, deaf: kind == Kind::Clients, disk }
}
