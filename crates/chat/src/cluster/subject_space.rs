//! The NATS subjects of the nodes on one running database.
//!
//! Stores may share a broker, and a store may be a copy of another: a restored dump or a copy of
//! the files. A copy has the same content, including the epoch and the nodes' secret, so the
//! subjects also contain the [`Instance`] name, which no copy has. The name changes when Postgres
//! restarts or another server replaces it; the nodes then move to other subjects
//! ([`super::broker`]). Called by the sibling modules.

use std::sync::Arc;

use protocol::UserId;

use crate::store::{Instance, NodeId};

/// The subjects of one instance. Cheap to clone.
#[derive(Clone)]
pub(super) struct SubjectSpace {
    instance: Instance,
    prefix: Arc<str>,
}

impl SubjectSpace {
    /// Returns the subjects for a store's epoch and instance.
    pub(super) fn new(epoch: &str, instance: Instance) -> Self {
        let prefix = format!("duet.{epoch}.{instance}").into();
        Self { instance, prefix }
    }

    pub(super) fn instance(&self) -> &Instance {
        &self.instance
    }

    /// Subject of a user's events.
    pub(super) fn of(&self, user: UserId) -> String {
        format!("{}.to.{}", self.prefix, user.0.as_simple())
    }

    /// Subject of notices to all nodes.
    pub(super) fn of_nodes(&self) -> String {
        format!("{}.nodes", self.prefix)
    }

    /// Subject of requests to a leader.
    pub(super) fn of_leader(&self, node: NodeId) -> String {
        format!("{}.leader.{}", self.prefix, node.0.as_simple())
    }
}

/// Subject of a node's probes, the same on every database.
pub(super) fn of_probes(node: NodeId) -> String {
    format!("duet.probe.{}", node.0.as_simple())
}

/// Subject on which a node's probes return.
pub(super) fn of_returned_probes(node: NodeId) -> String {
    format!("duet.probe.{}.returned", node.0.as_simple())
}
