//! Rounds of several nodes.

use std::ops::Range;
use std::time::Duration;

use super::{Kind, flood, gentle, wild};
use crate::checker::Terms;
use crate::page::Habits;

/// With all that they stand on whole, and with one of these broken, nodes learn within these times
/// that a session has ended.
const ENDS_WITHIN: Duration = Duration::from_secs(2);
const ENDS_WITHIN_BROKEN: Duration = Duration::from_secs(10);

/// What is done to nodes, and to what they stand on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stroke {
    /// kill -9 of a node, then a start.
    Kill,
    /// SIGTERM of one node after the other, each started again, as another version if there is one.
    Roll,
    /// kill -9 of NATS, then a start.
    CrashBroker,
    /// NATS does nothing for a while, its connections as they are.
    FreezeBroker,
    /// `stop -m immediate` of Postgres, then a start.
    CrashDatabase,
    /// Postgres ends connections of nodes.
    EndBackends,
    /// One direction between a node and NATS is silent.
    SilenceBroker,
    /// One direction between a node and Postgres is silent.
    SilenceDatabase,
}

/// A round of several nodes.
#[derive(Clone, Debug)]
pub struct NodesPlan {
    /// What is done, one of these at a time; silences last beside the others.
    pub strokes: Vec<Stroke>,
    /// Milliseconds between strokes.
    pub between: Range<u64>,
    /// Whether the network before the nodes is broken.
    pub network: bool,
    /// How wrong the clock of each node is, in seconds.
    pub clocks: Option<Vec<i64>>,
    /// Whether there is a copy of the store, with nodes of its own.
    pub copy: bool,
    /// What people do.
    pub habits: Habits,
    /// Whether second tabs are deaf.
    pub deaf: bool,
    /// What is promised.
    pub terms: Terms,
}

/// The plan of a round of so many nodes.
pub fn plan_of_nodes(kind: Kind, nodes: usize) -> NodesPlan {
    use Stroke::{
        CrashBroker, CrashDatabase, EndBackends, FreezeBroker, Kill, Roll, SilenceBroker,
        SilenceDatabase,
    };
    let (strokes, habits): (&[Stroke], _) = match kind {
        Kind::Kill | Kind::Clocks | Kind::Copy => (&[Kill], gentle()),
        Kind::Roll => (&[Roll], gentle()),
        Kind::Broker => (&[CrashBroker, FreezeBroker], gentle()),
        Kind::Database => (&[CrashDatabase, EndBackends, EndBackends], gentle()),
        Kind::Silence => (&[SilenceBroker, SilenceDatabase], gentle()),
        Kind::Mixed => {
            let all = &[
                Kill,
                Kill,
                Roll,
                CrashBroker,
                FreezeBroker,
                CrashDatabase,
                EndBackends,
                SilenceBroker,
                SilenceBroker,
                SilenceDatabase,
                SilenceDatabase,
            ];
            (all, wild())
        }
        Kind::Clients => (&[], flood()),
        // The others are not of nodes, and are not asked for here.
        Kind::Calm | Kind::Network | Kind::Term | Kind::Full | Kind::Eio | Kind::Ruin => {
            (&[], gentle())
        }
    };
    let ends_within = match kind {
        // Of several at once nothing is promised but that the cookie opens nothing.
        Kind::Mixed => None,
        _ if strokes.is_empty() => Some(ENDS_WITHIN),
        _ => Some(ENDS_WITHIN_BROKEN),
    };
    NodesPlan {
        strokes: strokes.to_vec(),
        between: 100..1_500,
        network: matches!(kind, Kind::Network | Kind::Mixed),
        clocks: matches!(kind, Kind::Clocks | Kind::Mixed).then(|| clocks(nodes)),
        copy: kind == Kind::Copy,
        habits,
        deaf: kind == Kind::Clients,
        terms: Terms { ends_within, one_way: nodes == 1 },
    }
}

/// Right, ten minutes fast, right, and so on.
fn clocks(nodes: usize) -> Vec<i64> {
    (0..nodes).map(|which| if which % 2 == 1 { 600 } else { 0 }).collect()
}
