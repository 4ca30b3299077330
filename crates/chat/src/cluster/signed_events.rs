//! Signs the events and notices that a node publishes, and checks those that arrive.
//!
//! A signed message is the content, the id of the sending node, a stamp, and the signature, whose
//! context is the subject: an event of one user is not valid on the subject of another. The stamp is
//! the database's time in microseconds, made to grow with each message of the node. A subscription
//! accepts a message only if its stamp is greater than that of any message of the same node that
//! arrived before, and not older than [`TOO_OLD`]; so each message is accepted once, also by a
//! subscription that began after the message.
//!
//! The comparison relies on NATS, which passes the messages of one connection on in order. When a
//! subscription begins, it starts from the newest stamps that the other subscriptions have seen:
//! NATS passed these messages on before the subscription existed, so no later event has a smaller
//! stamp.
//!
//! Bounds: [`MAX_SENDERS`] nodes; only a node with the store's secret takes a place. The lock of
//! [`Senders`] is held for a look-up, when a subscription begins or first gets a message of a node,
//! never across an await. Called by [`super::broker`] and [`super::subscriptions`].

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;
use uuid::Uuid;

use super::signing::{SigningKeys, TAG};
use crate::mutex::lock;
use crate::store::{DatabaseClock, NodeId};

/// The age at which a message is refused. A node that is this far behind has lost its lease, which
/// causes a resync.
const TOO_OLD: Duration = Duration::from_secs(20);
/// How far the database's clock may differ from its expected time before clients resync, because
/// nodes may have refused each other's messages meanwhile.
const CLOCK_JUMP: Duration = Duration::from_secs(5);
/// Nodes whose messages are accepted within [`TOO_OLD`].
const MAX_SENDERS: usize = 256;
/// Bytes of the sender and the stamp, which follow the content.
const SENDER: usize = 16;
const STAMP: usize = 8;

/// Why a message was dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rejected {
    /// No node of this running database signed the message for this subject.
    Forged,
    /// The message arrived before, or is too old.
    Replayed,
    /// The message is valid, but this version cannot read it.
    Unreadable,
}

/// The database's time as this node derives it from the last reading.
pub(super) struct SharedClock {
    began: Instant,
    /// The database's time when `began` was, in microseconds.
    base: AtomicU64,
}

impl SharedClock {
    pub(super) fn new(clock: DatabaseClock) -> Self {
        let shared = Self { began: Instant::now(), base: AtomicU64::new(0) };
        shared.set(clock);
        shared
    }

    /// Adopts a newer reading. Returns whether the database's clock jumped.
    pub(super) fn set(&self, clock: DatabaseClock) -> bool {
        let base = micros(clock.micros()).saturating_sub(self.elapsed());
        let before = self.base.swap(base, Ordering::Relaxed);
        base.abs_diff(before) > micros(CLOCK_JUMP.as_micros())
    }

    pub(super) fn now(&self) -> u64 {
        self.base.load(Ordering::Relaxed).saturating_add(self.elapsed())
    }

    fn elapsed(&self) -> u64 {
        micros(self.began.elapsed().as_micros())
    }
}

fn micros(number: impl TryInto<u64>) -> u64 {
    number.try_into().unwrap_or(0)
}

/// Signs the messages of this node. Only the publishing task has it, so stamps grow in the order of
/// publishing.
pub(super) struct Signer {
    node: NodeId,
    last: u64,
}

impl Signer {
    pub(super) fn new(node: NodeId) -> Self {
        Self { node, last: 0 }
    }

    /// Returns the signed message for a subject.
    pub(super) fn sign(
        &mut self,
        keys: &SigningKeys,
        now: u64,
        subject: &str,
        content: &[u8],
    ) -> Bytes {
        self.last = now.max(self.last + 1);
        let mut message = Vec::with_capacity(content.len() + SENDER + STAMP + TAG);
        message.extend_from_slice(content);
        message.extend_from_slice(self.node.0.as_bytes());
        message.extend_from_slice(&self.last.to_be_bytes());
        keys.signing().sign(subject.as_bytes(), message)
    }
}

/// The newest stamp of each node, over all subscriptions.
#[derive(Default)]
pub(super) struct Senders(Mutex<HashMap<NodeId, Arc<AtomicU64>>>);

