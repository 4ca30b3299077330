//! A batch: the writes of one transaction, with the reply of each. The store makes all decisions;
//! this module only assigns the results. Called by the writer task only.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use protocol::{ClientId, ConversationId, ErrorCode, Sent, ServerFrame, UserId};
use tokio::sync::mpsc;

use super::answers::{answer_mark, answer_send, refuse_mark, refuse_send, sent};
use super::commits::Commits;
use super::{Command, Reply, Write};
use crate::error::later;
use crate::relay::{Fanout, Relay};
use crate::store::{
    Batch, Committed, Deferrable, MarkOutcome, NewMessage, OldestSession, SendOutcome, StoreError,
};

/// The retry delay sent after a store failure.
const FAILED_RETRY: Duration = Duration::from_secs(1);
/// How long a write is deferred in favour of other nodes before its batch waits for them instead:
/// longer than any commit should take. A node that died during a commit blocks its conversations
/// for seconds.
const DEFER_AT_MOST: Duration = Duration::from_secs(2);

/// The writes of one transaction, and their replies.
#[derive(Default)]
pub(super) struct PendingBatch {
    batch: Batch,
    /// One reply per message of the batch.
    senders: Vec<Reply<Sent>>,
    /// One reply per mark of the batch.
    markers: Vec<Reply<()>>,
    /// The index of each message in the batch.
    indices: HashMap<(UserId, ClientId), usize>,
    /// Messages whose id occurs twice in the batch, with the index of the first occurrence.
    repeats: Vec<(usize, NewMessage, Reply<Sent>)>,
    /// Messages whose id occurs in the batch with another session. They wait for the next batch,
    /// because the outcome of one session must not answer another.
    other_sessions: Vec<(NewMessage, Reply<Sent>)>,
    /// When the writes to a conversation were first deferred.
    since: HashMap<ConversationId, Instant>,
}

/// Writes that were deferred because another node was writing to their conversations, or because the
/// batch had the same message from another session. They come first in the next batch, before later
/// writes to the same conversations.
#[derive(Default)]
pub(super) struct Deferred {
    writes: Vec<Write>,
    since: HashMap<ConversationId, Instant>,
    /// Whether every message and mark of the batch was deferred.
    is_all: bool,
}

impl Deferred {
    pub(super) fn is_empty(&self) -> bool {
        self.writes.is_empty()
    }

    /// Returns whether the next attempt needs a delay, because every message and mark was deferred.
    pub(super) fn is_all(&self) -> bool {
        self.is_all
    }
}

/// A batch with its result, not answered yet. Deferred writes are no longer part of the batch.
pub(super) struct DecidedBatch {
    pending: PendingBatch,
    result: Result<Decided, Arc<StoreError>>,
}

/// The outcomes of a batch, in the order of its lists.
struct Decided {
    messages: Vec<SendOutcome>,
    marks: Vec<MarkOutcome>,
}

impl DecidedBatch {
    pub(super) fn answer(self, relay: &Relay) {
        let mut fanout = relay.fanout();
        match self.result {
            Ok(decided) => self.pending.answer(decided, &mut fanout),
            Err(error) => self.pending.refuse_all(&error, &mut fanout),
        }
        fanout.send();
    }
}

impl PendingBatch {
    /// Collects the deferred writes and the commands. [`Command::Close`] closes the queue; writes
    /// that are still in it are committed later.
    pub(super) fn of(
        deferred: Deferred,
        commands: &mut Vec<Command>,
        waiting: &mut mpsc::Receiver<Command>,
    ) -> Self {
        let indices = HashMap::with_capacity(deferred.writes.len() + commands.len());
        let mut batch = Self { indices, since: deferred.since, ..Self::default() };
        deferred.writes.into_iter().for_each(|write| batch.add(write));
        for command in commands.drain(..) {
            match command {
                Command::Write(write) => batch.add(write),
                Command::Close => waiting.close(),
            }
        }
        batch
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
        let index = *self
            .indices
            .entry((message.sender, message.client_id))
            .or_insert(self.batch.messages.len());
        match self.batch.messages.get(index) {
            None => {
                self.batch.messages.push(message);
                self.senders.push(reply);
            }
            Some(first) if first.session == message.session => {
                self.repeats.push((index, message, reply));
            }
            Some(_) => self.other_sessions.push((message, reply)),
        }
    }

    /// Commits the batch. Also returns the writes of the next batch: those that the store deferred,
    /// and repeats through other sessions.
    pub(super) async fn commit(
        mut self,
        commits: &dyn Commits,
        oldest: OldestSession,
    ) -> (DecidedBatch, Deferred) {
        self.batch.oldest = oldest;
        self.batch.yields = self.since.values().all(|since| since.elapsed() < DEFER_AT_MOST);
        let batch = Arc::new(std::mem::take(&mut self.batch));
        let result = commits.commit(batch.clone()).await;
        // No other reference is left.
        self.batch = Arc::try_unwrap(batch).unwrap_or_else(|shared| Batch::clone(&shared));
        match result {
            Ok(committed) => {
                let (decided, mut deferred) = self.split(&committed);
                let waiting = std::mem::take(&mut self.other_sessions).into_iter();
                deferred.writes.extend(waiting.map(|(message, reply)| Write::Send(message, reply)));
                (DecidedBatch { pending: self, result: Ok(decided) }, deferred)
            }
            Err(error) => (DecidedBatch { pending: self, result: Err(error) }, Deferred::default()),
        }
    }

