//! The subjects by which the nodes of one running database hear each other.
//!
//! Stores may share a broker, and one of them may be a copy of another: a dump that was restored, a
//! copy of the files. Whatever is stored is then the same in both, the epoch and the secret of the
//! nodes too. So the subjects hold the name of the running database as well ([`Instance`]), which no
//! copy has. That name changes when Postgres starts again, or when another server takes its place;
//! then nodes move to other subjects ([`super::broker`]). Called by the modules beside it.

use std::sync::Arc;

use protocol::UserId;

use crate::store::{Instance, NodeId};

/// See the module. Cheap to clone.
#[derive(Clone)]
pub(super) struct Space {
    instance: Instance,
    prefix: Arc<str>,
}

impl Space {
    /// Of a store with this epoch.
    pub(super) fn new(epoch: &str, instance: Instance) -> Self {
        let prefix = format!("duet.{epoch}.{instance}").into();
        Self { instance, prefix }
    }

    pub(super) fn instance(&self) -> &Instance {
        &self.instance
    }

    /// What is for this person.
    pub(super) fn of(&self, user: UserId) -> String {
        format!("{}.to.{}", self.prefix, user.0.as_simple())
    }

    /// What nodes say to all nodes.
    pub(super) fn of_nodes(&self) -> String {
        format!("{}.nodes", self.prefix)
    }

    /// What is asked of a node that leads.
    pub(super) fn of_leader(&self, node: NodeId) -> String {
        format!("{}.leader.{}", self.prefix, node.0.as_simple())
    }

    /// What nobody listens to.
    pub(super) fn of_nobody(&self) -> String {
        format!("{}.nobody", self.prefix)
    }
}