impl Senders {
    /// Starts the check of a subscription's messages. Call this before subscribing.
    pub(super) fn check(self: &Arc<Self>, me: NodeId, subject: String, now: u64) -> Check {
        let senders = lock(&self.0);
        let seen = senders.iter().map(|(node, newest)| Seen::of(*node, newest));
        let seen = seen.filter(|seen| !is_too_old(seen.last, now)).collect();
        Check { me, subject, seen, senders: self.clone() }
    }

    /// The newest stamp of a node; `None` if there are too many nodes.
    fn newest(&self, node: NodeId, now: u64) -> Option<Arc<AtomicU64>> {
        let mut senders = lock(&self.0);
        if let Some(newest) = senders.get(&node) {
            return Some(newest.clone());
        }
        if senders.len() >= MAX_SENDERS {
            senders.retain(|_, newest| !is_too_old(newest.load(Ordering::Relaxed), now));
        }
        if senders.len() >= MAX_SENDERS {
            return None;
        }
        let newest = Arc::<AtomicU64>::default();
        senders.insert(node, newest.clone());
        Some(newest)
    }
}

fn is_too_old(stamp: u64, now: u64) -> bool {
    now.saturating_sub(stamp) > micros(TOO_OLD.as_micros())
}

/// Checks the messages of one subscription.
pub(super) struct Check {
    me: NodeId,
    subject: String,
    seen: Vec<Seen>,
    senders: Arc<Senders>,
}

struct Seen {
    node: NodeId,
    /// The newest stamp on this subscription.
    last: u64,
    /// The newest stamp on all subscriptions.
    newest: Arc<AtomicU64>,
}

impl Seen {
    fn of(node: NodeId, newest: &Arc<AtomicU64>) -> Self {
        Self { node, last: newest.load(Ordering::Relaxed), newest: newest.clone() }
    }
}

impl Check {
    /// Returns the content of a valid message.
    pub(super) fn content(
        &mut self,
        keys: &SigningKeys,
        now: u64,
        message: &Bytes,
    ) -> Result<Bytes, Rejected> {
        let subject = self.subject.as_bytes();
        let (_, body) = keys.find(|key| key.verify(subject, message)).ok_or(Rejected::Forged)?;
        let (body, stamp) = body.split_last_chunk::<STAMP>().ok_or(Rejected::Forged)?;
        let (content, node) = body.split_last_chunk::<SENDER>().ok_or(Rejected::Forged)?;
        let (node, stamp) = (NodeId(Uuid::from_bytes(*node)), u64::from_be_bytes(*stamp));
        // NATS does not return this node's own messages.
        if node == self.me || is_too_old(stamp, now) || !self.is_new(node, stamp, now) {
            return Err(Rejected::Replayed);
        }
        Ok(message.slice(..content.len()))
    }

