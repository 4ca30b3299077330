//! The live connections of this node, each with its outbound queue.
//!
//! The hub never waits: it fills a queue with `try_send`, and closes a connection whose queue is
//! full with [`CloseCode::Slow`]; the client then reconnects and merges. The store holds whatever a
//! dropped queue contained. Only [`crate::relay`] pushes, and only events that are committed or
//! ephemeral.
//!
//! Bounds: [`QUEUE_FRAMES`] frames and [`QUEUE_BYTES`] bytes per connection. The lock is held for a
//! look-up and some `try_send`s, never across an await.

mod graces;
pub(crate) mod pacing;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::str::Utf8Error;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use protocol::{CloseCode, SessionId, UserId};
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::time::Instant;

use graces::Graces;

/// Frames in one outbound queue: a few seconds of the busiest conversation.
const QUEUE_FRAMES: usize = 256;
/// Bytes in one outbound queue.
const QUEUE_BYTES: usize = 256 * 1024;
/// Shortest interval between two log lines about connections that a full node refused.
const FULL_LOGGED_EVERY: Duration = Duration::from_secs(30);

/// The JSON text of a frame, UTF-8 by construction. Cheap to clone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FrameText(Bytes);

impl FrameText {
    /// Returns the bytes, which are valid UTF-8.
    pub fn into_bytes(self) -> Bytes {
        self.0
    }

    /// Returns the bytes, which are valid UTF-8.
    pub fn as_bytes(&self) -> &Bytes {
        &self.0
    }
}

impl From<String> for FrameText {
    fn from(text: String) -> Self {
        Self(text.into())
    }
}

impl TryFrom<Bytes> for FrameText {
    type Error = Utf8Error;

    /// Accepts the bytes if they are valid UTF-8.
    fn try_from(bytes: Bytes) -> Result<Self, Utf8Error> {
        std::str::from_utf8(&bytes)?;
        Ok(Self(bytes))
    }
}

/// An entry of an outbound queue.
#[derive(Debug)]
pub(crate) enum Queued {
    Frame(FrameText),
    /// The client must resync: [`crate::Connection`] writes a new `hello` in place of this entry.
    Resync,
}

impl Queued {
    fn len(&self) -> usize {
        match self {
            Self::Frame(frame) => frame.0.len(),
            Self::Resync => 0,
        }
    }
}

/// Identifies a live connection of this process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ConnectionId(u64);

/// Why a connection was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Full {
    /// The node has reached its maximum of connections.
    Node,
    /// The user has reached their maximum of connections.
    User,
}

/// The sending half of a connection's outbound queue. Cheap to clone; held by the hub and by
/// pending answers.
#[derive(Clone)]
pub(crate) struct Outbound(Arc<OutboundState>);

struct OutboundState {
    id: ConnectionId,
    queue: mpsc::Sender<Queued>,
    waiting_bytes: AtomicUsize,
    /// Tells the connection's socket to close; used once.
    close: Mutex<Option<oneshot::Sender<CloseCode>>>,
}

impl Outbound {
    pub(crate) fn id(&self) -> ConnectionId {
        self.0.id
    }

    /// Tells the client to resync, or closes the connection if its queue is full.
    pub(crate) fn push_resync(&self) {
        self.queue(Queued::Resync);
    }

    /// Queues a frame, or closes the connection if its queue is full.
    pub(crate) fn push(&self, frame: FrameText) {
        self.queue(Queued::Frame(frame));
    }

    fn queue(&self, queued: Queued) {
        let length = queued.len();
        let waiting = self.0.waiting_bytes.fetch_add(length, Ordering::Relaxed);
        if waiting + length > QUEUE_BYTES || self.0.queue.try_send(queued).is_err() {
            self.close(CloseCode::Slow);
        }
    }

    pub(crate) fn close(&self, code: CloseCode) {
        let sender = self.0.close.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(sender) = sender {
            // The socket may be gone already.
            let _ = sender.send(code);
        }
    }