    /// Separates the deferred writes, and their repeats, from the batch.
    fn split(&mut self, committed: &Committed) -> (Decided, Deferred) {
        let messages = committed.messages.iter().map(Deferrable::decided).collect();
        let marks = committed.marks.iter().map(Deferrable::decided).collect();
        if let (Some(messages), Some(marks)) = (messages, marks) {
            return (Decided { messages, marks }, Deferred::default());
        }
        let before = std::mem::take(&mut self.since);
        let mut deferred = Deferred::default();
        let mut defer = |conversation: ConversationId, write| {
            deferred.writes.push(write);
            let since = before.get(&conversation).copied().unwrap_or_else(Instant::now);
            deferred.since.entry(conversation).or_insert(since);
        };
        let mut decided = Decided { messages: Vec::new(), marks: Vec::new() };
        // The new index of each message, for its repeats.
        let mut indices = Vec::new();
        let messages = std::mem::take(&mut self.batch.messages);
        let messages = messages.into_iter().zip(std::mem::take(&mut self.senders));
        for ((message, reply), result) in messages.zip(&committed.messages) {
            let Some(outcome) = result.decided() else {
                indices.push(None);
                defer(message.conversation, Write::Send(message, reply));
                continue;
            };
            indices.push(Some(decided.messages.len()));
            self.batch.messages.push(message);
            self.senders.push(reply);
            decided.messages.push(outcome);
        }
        for (index, message, reply) in std::mem::take(&mut self.repeats) {
            match indices.get(index).copied().flatten() {
                Some(index) => self.repeats.push((index, message, reply)),
                None => defer(message.conversation, Write::Send(message, reply)),
            }
        }
        let marks = std::mem::take(&mut self.batch.marks);
        let marks = marks.into_iter().zip(std::mem::take(&mut self.markers));
        for ((new, reply), result) in marks.zip(&committed.marks) {
            let Some(outcome) = result.decided() else {
                defer(new.conversation, Write::Mark(new, reply));
                continue;
            };
            self.batch.marks.push(new);
            self.markers.push(reply);
            decided.marks.push(outcome);
        }
        deferred.is_all = decided.messages.is_empty() && decided.marks.is_empty();
        (decided, deferred)
    }

    fn answer(self, decided: Decided, fanout: &mut Fanout<'_>) {
        for (index, message, reply) in self.repeats {
            let first = self.batch.messages.get(index);
            let same = first.is_some_and(|first| {
                first.conversation == message.conversation && first.body == message.body
            });
            match decided.messages.get(index) {
                _ if !same => answer_send(message, reply, SendOutcome::Reused, fanout),
                // The first occurrence publishes the event, below.
                Some(
                    SendOutcome::Stored { seq, sent_at, .. }
                    | SendOutcome::Repeated { seq, sent_at, .. },
                ) => reply.accept(sent(&message, *seq, *sent_at), ServerFrame::Sent, fanout),
                Some(outcome) => answer_send(message, reply, *outcome, fanout),
                None => answer_send(message, reply, SendOutcome::NotFound, fanout),
            }
        }
        let messages = self.batch.messages.into_iter().zip(self.senders);
        for ((message, reply), outcome) in messages.zip(decided.messages) {
            answer_send(message, reply, outcome, fanout);
        }
        let marks = self.batch.marks.into_iter().zip(self.markers);
        for ((marks, reply), outcome) in marks.zip(decided.marks) {
            answer_mark(&marks, reply, outcome, fanout);
        }
    }

    fn refuse_all(self, error: &StoreError, fanout: &mut Fanout<'_>) {
        // The [`Commits`] have logged the error, rate-limited.
        tracing::debug!(
            %error,
            messages = self.senders.len(),
            marks = self.markers.len(),
            "commit failed; senders will retry"
        );
        let refusal = later(ErrorCode::Unavailable, FAILED_RETRY);
        for (message, reply) in self.batch.messages.into_iter().zip(self.senders) {
            refuse_send(&message, reply, refusal, fanout);
        }
        for (_, message, reply) in self.repeats {
            refuse_send(&message, reply, refusal, fanout);
        }
        for (message, reply) in self.other_sessions {
            refuse_send(&message, reply, refusal, fanout);
        }
        for (marks, reply) in self.batch.marks.into_iter().zip(self.markers) {
            refuse_mark(&marks, reply, refusal, fanout);
        }
    }
}
