//! Plans for several nodes.

use std::ops::Range;
use std::time::Duration;

use super::{Kind, flood, gentle, wild};
use crate::checker::Terms;
use crate::page::Habits;

/// Time limits within which all nodes must end a session: without faults, and with one fault at a
/// time.
const ENDS_WITHIN: Duration = Duration::from_secs(2);
const ENDS_WITHIN_BROKEN: Duration = Duration::from_secs(10);

/// A fault of a node, Postgres or NATS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stroke {
    /// SIGKILL of a node, then a start.
    Kill,
    /// SIGTERM of one node after the other; each starts again, with another version if there is
    /// one.
    Roll,
    /// SIGKILL of NATS, then a start.
    CrashBroker,
    /// NATS is paused for a while; its connections stay open.
    FreezeBroker,
    /// `stop -m immediate` of Postgres, then a start.
    CrashDatabase,
    /// Postgres terminates connections of nodes.
    EndBackends,
    /// Data in one direction between a node and NATS is held back.
    SilenceBroker,
    /// Data in one direction between a node and Postgres is held back.
    SilenceDatabase,
}

/// The plan of a round of several nodes.
#[derive(Clone, Debug)]
pub struct NodesPlan {
    /// The possible faults, injected one at a time; silences continue during other faults.
    pub strokes: Vec<Stroke>,
    /// Milliseconds between faults.
    pub between: Range<u64>,
    /// Whether faults of the network in front of the nodes are injected.
    pub network: bool,
    /// The clock error of each node, in seconds.
    pub clocks: Option<Vec<i64>>,
    /// Whether the round has a copy of the store, with nodes of its own.
    pub copy: bool,
    pub habits: Habits,
    /// Whether second tabs stop reading ([`Habits::deaf`]).
    pub deaf: bool,
    pub terms: Terms,
}

/// Returns the plan of a round with this many nodes.
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
        // `kinds` in main.rs allows the remaining kinds, except `Calm` and `Network`, only for one
        // server.
        Kind::Calm | Kind::Network | Kind::Term | Kind::Full | Kind::Eio | Kind::Ruin => {
            (&[], gentle())
        }
    };
    let ends_within = match kind {
        // With several faults at once, the only promise is that the cookie is rejected.
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

/// Alternates between a correct clock and one that is ten minutes fast.
fn clocks(nodes: usize) -> Vec<i64> {
    (0..nodes).map(|which| if which % 2 == 1 { 600 } else { 0 }).collect()
}
