//! Who is connected to this node, and the queues to them.
//!
//! The hub never waits: a queue is filled with `try_send`, and one that is full ends its connection
//! with [`CloseCode::Slow`]; the client comes back and merges. What is lost with a queue is in the
//! store. Only [`crate::relay`] pushes, and only what is committed or ephemeral.
//!
//! Bounds: [`QUEUE_FRAMES`] frames and [`QUEUE_BYTES`] bytes a connection. The one lock is held for
//! a look-up and some `try_send`s, never across an await.

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

    /// Ends every connection, and says how many there were.
    pub(crate) fn close_all(&self, code: CloseCode) -> usize {
        let people = self.people();
        for entry in people.by_user.values().flatten() {
            entry.line.close(code);
        }
        people.connections
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

#[cfg(test)]
mod tests {
    use super::*;

    fn hub() -> (Arc<Hub>, mpsc::UnboundedReceiver<UserId>) {
        Hub::new(3, 2, Duration::from_secs(30))
    }

    fn hello() -> Bytes {
        Bytes::from_static(b"hello")
    }

    fn push(hub: &Hub, user: UserId, frame: &'static [u8], except: Option<ConnectionId>) {
        hub.for_each_line(user, except, |line| line.push(Bytes::from_static(frame)));
    }

    async fn after_hello(seat: &mut Seat) -> Outgoing {
        assert!(matches!(seat.next().await, Outgoing::Frame(frame) if frame == "hello"));
        seat.next().await
    }

    #[tokio::test]
    async fn a_frame_reaches_every_connection_but_the_excepted_one() {
        let (hub, _left) = hub();
        let user = UserId::new();
        let (mut one, first) = hub.join(user, SessionId::new(), hello()).expect("a seat");
        let (mut two, second) = hub.join(user, SessionId::new(), hello()).expect("a seat");
        assert_eq!((first, second), (true, false));
        push(&hub, user, b"a", Some(one.line().id()));
        push(&hub, user, b"b", None);
        assert!(matches!(after_hello(&mut one).await, Outgoing::Frame(frame) if frame == "b"));
        assert!(matches!(after_hello(&mut two).await, Outgoing::Frame(frame) if frame == "a"));
    }

    #[tokio::test]
    async fn a_full_queue_ends_that_connection_and_no_other() {
        let (hub, _left) = hub();
        let user = UserId::new();
        let (mut slow, _) = hub.join(user, SessionId::new(), hello()).expect("a seat");
        let (mut quick, _) = hub.join(user, SessionId::new(), hello()).expect("a seat");
        for _ in 0..=QUEUE_FRAMES {
            push(&hub, user, b"x", None);
            assert!(matches!(quick.next().await, Outgoing::Frame(_)));
        }
        assert!(matches!(slow.next().await, Outgoing::Close(CloseCode::Slow)));
    }

    #[tokio::test]
    async fn a_queue_is_bounded_in_bytes_too() {
        let (hub, _left) = hub();
        let user = UserId::new();
        let (mut slow, _) = hub.join(user, SessionId::new(), hello()).expect("a seat");
        let half: &'static [u8] = vec![b'x'; QUEUE_BYTES / 2].leak();
        for _ in 0..3 {
            push(&hub, user, half, None);
        }
        assert!(matches!(slow.next().await, Outgoing::Close(CloseCode::Slow)));
    }

    #[tokio::test]
    async fn seats_are_limited_and_given_back() {
        let (hub, mut left) = hub();
        let (anna, bob) = (UserId::new(), UserId::new());
        let one = hub.join(anna, SessionId::new(), hello()).expect("a seat");
        let two = hub.join(anna, SessionId::new(), hello()).expect("a seat");
        assert_eq!(hub.join(anna, SessionId::new(), hello()).err(), Some(Full::User));
        let _three = hub.join(bob, SessionId::new(), hello()).expect("a seat");
        assert_eq!(hub.join(bob, SessionId::new(), hello()).err(), Some(Full::Node));
        drop(one);
        assert!(hub.is_connected(anna));
        drop(two);
        assert!(!hub.is_connected(anna));
        assert_eq!(left.recv().await, Some(anna));
        assert_eq!(hub.connections(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_quick_return_is_no_arrival_and_a_late_one_is() {
        let (hub, _left) = hub();
        let user = UserId::new();
        let join = || hub.join(user, SessionId::new(), hello()).expect("a seat");
        let (seat, was_away) = join();
        assert!(was_away);
        drop(seat);
        assert!(hub.is_present(user) && !hub.is_connected(user));
        assert!(!hub.end_grace(user), "the grace is not over");
        let (seat, was_away) = join();
        assert!(!was_away);
        drop(seat);
        tokio::time::advance(Duration::from_secs(31)).await;
        assert!(hub.end_grace(user));
        assert!(!hub.end_grace(user), "only once");
        assert!(!hub.is_present(user));
        assert!(join().1);
    }

    #[tokio::test]
    async fn closing_a_session_ends_its_connections_only() {
        let (hub, _left) = hub();
        let user = UserId::new();
        let (gone, stays) = (SessionId::new(), SessionId::new());
        let (mut one, _) = hub.join(user, gone, hello()).expect("a seat");
        let (mut two, _) = hub.join(user, stays, hello()).expect("a seat");
        hub.close_sessions(&[gone], CloseCode::SessionEnded);
        push(&hub, user, b"after", None);
        assert!(matches!(one.next().await, Outgoing::Close(CloseCode::SessionEnded)));
        assert!(matches!(two.next().await, Outgoing::Frame(_)));
    }
}