    fn taken(&self, queued: &Queued) {
        self.0.waiting_bytes.fetch_sub(queued.len(), Ordering::Relaxed);
    }
}

/// Connection guard with the receiving half of the outbound queue. Dropping it removes the
/// connection from the hub.
pub(crate) struct ConnectionGuard {
    hub: Arc<Hub>,
    user: UserId,
    outbound: Outbound,
    queue: mpsc::Receiver<Queued>,
    close: oneshot::Receiver<CloseCode>,
}

/// The next action of a connection's socket.
#[derive(Debug)]
pub enum Outgoing {
    /// Write this frame.
    Frame(FrameText),
    /// Send this close code and end.
    Close(CloseCode),
}

impl ConnectionGuard {
    pub(crate) fn outbound(&self) -> &Outbound {
        &self.outbound
    }

    /// Returns an entry that is queued already.
    pub(crate) fn try_next(&mut self) -> Option<Queued> {
        let queued = self.queue.try_recv().ok()?;
        self.outbound.taken(&queued);
        Some(queued)
    }

    /// Waits for the next entry of the queue.
    ///
    /// # Errors
    /// The close code, when the connection must close.
    ///
    /// # Cancel safety
    /// Cancel safe: a cancelled call takes nothing from the queue.
    pub(crate) async fn next(&mut self) -> Result<Queued, CloseCode> {
        tokio::select! {
            biased;
            code = &mut self.close => Err(code.unwrap_or(CloseCode::Restart)),
            queued = self.queue.recv() => match queued {
                Some(queued) => {
                    self.outbound.taken(&queued);
                    Ok(queued)
                }
                None => Err(CloseCode::Restart),
            },
        }
    }
}

impl Drop for ConnectionGuard {
    fn drop(&mut self) {
        self.hub.leave(self.user, self.outbound.id());
    }
}

/// All connections of this node.
pub(crate) struct Hub {
    people: Mutex<People>,
    next_id: AtomicU64,
    max_connections: usize,
    max_connections_per_user: usize,
    grace: Duration,
    /// Wakes presence when a grace period begins.
    left: Notify,
}

struct People {
    by_user: HashMap<UserId, Vec<Entry>>,
    /// The users without a connection whose grace period is not over. Protected by the same lock as
    /// the connections, so that a quick reconnect is never taken for an arrival.
    lingering: Graces,
    connections: usize,
    /// When a connection was last logged as refused because the node was full.
    full_logged_at: Option<Instant>,
}

struct Entry {
    session: SessionId,
    outbound: Outbound,
}

impl Hub {
    /// Keeps at most as many grace periods as connections.
    pub(crate) fn new(
        max_connections: usize,
        max_connections_per_user: usize,
        grace: Duration,
    ) -> Arc<Self> {
        let people = People {
            by_user: HashMap::new(),
            lingering: Graces::new(max_connections),
            connections: 0,
            full_logged_at: None,
        };
        Arc::new(Self {
            people: Mutex::new(people),
            next_id: AtomicU64::new(1),
            max_connections,
            max_connections_per_user,
            grace,
            left: Notify::new(),
        })
    }

    fn people(&self) -> MutexGuard<'_, People> {
        self.people.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Registers a connection. `hello` is queued before registration, so no other frame precedes
    /// it; every event for this user reaches the connection from here on. Also returns whether the
    /// user was away before.
    pub(crate) fn join(
        self: &Arc<Self>,
        user: UserId,
        session: SessionId,
        hello: FrameText,
    ) -> Result<(ConnectionGuard, bool), Full> {
        let (queue_in, queue) = mpsc::channel(QUEUE_FRAMES);
        let (close_in, close) = oneshot::channel();
        let outbound = Outbound(Arc::new(OutboundState {
            id: ConnectionId(self.next_id.fetch_add(1, Ordering::Relaxed)),
            queue: queue_in,
            waiting_bytes: AtomicUsize::new(0),
            close: Mutex::new(Some(close_in)),
        }));
        outbound.push(hello);
        let mut people = self.people();
        if people.connections >= self.max_connections {
            let must_log = people.full_logged_at.is_none_or(|at| at.elapsed() >= FULL_LOGGED_EVERY);
            if must_log {
                people.full_logged_at = Some(Instant::now());
            }
            drop(people);
            if must_log {
                let connections = self.max_connections;
                tracing::warn!(connections, "refused a connection: this node has its maximum");
            }
            return Err(Full::Node);
        }
        let entries = people.by_user.entry(user).or_default();
        if entries.len() >= self.max_connections_per_user {
            return Err(Full::User);
        }
        let first = entries.is_empty();
        entries.push(Entry { session, outbound: outbound.clone() });
        people.connections += 1;
        let was_away = !people.lingering.cancel(user) && first;
        drop(people);
        Ok((ConnectionGuard { hub: self.clone(), user, outbound, queue, close }, was_away))
    }

