//! The only path that writes messages and marks: group commit.
//!
//! The way of a write: the queue ([`Writer::submit`]), the batch, the store, the answers. All queued
//! writes go into one batch, which is one transaction with one fsync; without load a batch is a
//! single message, written at once. This one task sends answers and events only after the commit,
//! in the order of the seqs. Called by [`crate::Connection`] and the calls of [`crate::Chat`].
//!
//! Where nodes share a store, a batch defers the writes to conversations that another node is
//! writing at the moment, and the writer retries them in the next batch, so that nodes do not queue
//! behind each other for one conversation.
//!
//! - `batch`: the writes of one transaction, with the reply of each
//! - `commits`: the seam to the store, and to the cluster where there are several nodes
//! - `answers`: answers and events after a commit
//!
//! Bounds: the queue holds [`QUEUE`] writes; further ones are refused with `busy`. The task ends
//! when [`Writer::close`] was called and the queue is empty.

mod answers;
mod batch;
mod commits;

use std::sync::Arc;
use std::time::Duration;

use protocol::{ErrorCode, Refusal, Sent, SessionId, UserId};
use tokio::sync::{mpsc, oneshot};

use crate::error::{Error, Result, later};
use crate::hub::Outbound;
use crate::relay::Relay;
use crate::store::{NewMarks, NewMessage, OldestSession};
use batch::{Deferred, PendingBatch};

pub(crate) use commits::{CommitResult, Commits, LocalCommits};

/// Writes in one transaction. A larger batch gains nothing, because the fsync is already a small
/// part at this size.
pub(crate) const MAX_BATCH: usize = 512;

/// Queued writes: about a tenth of a second of full load.
const QUEUE: usize = 4_096;
/// The retry delay sent when the queue is full.
const BUSY_RETRY: Duration = Duration::from_millis(250);

/// Delay before the next attempt when other nodes are writing all conversations of a batch.
const DEFERRED_RETRY: Duration = Duration::from_millis(1);

/// Where the answer of a write goes.
pub(crate) enum Reply<T> {
    /// To the requesting connection, as a frame.
    Connection(Outbound),
    /// To a call that awaits the answer.
    Call(oneshot::Sender<Result<T>>),
}

/// A queued write.
pub(crate) enum Write {
    Send(NewMessage, Reply<Sent>),
    Mark(NewMarks, Reply<()>),
    SeenUser(UserId),
    SeenSession(SessionId),
}

/// Handle to the writer task. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Writer {
    queue: mpsc::Sender<Command>,
}

enum Command {
    Write(Write),
    Close,
}

impl Writer {
    /// Creates the queue and the task. The task ends after [`Self::close`], when the last write is
    /// on disk. `oldest` returns which sessions are too old to write now.
    pub(crate) fn start(
        commits: Arc<dyn Commits>,
        relay: Relay,
        oldest: impl Fn() -> OldestSession + Send + 'static,
    ) -> (Self, impl Future<Output = ()> + Send + 'static) {
        let (queue, waiting) = mpsc::channel(QUEUE);
        (Self { queue }, run(commits, relay, oldest, waiting))
    }

    /// Queues a write, or refuses it because the queue is full.
    pub(crate) fn submit(&self, write: Write) -> Result<(), Refusal> {
        self.queue.try_send(Command::Write(write)).map_err(|_| later(ErrorCode::Busy, BUSY_RETRY))
    }

    /// Stores a message and waits until it is on disk.
    pub(crate) async fn send(&self, message: NewMessage) -> Result<Sent> {
        let (reply, answer) = oneshot::channel();
        self.submit(Write::Send(message, Reply::Call(reply))).map_err(Error::Refused)?;
        answer.await.map_err(|_| Error::Internal("the writer has ended"))?
    }

    /// Moves marks and waits until they are on disk.
    pub(crate) async fn mark(&self, marks: NewMarks) -> Result<()> {
        let (reply, answer) = oneshot::channel();
        self.submit(Write::Mark(marks, Reply::Call(reply))).map_err(Error::Refused)?;
        answer.await.map_err(|_| Error::Internal("the writer has ended"))?
    }

    /// Lets the task write what is queued and end. Later writes are refused.
    pub(crate) async fn close(&self) {
        // An error means that the task has ended already.
        let _ = self.queue.send(Command::Close).await;
    }
}

async fn run(
    commits: Arc<dyn Commits>,
    relay: Relay,
    oldest: impl Fn() -> OldestSession,
    mut waiting: mpsc::Receiver<Command>,
) {
    let mut commands = Vec::with_capacity(MAX_BATCH);
    while waiting.recv_many(&mut commands, MAX_BATCH).await > 0 {
        let first = PendingBatch::of(Deferred::default(), &mut commands, &mut waiting);
        let (mut decided, mut deferred) = first.commit(commits.as_ref(), oldest()).await;
        // Under load the store commits the next batch while this one is answered.
        loop {
            if !take_waiting(&mut commands, &mut waiting) && deferred.is_empty() {
                break;
            }
            if deferred.is_all() {
                tokio::time::sleep(DEFERRED_RETRY).await;
            }
            let next = PendingBatch::of(deferred, &mut commands, &mut waiting);
            ((decided, deferred), ()) = tokio::join!(
                biased;
                next.commit(commits.as_ref(), oldest()),
                async { decided.answer(&relay) },
            );
        }
        decided.answer(&relay);
    }
}

/// Takes the writes that are queued now; returns whether there were any.
fn take_waiting(commands: &mut Vec<Command>, waiting: &mut mpsc::Receiver<Command>) -> bool {
    while commands.len() < MAX_BATCH
        && let Ok(command) = waiting.try_recv()
    {
        commands.push(command);
    }
    !commands.is_empty()
}
