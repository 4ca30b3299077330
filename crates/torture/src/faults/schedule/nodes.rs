//! Schedules for several nodes.

use std::ops::Range;
use std::time::Duration;

use super::{RoundKind, flood, gentle, wild};
use crate::checker::Limits;
use crate::client::Behaviour;

/// Time limits within which all nodes must end a session: without faults, and with one fault at a
/// time.
const ENDS_WITHIN: Duration = Duration::from_secs(2);
const ENDS_WITHIN_BROKEN: Duration = Duration::from_secs(10);

/// A fault of a node, Postgres or NATS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NodeFault {
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
    TerminateConnections,
    /// Data in one direction between a node and NATS is held back.
    SilenceBroker,
    /// Data in one direction between a node and Postgres is held back.
    SilenceDatabase,
}

/// The schedule of a round of several nodes.
#[derive(Clone, Debug)]
pub(crate) struct NodesSchedule {
    /// The possible faults, injected one at a time; silences continue during other faults.
    pub faults: Vec<NodeFault>,
    /// Milliseconds between faults.
    pub between: Range<u64>,
    /// Whether faults of the network in front of the nodes are injected.
    pub network: bool,
    /// The clock error of each node, in seconds.
    pub clocks: Option<Vec<i64>>,
    /// Whether the round has a copy of the store, with nodes of its own.
    pub copy: bool,
    pub behaviour: Behaviour,
    /// Whether second tabs stop reading ([`Behaviour::suspended`]).
    pub suspended: bool,
    pub limits: Limits,
}

/// Returns the schedule of a round with this many nodes.
pub(crate) fn nodes_schedule(kind: RoundKind, nodes: usize) -> NodesSchedule {
    use NodeFault::{
        CrashBroker, CrashDatabase, FreezeBroker, Kill, Roll, SilenceBroker, SilenceDatabase,
        TerminateConnections,
    };
    let (faults, behaviour): (&[NodeFault], _) = match kind {
        RoundKind::Kill | RoundKind::Clocks | RoundKind::Copy => (&[Kill], gentle()),
        RoundKind::Roll => (&[Roll], gentle()),
        RoundKind::Broker => (&[CrashBroker, FreezeBroker], gentle()),
        RoundKind::Database => {
            (&[CrashDatabase, TerminateConnections, TerminateConnections], gentle())
        }
        RoundKind::Silence => (&[SilenceBroker, SilenceDatabase], gentle()),
        RoundKind::Mixed => {
            let all = &[
                Kill,
                Kill,
                Roll,
                CrashBroker,
                FreezeBroker,
                CrashDatabase,
                TerminateConnections,
                SilenceBroker,
                SilenceBroker,
                SilenceDatabase,
                SilenceDatabase,
            ];
            (all, wild())
        }
        RoundKind::Clients => (&[], flood()),
        // `kinds` in main.rs allows the remaining kinds, except `Calm` and `Network`, only for one
        // server.
        RoundKind::Calm
        | RoundKind::Network
        | RoundKind::Term
        | RoundKind::Full
        | RoundKind::Eio
        | RoundKind::Ruin => (&[], gentle()),
    };
    let ends_within = match kind {
        // With several faults at once, the only promise is that the cookie is rejected.
        RoundKind::Mixed => None,
        _ if faults.is_empty() => Some(ENDS_WITHIN),
        _ => Some(ENDS_WITHIN_BROKEN),
    };
    NodesSchedule {
        faults: faults.to_vec(),
        between: 100..1_500,
        network: matches!(kind, RoundKind::Network | RoundKind::Mixed),
        clocks: matches!(kind, RoundKind::Clocks | RoundKind::Mixed).then(|| clocks(nodes)),
        copy: kind == RoundKind::Copy,
        behaviour,
        suspended: kind == RoundKind::Clients,
        limits: Limits { ends_within, ordered_receipts: nodes == 1 },
    }
}

/// Alternates between a correct clock and one that is ten minutes fast.
fn clocks(nodes: usize) -> Vec<i64> {
    (0..nodes).map(|which| if which % 2 == 1 { 600 } else { 0 }).collect()
}
