//! What a round does, from its seed: which faults, which habits.
//!
//! - `nodes`: rounds of several nodes

mod nodes;

use std::ops::Range;

use clap::ValueEnum;

use crate::chance::Chance;
use crate::disk;
use crate::page::Habits;
pub use nodes::{NodesPlan, Stroke, plan_of_nodes};

/// The rounds there are, in the order in which they come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub enum Kind {
    /// Nothing is broken.
    Calm,
    /// kill -9, again and again.
    Kill,
    /// SIGTERM, again and again.
    Term,
    /// The network delays, cuts, half-closes, stalls and swallows answers.
    Network,
    /// Clients repeat, forge, reload, stop reading, and say old marks.
    Clients,
    /// The disk is full.
    Full,
    /// Every flush fails.
    Eio,
    /// kill -9, SIGTERM, the network and clients together.
    Mixed,
    /// A failing disk, kill -9, the network and clients together.
    Ruin,
    /// Of nodes: one after the other is told to end, and started again; as another version if there
    /// is one.
    Roll,
    /// Of nodes: NATS is killed, or stands still.
    Broker,
    /// Of nodes: Postgres is stopped at once, or ends its connections.
    Database,
    /// Of nodes: what one of them says to Postgres or NATS, or hears from them, does not arrive.
    Silence,
    /// Of nodes: their clocks are ten minutes apart, and nodes are killed.
    Clocks,
    /// Of nodes: a copy of the store, restored beside it, has nodes of its own on the same NATS;
    /// nodes of the original are killed.
    Copy,
}

impl Kind {
    /// Those of one server, in their order.
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

    /// Those of several nodes, in their order.
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

    /// How it is called on the command line and in reports.
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

/// What is done to the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blow {
    /// kill -9, then a start.
    Kill,
    /// SIGTERM, then a start.
    Term,
    /// The disk fails for a while.
    Disk,
}

/// A round.
#[derive(Clone, Debug)]
pub struct Plan {
    /// What is done to the server, one of these at a time.
    pub blows: Vec<Blow>,
    /// Milliseconds between blows.
    pub between: Range<u64>,
    /// Whether the network is broken.
    pub network: bool,
    /// What people do.
    pub habits: Habits,
    /// Whether second tabs are deaf.
    pub deaf: bool,
    /// What the data lies on.
    pub disk: disk::Kind,
}

/// People who write, and little more.
fn gentle() -> Habits {
    Habits { calls: 5, body: 60, pause: 120, ..Habits::default() }
}

/// People who do everything that a client may.
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

/// People whose bodies are long, and who make no pauses: who stops reading has a full queue soon.
fn flood() -> Habits {
    Habits { stops_reading: 40, reloads: 5, body: 3_900, burst: 3, pause: 40, ..wild() }
}

/// The plan of a round of one server.
pub fn plan(kind: Kind, chance: &mut Chance) -> Plan {
    let (gentle, wild) = (gentle(), wild());
    let (blows, network, habits, disk): (&[Blow], _, _, _) = match kind {
        // The others are not of one server, and are not asked for here.
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
