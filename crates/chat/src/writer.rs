//! The one path by which messages and marks are written: group commit.
//!
//! Whatever waits goes into one transaction, with one fsync for all of it; when nothing else waits
//! a batch is one message and waits for nobody. After the commit, and only then, the answers and
//! the events leave, in the order of the numbers, from this one task. Called by
//! [`crate::Connection`] and the calls of [`crate::Chat`].
//!
//! Bounds: [`QUEUE`] writes wait; beyond that the asker is refused with `busy` and comes again.
//! The task ends when [`Writer::close`] was called and the queue is empty.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use protocol::{
    ClientId, ErrorCode, Marks, Message, Refusal, Sent, Seq, ServerFrame, SessionId, Timestamp,
    UserId,
};
use tokio::sync::{mpsc, oneshot};

use crate::clock;
use crate::error::{Error, Result, later};
use crate::hub::Line;
use crate::relay::{Relay, Wave};
use crate::store::{
    self, Batch, Committed, MarkOutcome, NewMarks, NewMessage, SendOutcome, Store, StoreError,
};

/// Writes that may wait: about a tenth of a second of full load.
const QUEUE: usize = 4_096;
/// Writes in one transaction. More gains nothing: at this size the fsync is already a small part.
const MAX_BATCH: usize = 512;
/// When to come again after a full queue.
const BUSY_RETRY: Duration = Duration::from_millis(250);
/// When to come again after the store failed.
const FAILED_RETRY: Duration = Duration::from_secs(1);

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
        store: Arc<dyn Store>,
        relay: Relay,
    ) -> (Self, impl Future<Output = ()> + Send + 'static) {
        let (queue, waiting) = mpsc::channel(QUEUE);
        (Self { queue }, run(store, relay, waiting))
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

async fn run(store: Arc<dyn Store>, relay: Relay, mut waiting: mpsc::Receiver<Command>) {
    let mut commands = Vec::with_capacity(MAX_BATCH);
    while waiting.recv_many(&mut commands, MAX_BATCH).await > 0 {
        let mut decided = Group::of(&mut commands, &mut waiting).commit(store.as_ref()).await;
        // Under load the disk works on the next group while this one is answered.
        while take_waiting(&mut commands, &mut waiting) {
            let next = Group::of(&mut commands, &mut waiting);
            (decided, ()) = tokio::join!(
                biased;
                next.commit(store.as_ref()),
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

/// What goes into one transaction, and who waits for it.
#[derive(Default)]
struct Group {
    batch: Batch,
    /// One for each message of the batch.
    senders: Vec<Reply<Sent>>,
    /// One for each of the marks of the batch.
    markers: Vec<Reply<()>>,
    /// Where a message stands in the batch.
    places: HashMap<(UserId, ClientId), usize>,
    /// Those whose id came twice at once, with the place of the first in the batch.
    repeats: Vec<(usize, NewMessage, Reply<Sent>)>,
}

/// A group whose fate is on disk, and not yet told.
struct Decided {
    group: Group,
    outcome: store::Result<Committed>,
}

impl Decided {
    fn answer(self, relay: &Relay) {
        let mut wave = relay.wave();
        match self.outcome {
            Ok(committed) => self.group.answer(committed, &mut wave),
            Err(error) => self.group.refuse_all(&error, &mut wave),
        }
        wave.send();
    }
}

impl Group {
    /// Takes commands; one that says so closes the queue, and what waits in it is still written.
    fn of(commands: &mut Vec<Command>, waiting: &mut mpsc::Receiver<Command>) -> Self {
        let mut group = Self::default();
        for command in commands.drain(..) {
            match command {
                Command::Write(write) => group.add(write),
                Command::Close => waiting.close(),
            }
        }
        group
    }

    fn add(&mut self, write: Write) {
        match write {
            Write::Send(message, reply) => self.add_message(message, reply),
            Write::Mark(marks, reply) => {
                self.batch.marks.push(marks);
                self.markers.push(reply);
            }
            Write::SeenUser(user) => self.batch.seen_users.push(user),
            Write::SeenSession(session) => self.batch.seen_sessions.push(session),
        }
    }

    fn add_message(&mut self, message: NewMessage, reply: Reply<Sent>) {
        let place = *self
            .places
            .entry((message.sender, message.client_id))
            .or_insert(self.batch.messages.len());
        if place == self.batch.messages.len() {
            self.batch.messages.push(message);
            self.senders.push(reply);
        } else {
            self.repeats.push((place, message, reply));
        }
    }

    async fn commit(mut self, store: &dyn Store) -> Decided {
        let batch = Arc::new(std::mem::take(&mut self.batch));
        let outcome = store.commit(batch.clone(), clock::now()).await;
        // The store has let go of it.
        self.batch = Arc::try_unwrap(batch).unwrap_or_else(|shared| Batch::clone(&shared));
        Decided { group: self, outcome }
    }

    fn answer(self, committed: Committed, wave: &mut Wave<'_>) {
        for (place, message, reply) in self.repeats {
            let first = self.batch.messages.get(place);
            let same = first.is_some_and(|first| {
                first.conversation == message.conversation && first.body == message.body
            });
            match committed.messages.get(place) {
                _ if !same => answer_send(message, reply, SendOutcome::Reused, wave),
                // Passed on with the first one, below.
                Some(
                    SendOutcome::Stored { seq, sent_at, .. }
                    | SendOutcome::Repeated { seq, sent_at, .. },
                ) => reply.accept(sent(&message, *seq, *sent_at), ServerFrame::Sent, wave),
                Some(outcome) => answer_send(message, reply, *outcome, wave),
                None => answer_send(message, reply, SendOutcome::NotFound, wave),
            }
        }
        let messages = self.batch.messages.into_iter().zip(self.senders);
        for ((message, reply), outcome) in messages.zip(committed.messages) {
            answer_send(message, reply, outcome, wave);
        }
        let marks = self.batch.marks.into_iter().zip(self.markers);
        for ((marks, reply), outcome) in marks.zip(committed.marks) {
            answer_mark(&marks, reply, outcome, wave);
        }
    }

    fn refuse_all(self, error: &StoreError, wave: &mut Wave<'_>) {
        tracing::error!(
            %error,
            messages = self.senders.len(),
            marks = self.markers.len(),
            "the store did not commit; everyone is asked to come again"
        );
        let refusal = later(ErrorCode::Unavailable, FAILED_RETRY);
        for (message, reply) in self.batch.messages.into_iter().zip(self.senders) {
            refuse_send(&message, reply, refusal, wave);
        }
        for (_, message, reply) in self.repeats {
            refuse_send(&message, reply, refusal, wave);
        }
        for (marks, reply) in self.batch.marks.into_iter().zip(self.markers) {
            refuse_mark(&marks, reply, refusal, wave);
        }
    }
}

fn sent(message: &NewMessage, seq: Seq, sent_at: Timestamp) -> Sent {
    Sent { conversation: message.conversation, client_id: message.client_id, seq, sent_at }
}

fn answer_send(message: NewMessage, reply: Reply<Sent>, outcome: SendOutcome, wave: &mut Wave<'_>) {
    match outcome {
        // A repeat is passed on as well: whoever stored it may have died before it came to that.
        SendOutcome::Stored { seq, sent_at, peer }
        | SendOutcome::Repeated { seq, sent_at, peer } => {
            let from = reply.line().map(Line::id);
            reply.accept(sent(&message, seq, sent_at), ServerFrame::Sent, wave);
            let event = ServerFrame::Message(Message {
                conversation: message.conversation,
                seq,
                client_id: message.client_id,
                sender: message.sender,
                body: message.body,
                sent_at,
            });
            wave.publish(&[peer, message.sender], &event, from);
        }
        SendOutcome::Reused => refuse_send(&message, reply, ErrorCode::ClientIdReused.into(), wave),
        SendOutcome::PeerDeleted => {
            refuse_send(&message, reply, ErrorCode::PeerDeleted.into(), wave);
        }
        SendOutcome::NotFound => refuse_send(&message, reply, ErrorCode::NotFound.into(), wave),
    }
}

fn answer_mark(new: &NewMarks, reply: Reply<()>, outcome: MarkOutcome, wave: &mut Wave<'_>) {
    match outcome {
        MarkOutcome::Moved { marks, peer, shown } => {
            let from = reply.line().map(Line::id);
            reply.accept_silently();
            let receipt = |marks: Marks| ServerFrame::Receipt {
                conversation: new.conversation,
                user: new.user,
                delivered: marks.delivered,
                read: marks.read,
            };
            if shown == Some(marks) {
                wave.publish(&[peer, new.user], &receipt(marks), from);
                return;
            }
            wave.publish(&[new.user], &receipt(marks), from);
            if let Some(shown) = shown {
                wave.publish(&[peer], &receipt(shown), from);
            }
        }
        MarkOutcome::Unchanged => reply.accept_silently(),
        MarkOutcome::OutOfRange => refuse_mark(new, reply, ErrorCode::OutOfRange.into(), wave),
        MarkOutcome::NotFound => refuse_mark(new, reply, ErrorCode::NotFound.into(), wave),
    }
}

fn refuse_send(message: &NewMessage, reply: Reply<Sent>, refusal: Refusal, wave: &mut Wave<'_>) {
    let frame = |refusal| ServerFrame::Refused {
        re: Some("send".to_owned()),
        conversation: Some(message.conversation),
        client_id: Some(message.client_id),
        refusal,
    };
    reply.refuse(refusal, frame, wave);
}

fn refuse_mark(marks: &NewMarks, reply: Reply<()>, refusal: Refusal, wave: &mut Wave<'_>) {
    let re = if marks.marks.read > Seq::ZERO { "read" } else { "delivered" };
    let frame = |refusal| ServerFrame::Refused {
        re: Some(re.to_owned()),
        conversation: Some(marks.conversation),
        client_id: None,
        refusal,
    };
    reply.refuse(refusal, frame, wave);
}

impl<T> Reply<T> {
    fn line(&self) -> Option<&Line> {
        match self {
            Self::Connection(line) => Some(line),
            Self::Call(_) => None,
        }
    }

    fn accept(self, value: T, frame: impl FnOnce(T) -> ServerFrame, wave: &mut Wave<'_>) {
        match self {
            Self::Connection(line) => wave.answer(line, &frame(value)),
            // Whoever asked has gone; the write stands, and a repeat gets the same answer.
            Self::Call(call) => drop(call.send(Ok(value))),
        }
    }

    fn refuse(
        self,
        refusal: Refusal,
        frame: impl FnOnce(Refusal) -> ServerFrame,
        wave: &mut Wave<'_>,
    ) {
        match self {
            Self::Connection(line) => wave.answer(line, &frame(refusal)),
            Self::Call(call) => drop(call.send(Err(Error::Refused(refusal)))),
        }
    }
}

impl Reply<()> {
    fn accept_silently(self) {
        if let Self::Call(call) = self {
            // As above.
            let _ = call.send(Ok(()));
        }
    }
}
