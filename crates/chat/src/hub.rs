//! Who is connected to this node, and the queues to them.
//!
//! The hub never waits: a queue is filled with `try_send`, and one that is full ends its connection
//! with [`CloseCode::Slow`]; the client comes back and merges. What is lost with a queue is in the
//! store. Only [`crate::relay`] pushes, and only what is committed or ephemeral.
//!
//! Bounds: [`QUEUE_FRAMES`] frames and [`QUEUE_BYTES`] bytes a connection. The one lock is held for
//! a look-up and some `try_send`s, never across an await.

pub(crate) mod spread;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use protocol::{CloseCode, SessionId, UserId};
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

/// Frames that may wait for one client: a few seconds of the busiest conversation.
const QUEUE_FRAMES: usize = 256;
/// Bytes that may wait for one client.
const QUEUE_BYTES: usize = 256 * 1024;

/// In a queue: the place of another `hello`, which is made when it is written.
pub(crate) const READ_AGAIN: Bytes = Bytes::new();

/// One live connection of this process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ConnectionId(u64);

/// Why a connection could not be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Full {
    /// The node has as many as it may.
    Node,
    /// The person has as many as they may.
    User,
}

/// The sending end to one connection. Cheap to clone; held by the hub and by sends under way.
#[derive(Clone)]
pub(crate) struct Line(Arc<LineState>);

struct LineState {
    id: ConnectionId,
    frames: mpsc::Sender<Bytes>,
    waiting_bytes: AtomicUsize,
    /// Tells the connection's socket, once, to close.
    close: Mutex<Option<oneshot::Sender<CloseCode>>>,
}

impl Line {
    pub(crate) fn id(&self) -> ConnectionId {
        self.0.id
    }

    /// Queues the word that events may have been lost, and that all is to be read again.
    pub(crate) fn push_read_again(&self) {
        self.push(READ_AGAIN);
    }

    /// Queues a frame, or ends the connection because its queue is full.
    pub(crate) fn push(&self, frame: Bytes) {
        let length = frame.len();
        let waiting = self.0.waiting_bytes.fetch_add(length, Ordering::Relaxed);
        if waiting + length > QUEUE_BYTES || self.0.frames.try_send(frame).is_err() {
            self.close(CloseCode::Slow);
        }
    }

    pub(crate) fn close(&self, code: CloseCode) {
        let sender = self.0.close.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(sender) = sender {
            // The socket may have gone already; then there is nobody to tell.
            let _ = sender.send(code);
        }
    }

    fn taken(&self, frame: &Bytes) {
        self.0.waiting_bytes.fetch_sub(frame.len(), Ordering::Relaxed);
    }
}

/// The receiving end of a connection; leaves the hub when dropped.
pub(crate) struct Seat {
    hub: Arc<Hub>,
    user: UserId,
    line: Line,
    frames: mpsc::Receiver<Bytes>,
    close: oneshot::Receiver<CloseCode>,
}

/// What a connection's socket has to do next.
#[derive(Debug)]
pub enum Outgoing {
    /// Write this.
    Frame(Bytes),
    /// Say this and end.
    Close(CloseCode),
}

impl Seat {
    pub(crate) fn line(&self) -> &Line {
        &self.line
    }

    /// A frame that waits already.
    pub(crate) fn try_next(&mut self) -> Option<Bytes> {
        let frame = self.frames.try_recv().ok()?;
        self.line.taken(&frame);
        Some(frame)
    }

    /// The next frame, or the end.
    ///
    /// # Cancel safety
    /// A cancelled call has taken nothing.
    pub(crate) async fn next(&mut self) -> Outgoing {
        tokio::select! {
            biased;
            code = &mut self.close => Outgoing::Close(code.unwrap_or(CloseCode::Restart)),
            frame = self.frames.recv() => match frame {
                Some(frame) => {
                    self.line.taken(&frame);
                    Outgoing::Frame(frame)
                }
                None => Outgoing::Close(CloseCode::Restart),
            },
        }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.hub.leave(self.user, self.line.id());
    }
}

/// All connections of this node.
pub(crate) struct Hub {
    people: Mutex<People>,
    next_id: AtomicU64,
    max_connections: usize,
    max_connections_per_user: usize,
    grace: Duration,
    /// Who has just lost their last connection; read by presence. Unbounded, but no longer than
    /// the number of connections; ends with the hub.
    left: mpsc::UnboundedSender<UserId>,
}

#[derive(Default)]
struct People {
    by_user: HashMap<UserId, Vec<Entry>>,
    /// Those whose last connection ended, until their grace is over or they come back. Kept here,
    /// under the same lock, so that a quick return is never taken for an arrival.
    lingering: HashMap<UserId, Instant>,
    connections: usize,
}

