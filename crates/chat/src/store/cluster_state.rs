//! The state that nodes share through one store: leases of the nodes, presence of the users, and
//! rate limits.
//!
//! This state is disposable: all of it can be lost at any time and is rebuilt. [`super::postgres`]
//! implements the traits; an engine that serves one process does not need it.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use protocol::UserId;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::Result;

/// One run of a server process on a store, from start to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct NodeId(pub Uuid);

impl NodeId {
    /// A new unique id. Ids sort by the time of creation.
    pub(crate) fn new() -> Self {
        Self(Uuid::now_v7())
    }
}

/// A secret that a process makes at its start and stores only in its lease. A copy of the database
/// holds a valid key no longer than a lease lasts. Must not be logged.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct NodeKey(pub [u8; 32]);

impl NodeKey {
    /// A new random key. Fails if the system has no source of randomness.
    pub(crate) fn new() -> std::result::Result<Self, getrandom::Error> {
        let mut bytes = [0; 32];
        getrandom::fill(&mut bytes)?;
        Ok(Self(bytes))
    }
}

/// The name of one running database, made by its server. A restored dump, a copy in the same server
/// and a copy of the server's files all have other names. The name changes when the server
/// restarts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instance(pub(super) Arc<str>);

impl Instance {
    #[cfg(test)]
    pub(crate) fn named(name: &str) -> Self {
        Self(name.into())
    }
}

impl fmt::Display for Instance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The nodes of a batch that one node commits for others, and the database that they must share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AskedBy {
    /// The database in which the committing node holds its lease.
    pub instance: Instance,
    /// The committing node and the nodes that sent the leader requests.
    pub nodes: Vec<NodeId>,
}

/// A secret stored in the database, by which its nodes authenticate each other. Must not be logged.
pub struct NodesSecret(pub(super) [u8; 32]);

impl NodesSecret {
    pub(crate) fn bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// The result of [`LeaseStore::renew`].
pub struct Renewed {
    /// The lease is new, or had expired and was deleted. The node must announce its users again.
    pub is_new: bool,
    /// Another node's lease expired without a clean shutdown. Events that the node had not
    /// published are lost, so clients must resync.
    pub one_fell: bool,
    /// Users who were connected to expired nodes and are now connected to none.
    pub gone: Vec<UserId>,
    /// The number of other nodes with a valid lease.
    pub others: u32,
    /// The database that renewed the lease.
    pub instance: Instance,
    /// The leader and its key: the oldest of the nodes that receive each other's events.
    pub first: Option<(NodeId, NodeKey)>,
    /// Whether any other node does not receive the events of this database's nodes.
    pub one_is_deaf: bool,
}

/// A rate limit: a burst, then one more after each interval.
#[derive(Clone, Copy, Debug)]
pub struct Allowance {
    /// The interval after which one more use is allowed.
    pub each: Duration,
    /// The number of uses allowed at once.
    pub burst: u32,
}

/// The state that nodes share through one store. Implemented by stores that serve several nodes.
pub trait ClusterState: LeaseStore + RateLimitStore {
    /// The secret by which the nodes on this store authenticate each other.
    fn secret(&self) -> &NodesSecret;

    /// The name of the database when the store was opened.
    fn instance(&self) -> &Instance;
}

/// The leases of nodes and the presence of users.
#[async_trait]
pub trait LeaseStore: Send + Sync {
    /// Renews a node's lease for `lease` from now, and deletes expired leases of other nodes.
    /// `hears_in` is the database whose events the node receives; `None` while the node receives no
    /// events.
    async fn renew(
        &self,
        node: NodeId,
        key: &NodeKey,
        hears_in: Option<&Instance>,
        lease: Duration,
    ) -> Result<Renewed>;

    /// Announces a clean shutdown. The node's users stay present until the lease expires, so that
    /// they can reconnect to another node.
    async fn end(&self, node: NodeId) -> Result<()>;

    /// Stores again which users are connected to a node.
    async fn announce(&self, node: NodeId, users: &[UserId]) -> Result<()>;

    /// Records that a user is connected to this node. Returns whether no other node has the user.
    async fn arrive(&self, node: NodeId, user: UserId) -> Result<bool>;

    /// Records that a user is no longer connected to this node. Returns whether no other node has
    /// the user.
    async fn depart(&self, node: NodeId, user: UserId) -> Result<bool>;

    /// Those of these users who are connected to any node.
    async fn present(&self, users: &[UserId]) -> Result<Vec<UserId>>;
}

/// Rate limits that hold over all nodes.
#[async_trait]
pub trait RateLimitStore: Send + Sync {
    /// Takes one use from an allowance. Returns how long to wait if the allowance is exhausted.
    async fn take(&self, key: &str, allowance: Allowance) -> Result<Option<Duration>>;

    /// How long the account is locked after wrong passwords.
    async fn pause(&self, username_key: &str) -> Result<Option<Duration>>;

    /// Counts a wrong password. The first `free` have no effect. The next one locks the account for
    /// a second, and each further one for twice as long, up to `longest`.
    async fn wrong_password(&self, username_key: &str, free: u32, longest: Duration) -> Result<()>;

    /// Deletes the count of wrong passwords after a correct password.
    async fn right_password(&self, username_key: &str) -> Result<()>;

    /// Deletes allowances that are full again, and counts of wrong passwords older than
    /// `forget_after`.
    async fn tidy(&self, forget_after: Duration) -> Result<()>;
}
