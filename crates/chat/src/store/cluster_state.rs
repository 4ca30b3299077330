//! The state that nodes share through one store: leases of the nodes, presence of the users, and
//! rate limits.
//!
//! This state is disposable: all of it can be lost at any time and is rebuilt. [`super::postgres`]
//! implements the traits; an engine that serves one process does not need it. Called by
//! [`crate::cluster`], [`crate::presence`] and [`crate::throttle`].

use std::fmt;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use protocol::UserId;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;
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
    pub(crate) fn new() -> Result<Self, getrandom::Error> {
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
#[derive(Clone, PartialEq, Eq)]
pub struct NodesSecret(pub(super) [u8; 32]);

impl NodesSecret {
    #[cfg(test)]
    pub(crate) fn of(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    pub(crate) fn bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// The secrets of the nodes at this moment: two for a while after a replacement, so that nodes which
/// learn of it at different times accept each other's messages.
#[derive(Clone, PartialEq, Eq)]
pub struct NodesSecrets {
    /// The secret to sign with.
    pub signing: NodesSecret,
    /// Another secret whose signatures are valid.
    pub accepted: Option<NodesSecret>,
}

impl NodesSecrets {
    /// The secrets at an age of the newest one. `before` is the secret that the newest one replaced.
    pub(super) fn at_age(newest: NodesSecret, before: Option<NodesSecret>, age: Duration) -> Self {
        match before {
            Some(before) if age < SIGN_WITH_NEWEST_AFTER => {
                Self { signing: before, accepted: Some(newest) }
            }
            Some(before) if age < FORGET_REPLACED_AFTER => {
                Self { signing: newest, accepted: Some(before) }
            }
            _ => Self { signing: newest, accepted: None },
        }
    }

    /// Whether messages signed by a node with these secrets are valid for a node with the others.
    pub(crate) fn are_accepted_with(&self, others: &Self) -> bool {
        self.signing == others.signing || others.accepted.as_ref() == Some(&self.signing)
    }
}

/// The age of a secret after which nodes sign with it: the lifetime of a lease, so every node with
/// a lease accepts the secret by then.
const SIGN_WITH_NEWEST_AFTER: Duration = Duration::from_secs(10);
/// The age of a secret after which the one before is refused: the time above, an interval of
/// renewal, and the age at which an event is refused.
const FORGET_REPLACED_AFTER: Duration = Duration::from_secs(40);
/// The shortest time between two replacements of the secret.
pub(super) const REPLACE_SECRET_EVERY: Duration = Duration::from_secs(60);

/// The database's clock, as read at some moment. All nodes on a database agree on its time within
/// the duration of a query, however their own clocks are set.
#[derive(Clone, Copy, Debug)]
pub struct DatabaseClock {
    /// When the clock was read.
    at: Instant,
    /// What the clock showed, in microseconds since 1970.
    micros: i64,
}

impl DatabaseClock {
    /// A clock that shows this time now.
    pub(crate) fn showing(micros: i64) -> Self {
        Self { at: Instant::now(), micros }
    }

    /// The present time, in microseconds since 1970.
    pub(crate) fn micros(&self) -> i64 {
        let since = i64::try_from(self.at.elapsed().as_micros()).unwrap_or(i64::MAX);
        self.micros.saturating_add(since)
    }
}

/// The result of [`LeaseStore::renew`].
pub struct Renewed {
    /// The lease is new, or had expired and was deleted. The node must announce its users again.
    pub is_new: bool,
    /// Another node's lease expired without a clean shutdown. Events that the node had not
    /// published are lost, so clients must resync.
    pub node_failed: bool,
    /// Users who were connected to expired nodes and are now connected to none.
    pub gone: Vec<UserId>,
    /// The number of other nodes with a valid lease.
    pub others: u32,
    /// The database that renewed the lease.
    pub instance: Instance,
    /// The leader and its key: the oldest of the nodes that receive each other's events.
    pub leader: Option<(NodeId, NodeKey)>,
    /// Whether any other node does not receive the events of this database's nodes.
    pub is_degraded: bool,
    /// The secrets by which the nodes authenticate each other.
    pub secrets: NodesSecrets,
    /// The clock of the database.
    pub clock: DatabaseClock,
}

/// A rate limit: a burst, then one more after each interval.
#[derive(Clone, Copy, Debug)]
pub struct Allowance {
    /// The interval after which one more use is allowed.
    pub each: Duration,
    /// The number of uses allowed at once.
    pub burst: u32,
}

impl Allowance {
    /// Allows `count` per `span`, with a burst of `count / share`.
    pub(crate) fn new(count: NonZeroU32, span: Duration, share: u32) -> Self {
        let each = (span / count.get()).max(Duration::from_nanos(1));
        Self { each, burst: (count.get() / share.max(1)).max(1) }
    }
}

/// Whose allowance it is.
#[derive(Clone, Copy, Debug)]
pub enum AllowanceKey {
    /// An account's own, of the rate with this name.
    Account(&'static str, UserId),
    /// Of what a stranger chooses, such as an address or a name: its keyed hash. A stranger can choose
    /// any number of those, so the store bounds the number of rows.
    Stranger(&'static str, [u8; 16]),
}

impl fmt::Display for AllowanceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Account(rate, user) => write!(f, "{rate} {user}"),
            Self::Stranger(rate, hash) => write!(f, "{rate} {:032x}", u128::from_be_bytes(*hash)),
        }
    }
}

/// A limit of guesses: the first ones are free, then each guess causes a pause of one second, two,
/// four and so on.
#[derive(Clone, Copy, Debug)]
pub struct Pauses {
    /// Guesses that cause no pause.
    pub free: u32,
    /// The longest pause; shorter than `forget_after`.
    pub longest: Duration,
    /// How long after the last guess all guesses are forgotten.
    pub forget_after: Duration,
}

impl Pauses {
    /// Returns the pause after this many guesses.
    pub(crate) fn after(&self, guesses: u32) -> Duration {
        match guesses.checked_sub(self.free) {
            None | Some(0) => Duration::ZERO,
            Some(over) => Duration::from_secs(1 << (over - 1).min(20)).min(self.longest),
        }
    }
}

/// How a counted guess ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GuessEnd {
    /// The password was right: all guesses are forgotten.
    Right,
    /// The password was wrong: the pause begins now.
    Wrong,
    /// The password was not compared: the guess is given back.
    NotCompared,
}

/// The state that nodes share through one store. Implemented by stores that serve several nodes.
#[async_trait]
pub trait ClusterState: LeaseStore + RateLimitStore {
    /// The secrets of the nodes when the store was opened.
    fn secrets(&self) -> &NodesSecrets;

    /// The database's clock when the store was opened.
    fn clock(&self) -> DatabaseClock;

    /// The name of the database when the store was opened.
    fn instance(&self) -> &Instance;

    /// Replaces the secret of the nodes, who learn of it with the next renewal of their leases.
    /// Returns false, without an effect, if the secret was replaced within the last minute.
    async fn replace_secret(&self) -> Result<bool>;
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
    /// Takes one use from an allowance. Returns how long to wait if the allowance is exhausted. May
    /// forget the least used of many allowances whose keys strangers choose.
    async fn take(&self, of: AllowanceKey, allowance: Allowance) -> Result<Option<Duration>>;

    /// Gives a part of an allowance back.
    async fn give_back(&self, of: AllowanceKey, span: Duration) -> Result<()>;

    /// Counts a guess of a password, unless the pause after earlier guesses lasts: in one step, so
    /// that concurrent guesses cannot pass together. Returns the rest of the pause. May forget the
    /// least used of many keys.
    async fn count_guess(&self, key: &[u8; 16], pauses: Pauses) -> Result<Option<Duration>>;

    /// Records how a counted guess ended.
    async fn end_guess(&self, key: &[u8; 16], end: GuessEnd) -> Result<()>;

    /// Deletes allowances that are full again, and guesses older than `forget_after`.
    async fn tidy(&self, forget_after: Duration) -> Result<()>;
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Nodes read the secrets at different times, and may be a lease's lifetime apart.
    #[test]
    fn nodes_accept_each_other_during_a_replacement_and_the_old_secret_ends() {
        let (newest, before) = (NodesSecret([1; 32]), NodesSecret([2; 32]));
        let at = |seconds| {
            let age = Duration::from_secs(seconds);
            NodesSecrets::at_age(newest.clone(), Some(before.clone()), age)
        };
        let old = NodesSecrets { signing: before.clone(), accepted: None };
        for seconds in 0..60 {
            assert!(at(seconds).are_accepted_with(&at(seconds + 10)), "{seconds}");
            assert!(at(seconds + 10).are_accepted_with(&at(seconds)), "{seconds}");
        }
        for seconds in 0..10 {
            assert!(at(seconds).are_accepted_with(&old), "{seconds}");
        }
        assert!(!old.are_accepted_with(&at(40)));
        assert!(at(40) == NodesSecrets { signing: newest, accepted: None });
    }

    #[test]
    fn the_pause_after_guesses_doubles_up_to_a_quarter_of_an_hour() {
        let (longest, forget_after) = (Duration::from_secs(15 * 60), Duration::from_secs(60 * 60));
        let pauses = Pauses { free: 5, longest, forget_after };
        let seconds: Vec<u64> = (1..=18).map(|n| pauses.after(n).as_secs()).collect();
        assert_eq!(seconds, [0, 0, 0, 0, 0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900, 900]);
    }
}