    fn leave(&self, user: UserId, id: ConnectionId) {
        let mut people = self.people();
        let Some(entries) = people.by_user.get_mut(&user) else { return };
        let before = entries.len();
        entries.retain(|entry| entry.outbound.id() != id);
        let gone = before - entries.len();
        let last = entries.is_empty();
        if last {
            people.by_user.remove(&user);
            people.lingering.begin(user, Instant::now() + self.grace);
        }
        people.connections -= gone;
        drop(people);
        if last {
            self.left.notify_one();
        }
    }

    /// Returns every present connection.
    pub(crate) fn outbounds(&self) -> Vec<Outbound> {
        self.people().by_user.values().flatten().map(|entry| entry.outbound.clone()).collect()
    }

    /// Returns every user who is connected or within their grace period.
    pub(crate) fn present(&self) -> Vec<UserId> {
        let people = self.people();
        people.by_user.keys().copied().chain(people.lingering.users()).collect()
    }

    /// Visits every connection of these users except `except`, with the lock held.
    pub(crate) fn for_each_outbound(
        &self,
        users: &[UserId],
        except: Option<ConnectionId>,
        visit: impl FnMut(&Outbound),
    ) {
        let people = self.people();
        let entries = users.iter().filter_map(|user| people.by_user.get(user)).flatten();
        let outbounds = entries.map(|entry| &entry.outbound);
        outbounds.filter(|outbound| Some(outbound.id()) != except).for_each(visit);
    }

    pub(crate) fn is_connected(&self, user: UserId) -> bool {
        self.people().by_user.contains_key(&user)
    }

    /// Returns whether a user is connected or within their grace period.
    pub(crate) fn is_present(&self, user: UserId) -> bool {
        let people = self.people();
        people.by_user.contains_key(&user) || people.lingering.contains(user)
    }

    /// Waits until the grace period of a user is over. Called by presence alone, because one caller
    /// is woken.
    ///
    /// # Cancel safety
    /// Cancel safe: a cancelled call takes no user.
    pub(crate) async fn next_leaver(&self) -> UserId {
        loop {
            let next = self.people().lingering.take_over(Instant::now());
            match next {
                Ok(user) => return user,
                Err(None) => self.left.notified().await,
                Err(Some(until)) => tokio::select! {
                    () = tokio::time::sleep_until(until) => {}
                    // The new grace period may be one too many.
                    () = self.left.notified() => {}
                },
            }
        }
    }

    /// Closes every connection of these sessions.
    pub(crate) fn close_sessions(&self, sessions: &[SessionId], code: CloseCode) {
        for entry in self.people().by_user.values().flatten() {
            if sessions.contains(&entry.session) {
                entry.outbound.close(code);
            }
        }
    }

    /// Returns the sessions that have a connection.
    pub(crate) fn sessions(&self) -> Vec<SessionId> {
        let mut sessions: Vec<_> =
            self.people().by_user.values().flatten().map(|entry| entry.session).collect();
        sessions.sort_unstable();
        sessions.dedup();
        sessions
    }

    pub(crate) fn connections(&self) -> usize {
        self.people().connections
    }
}
