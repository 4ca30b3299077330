//! The one path by which messages and marks are written: group commit.
//!
//! Whatever waits goes into one transaction, with one fsync for all of it; when nothing else waits
//! a batch is one message and waits for nobody. After the commit, and only then, the answers and
//! the events leave, in the order of the numbers, from this one task. Called by
//! [`crate::Connection`] and the calls of [`crate::Chat`].
//!
//! Where nodes share a store, a group leaves out what another node is writing just now, and takes it up
//! in the next one: nodes do not queue behind each other for a conversation of many.
//!
//! - `group`: what goes into one transaction
//! - `commits`, `leader`: where a group is committed, at which node
//! - `seal`: what nodes know each other by in that
//! - `answers`: what everybody is told of it
//!
//! Bounds: [`QUEUE`] writes wait; beyond that the asker is refused with `busy` and comes again.
//! The task ends when [`Writer::close`] was called and the queue is empty.

mod answers;
mod commits;
mod group;
mod leader;
mod seal;

use std::sync::Arc;
use std::time::Duration;

use protocol::{ErrorCode, Refusal, Sent, SessionId, UserId};
use tokio::sync::{mpsc, oneshot};

use crate::error::{Error, Result, later};
use crate::hub::Line;
use crate::relay::Relay;
use crate::store::{NewMarks, NewMessage};
use commits::MAX_BATCH;
use group::{Group, LeftOut};

pub(crate) use commits::Commits;
pub(crate) use leader::{Lead, Leader, Leads, answer_others};

/// Writes that may wait: about a tenth of a second of full load.
const QUEUE: usize = 4_096;
/// When to come again after a full queue.
const BUSY_RETRY: Duration = Duration::from_millis(250);

/// When nothing that waits is free, because other nodes are writing it.
const ASK_AGAIN: Duration = Duration::from_millis(1);

/// Where the answer of a write goes.
pub(crate) enum Reply<T> {
    /// To the connection that asked, as a frame.
    Connection(Line),
    /// To a call that waits.
    Call(oneshot::Sender<Result<T>>),
}

/// One thing to write.
pub(crate) enum Write {
    Send(NewMessage, Reply<Sent>),
    Mark(NewMarks, Reply<()>),
    SeenUser(UserId),
    SeenSession(SessionId),
}

/// The door to the writing task.
#[derive(Clone)]
pub(crate) struct Writer {
    queue: mpsc::Sender<Command>,
}

enum Command {
    Write(Write),
    Close,
}

impl Writer {
    /// Starts the task. The handle ends when the last write is on disk after [`Self::close`].
    pub(crate) fn start(
        commits: Arc<Commits>,
        relay: Relay,
    ) -> (Self, impl Future<Output = ()> + Send + 'static) {
        let (queue, waiting) = mpsc::channel(QUEUE);
        (Self { queue }, run(commits, relay, waiting))
    }

    /// Hands a write over, or refuses it because too many wait.
    pub(crate) fn submit(&self, write: Write) -> std::result::Result<(), Refusal> {
        self.queue.try_send(Command::Write(write)).map_err(|_| later(ErrorCode::Busy, BUSY_RETRY))
    }

    /// Stores a message and waits until it is on disk.
    pub(crate) async fn send(&self, message: NewMessage) -> Result<Sent> {
        let (reply, answer) = oneshot::channel();
        self.submit(Write::Send(message, Reply::Call(reply))).map_err(Error::Refused)?;
        answer.await.map_err(|_| Error::Internal("the writer has ended"))?
    }

    /// Moves marks and waits until it is on disk.
    pub(crate) async fn mark(&self, marks: NewMarks) -> Result<()> {
        let (reply, answer) = oneshot::channel();
        self.submit(Write::Mark(marks, Reply::Call(reply))).map_err(Error::Refused)?;
        answer.await.map_err(|_| Error::Internal("the writer has ended"))?
    }

    /// Lets the task write what waits and end. What comes later is refused.
    pub(crate) async fn close(&self) {
        // An error means that it has ended already.
        let _ = self.queue.send(Command::Close).await;
    }
}

async fn run(commits: Arc<Commits>, relay: Relay, mut waiting: mpsc::Receiver<Command>) {
    let mut commands = Vec::with_capacity(MAX_BATCH);
    while waiting.recv_many(&mut commands, MAX_BATCH).await > 0 {
        let first = Group::of(LeftOut::default(), &mut commands, &mut waiting);
        let mut decided = first.commit(&commits).await;
        // Under load the disk works on the next group while this one is answered.
        loop {
            let left_out = decided.take_left_out();
            if !take_waiting(&mut commands, &mut waiting) && left_out.is_empty() {
                break;
            }
            if left_out.is_all() {
                tokio::time::sleep(ASK_AGAIN).await;
            }
            let next = Group::of(left_out, &mut commands, &mut waiting);
            (decided, ()) = tokio::join!(
                biased;
                next.commit(&commits),
                async { decided.answer(&relay) },
            );
        }
        decided.answer(&relay);
    }
}

/// Takes what waits just now; says whether that was anything.
fn take_waiting(commands: &mut Vec<Command>, waiting: &mut mpsc::Receiver<Command>) -> bool {
    while commands.len() < MAX_BATCH
        && let Ok(command) = waiting.try_recv()
    {
        commands.push(command);
    }
    !commands.is_empty()
}