    fn is_new(&mut self, node: NodeId, stamp: u64, now: u64) -> bool {
        let seen = match self.seen.iter_mut().find(|seen| seen.node == node) {
            Some(seen) => seen,
            None => {
                let Some(newest) = self.senders.newest(node, now) else { return false };
                if self.seen.len() >= MAX_SENDERS {
                    self.seen.retain(|seen| !is_too_old(seen.last, now));
                }
                self.seen.push(Seen { node, last: 0, newest });
                let Some(seen) = self.seen.last_mut() else { return false };
                seen
            }
        };
        let is_new = stamp > seen.last;
        if is_new {
            seen.last = stamp;
            seen.newest.fetch_max(stamp, Ordering::Relaxed);
        }
        is_new
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{Instance, NodesSecret, NodesSecrets};

    const NOW: u64 = 1_000_000_000;
    const SECOND: u64 = 1_000_000;

    fn keys(secret: u8) -> SigningKeys {
        let secrets = NodesSecrets { signing: NodesSecret::of([secret; 32]), accepted: None };
        SigningKeys::of_events(&secrets, "epoch", &Instance::named("here"))
    }

    fn check(senders: &Arc<Senders>, subject: &str) -> Check {
        senders.check(NodeId::new(), subject.to_owned(), NOW)
    }

    fn signed(signer: &mut Signer, subject: &str) -> Bytes {
        signer.sign(&keys(1), NOW, subject, b"event")
    }

    #[test]
    fn a_message_is_valid_unaltered_on_its_subject_with_its_key() {
        let (senders, mut signer) = (Arc::default(), Signer::new(NodeId::new()));
        let message = signed(&mut signer, "to.alice");
        let mut at_alice = check(&senders, "to.alice");
        for at in 0..message.len() {
            let mut altered = message.to_vec();
            altered[at] ^= 1;
            let forged = Err(Rejected::Forged);
            assert_eq!(at_alice.content(&keys(1), NOW, &altered.into()), forged, "byte {at}");
            assert_eq!(at_alice.content(&keys(1), NOW, &message.slice(..at)), forged, "{at} bytes");
        }
        assert_eq!(at_alice.content(&keys(2), NOW, &message), Err(Rejected::Forged));
        let at_bob = check(&senders, "to.bob").content(&keys(1), NOW, &message);
        assert_eq!(at_bob, Err(Rejected::Forged));
        assert_eq!(at_alice.content(&keys(1), NOW, &message).as_deref(), Ok(&b"event"[..]));
    }

    #[test]
    fn a_message_is_accepted_once_and_in_order() {
        let (senders, mut signer) = (Arc::default(), Signer::new(NodeId::new()));
        let mut check = check(&senders, "to.alice");
        let some: Vec<_> = (0..3).map(|_| signed(&mut signer, "to.alice")).collect();
        for message in &some {
            check.content(&keys(1), NOW, message).expect("new");
        }
        for message in &some {
            assert_eq!(check.content(&keys(1), NOW, message), Err(Rejected::Replayed));
        }
        check.content(&keys(1), NOW, &signed(&mut signer, "to.alice")).expect("new");
    }

    #[test]
    fn a_later_subscription_accepts_no_earlier_message() {
        let (senders, mut signer) = (Arc::default(), Signer::new(NodeId::new()));
        let (early, other) = (signed(&mut signer, "to.alice"), signed(&mut signer, "to.bob"));
        check(&senders, "to.bob").content(&keys(1), NOW, &other).expect("new");
        let mut later = check(&senders, "to.alice");
        assert_eq!(later.content(&keys(1), NOW, &early), Err(Rejected::Replayed));
        later.content(&keys(1), NOW, &signed(&mut signer, "to.alice")).expect("new");
    }

    #[test]
    fn an_old_message_and_a_message_of_this_node_are_refused() {
        let (senders, mut signer) = (Arc::default(), Signer::new(NodeId::new()));
        let message = signed(&mut signer, "to.alice");
        let mut own = Arc::<Senders>::default().check(signer.node, "to.alice".to_owned(), NOW);
        assert_eq!(own.content(&keys(1), NOW, &message), Err(Rejected::Replayed));
        let mut check = check(&senders, "to.alice");
        assert_eq!(check.content(&keys(1), NOW + 21 * SECOND, &message), Err(Rejected::Replayed));
        check.content(&keys(1), NOW + 19 * SECOND, &message).expect("not too old");
    }

    #[test]
    fn nodes_that_are_gone_are_forgotten_and_their_messages_refused() {
        let senders = Arc::default();
        let mut check = check(&senders, "to.alice");
        let accepts = |check: &mut Check, now| {
            let message = Signer::new(NodeId::new()).sign(&keys(1), now, "to.alice", b"event");
            check.content(&keys(1), now, &message)
        };
        for _ in 0..MAX_SENDERS {
            accepts(&mut check, NOW).expect("room");
        }
        assert_eq!(accepts(&mut check, NOW), Err(Rejected::Replayed));
        accepts(&mut check, NOW + 21 * SECOND).expect("room again");
        assert_eq!((lock(&senders.0).len(), check.seen.len()), (1, 1));
    }

    #[test]
    fn stamps_grow_although_the_clock_is_set_back() {
        let mut signer = Signer::new(NodeId::new());
        let stamps: Vec<u64> = [5, 9, 3, 3, 10, 50]
            .map(|now| {
                signer.sign(&keys(1), now, "subject", b"");
                signer.last
            })
            .to_vec();
        assert_eq!(stamps, [5, 9, 10, 11, 12, 50]);
    }

    #[tokio::test(start_paused = true)]
    async fn the_clock_follows_the_database_and_reports_a_jump() {
        let clock = SharedClock::new(DatabaseClock::showing(1_000_000_000));
        tokio::time::advance(Duration::from_secs(30)).await;
        assert_eq!(clock.now(), 1_030_000_000);
        assert!(!clock.set(DatabaseClock::showing(1_031_000_000)));
        assert!(clock.set(DatabaseClock::showing(1_600_000_000)));
        assert_eq!(clock.now(), 1_600_000_000);
    }
}
