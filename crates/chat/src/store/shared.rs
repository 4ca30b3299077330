//! What nodes that stand on one store keep in it about each other: which of them are there, who is
//! at which, and how often people may.
//!
//! Nothing here may be needed: all of it can be lost at any moment and comes again by itself.
//! Implemented by [`super::postgres`]; an engine that one process has to itself needs none of it.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use protocol::UserId;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::Result;

/// One process on a store, from its start to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct NodeId(pub Uuid);

impl NodeId {
    /// One that nobody else has.
    pub(crate) fn new() -> Self {
        Self(Uuid::now_v7())
    }
}

/// A secret that one process makes at its start and keeps in its lease alone. No dump of another
/// store has it for longer than a lease lasts. Shown nowhere.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct NodeKey(pub [u8; 32]);

impl NodeKey {
    /// A new key; an error where the machine has no randomness.
    pub(crate) fn new() -> std::result::Result<Self, getrandom::Error> {
        let mut bytes = [0; 32];
        getrandom::fill(&mut bytes)?;
        Ok(Self(bytes))
    }
}

/// The name of one running database. Its server makes the name, and no copy of the database has the
/// same: not a dump that was restored, not a copy beside it in the same server, not a copy of the
/// server's files. The name changes when the server starts again.
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

/// Nodes for which another node commits, and the database on which all of them stand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AskedBy {
    /// The database, as the node that commits knows it from its lease.
    pub instance: Instance,
    /// The node that commits and those that asked it.
    pub nodes: Vec<NodeId>,
}

/// What only those know who can read the store, to know each other by. Shown nowhere.
pub struct NodesSecret(pub(super) [u8; 32]);

impl NodesSecret {
    pub(crate) fn bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// What a node learns when it says that it is there.
pub struct Renewed {
    /// It was not known, or was given up: who is at it must be said again.
    pub is_new: bool,
    /// Another one was given up, and had not said goodbye: what it told nobody is told by nobody.
    pub one_fell: bool,
    /// Those who were at nodes that have ended and are nowhere now.
    pub gone: Vec<UserId>,
    /// How many others there are.
    pub others: u32,
    /// The database that said all this.
    pub instance: Instance,
    /// Of all that hear each other, the one that is there the longest, and its key.
    pub first: Option<(NodeId, NodeKey)>,
    /// Whether one of them does not hear the others.
    pub one_is_deaf: bool,
}

/// An allowance: so much at once, and one more after each span.
#[derive(Clone, Copy, Debug)]
pub struct Allowance {
    /// After which one more may be had.
    pub each: Duration,
    /// How many at once.
    pub burst: u32,
}

/// See the module.
#[async_trait]
pub trait Shared: Send + Sync {
    /// What the nodes on this store know each other by.
    fn secret(&self) -> &NodesSecret;

    /// The database, as it was when the store was opened.
    fn instance(&self) -> &Instance;

    /// Says that a node is there for this long from now, and in which database's events it takes
    /// part, if it hears the others; gives up those that have not said so in time.
    async fn renew(
        &self,
        node: NodeId,
        key: &NodeKey,
        hears_in: Option<&Instance>,
        lease: Duration,
    ) -> Result<Renewed>;

    /// Says goodbye. Who is at this node stays there until its lease is over, to come back
    /// elsewhere.
    async fn end(&self, node: NodeId) -> Result<()>;

    /// Says again who is at a node.
    async fn announce(&self, node: NodeId, users: &[UserId]) -> Result<()>;

    /// Someone is at this node now; says whether they were nowhere.
    async fn arrive(&self, node: NodeId, user: UserId) -> Result<bool>;

    /// Someone is not at this node any more; says whether they are nowhere now.
    async fn depart(&self, node: NodeId, user: UserId) -> Result<bool>;

    /// Those of these people who are somewhere.
    async fn present(&self, users: &[UserId]) -> Result<Vec<UserId>>;

    /// Takes one of an allowance, or says how long there is none.
    async fn take(&self, key: &str, allowance: Allowance) -> Result<Option<Duration>>;

    /// How long an account waits after wrong passwords.
    async fn pause(&self, username_key: &str) -> Result<Option<Duration>>;

    /// One more wrong password. The first `free` cost nothing, then it is a second, and twice as
    /// long each time, up to `longest`.
    async fn wrong_password(&self, username_key: &str, free: u32, longest: Duration) -> Result<()>;

    /// The right one: all is forgotten.
    async fn right_password(&self, username_key: &str) -> Result<()>;

    /// Forgets allowances that are whole again, and wrong passwords of this long ago.
    async fn tidy(&self, forget_after: Duration) -> Result<()>;
}