struct Entry {
    session: SessionId,
    line: Line,
}

impl Hub {
    /// The hub, and where it says who has lost their last connection.
    pub(crate) fn new(
        max_connections: usize,
        max_connections_per_user: usize,
        grace: Duration,
    ) -> (Arc<Self>, mpsc::UnboundedReceiver<UserId>) {
        let (left, leavers) = mpsc::unbounded_channel();
        let hub = Self {
            people: Mutex::default(),
            next_id: AtomicU64::new(1),
            max_connections,
            max_connections_per_user,
            grace,
            left,
        };
        (Arc::new(hub), leavers)
    }

    fn people(&self) -> MutexGuard<'_, People> {
        self.people.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a seat. `hello` is queued before the hub knows of it, so nothing can come first; from
    /// here on every event for this person reaches it. Says whether the person was away before.
    pub(crate) fn join(
        self: &Arc<Self>,
        user: UserId,
        session: SessionId,
        hello: Bytes,
    ) -> Result<(Seat, bool), Full> {
        let (frames_in, frames) = mpsc::channel(QUEUE_FRAMES);
        let (close_in, close) = oneshot::channel();
        let line = Line(Arc::new(LineState {
            id: ConnectionId(self.next_id.fetch_add(1, Ordering::Relaxed)),
            frames: frames_in,
            waiting_bytes: AtomicUsize::new(0),
            close: Mutex::new(Some(close_in)),
        }));
        line.push(hello);
        let mut people = self.people();
        if people.connections >= self.max_connections {
            return Err(Full::Node);
        }
        let entries = people.by_user.entry(user).or_default();
        if entries.len() >= self.max_connections_per_user {
            return Err(Full::User);
        }
        let first = entries.is_empty();
        entries.push(Entry { session, line: line.clone() });
        people.connections += 1;
        let was_away = people.lingering.remove(&user).is_none() && first;
        drop(people);
        Ok((Seat { hub: self.clone(), user, line, frames, close }, was_away))
    }

    fn leave(&self, user: UserId, id: ConnectionId) {
        let mut people = self.people();
        let Some(entries) = people.by_user.get_mut(&user) else { return };
        let before = entries.len();
        entries.retain(|entry| entry.line.id() != id);
        let gone = before - entries.len();
        let last = entries.is_empty();
        if last {
            people.by_user.remove(&user);
            people.lingering.insert(user, Instant::now() + self.grace);
        }
        people.connections -= gone;
        drop(people);
        if last {
            // Presence has ended with the process; then nobody asks.
            let _ = self.left.send(user);
        }
    }

    /// Every connection there is just now.
    pub(crate) fn lines(&self) -> Vec<Line> {
        self.people().by_user.values().flatten().map(|entry| entry.line.clone()).collect()
    }

    /// Everybody who is there: connected, or gone for less than the grace time.
    pub(crate) fn present(&self) -> Vec<UserId> {
        let people = self.people();
        people.by_user.keys().chain(people.lingering.keys()).copied().collect()
    }

    /// Visits every connection of a person but one. The lock is held meanwhile.
    pub(crate) fn for_each_line(
        &self,
        user: UserId,
        except: Option<ConnectionId>,
        visit: impl FnMut(&Line),
    ) {
        if let Some(entries) = self.people().by_user.get(&user) {
            let lines = entries.iter().map(|entry| &entry.line);
            lines.filter(|line| Some(line.id()) != except).for_each(visit);
        }
    }

    pub(crate) fn is_connected(&self, user: UserId) -> bool {
        self.people().by_user.contains_key(&user)
    }

    /// Whether someone is there: connected, or gone for less than the grace time.
    pub(crate) fn is_present(&self, user: UserId) -> bool {
        let people = self.people();
        people.by_user.contains_key(&user) || people.lingering.contains_key(&user)
    }

    /// Ends someone's grace, if it is over; says whether they are away now.
    pub(crate) fn end_grace(&self, user: UserId) -> bool {
        let mut people = self.people();
        let over = people.lingering.get(&user).is_some_and(|until| *until <= Instant::now());
        if over {
            people.lingering.remove(&user);
        }
        over
    }

    /// Ends every connection of these sessions.
    pub(crate) fn close_sessions(&self, sessions: &[SessionId], code: CloseCode) {
        for entry in self.people().by_user.values().flatten() {
            if sessions.contains(&entry.session) {
                entry.line.close(code);
            }
        }
    }

    /// The sessions that have a connection.
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
