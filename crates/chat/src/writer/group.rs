//! A group: the writes of one transaction, with the reply of each. The store makes all decisions; a
//! group only assigns the results. Called by the writer task only.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use protocol::{ClientId, ConversationId, ErrorCode, Sent, ServerFrame, UserId};
use tokio::sync::mpsc;

use super::answers::{answer_mark, answer_send, refuse_mark, refuse_send, sent};
use super::commits::{Commits, Outcome};
use super::{Command, Reply, Write};
use crate::error::later;
use crate::relay::{Relay, Wave};
use crate::store::{Batch, Committed, MarkOutcome, NewMessage, SendOutcome, StoreError};

/// The retry delay sent after a store failure.
const FAILED_RETRY: Duration = Duration::from_secs(1);
/// How long a write is deferred in favour of other nodes before its group waits for them instead:
/// longer than any commit should take. A node that died during a commit blocks its conversations
/// for seconds.
const GIVES_WAY: Duration = Duration::from_secs(2);

/// The writes of one transaction, and their replies.
#[derive(Default)]
pub(super) struct Group {
    batch: Batch,
    /// One reply per message of the batch.
    senders: Vec<Reply<Sent>>,
    /// One reply per mark of the batch.
    markers: Vec<Reply<()>>,
    /// The index of each message in the batch.
    places: HashMap<(UserId, ClientId), usize>,
    /// Messages whose id occurs twice in the group, with the index of the first occurrence.
    repeats: Vec<(usize, NewMessage, Reply<Sent>)>,
    /// When the writes to a conversation were first deferred.
    since: HashMap<ConversationId, Instant>,
}

/// Writes that were deferred because another node was writing to their conversations. They come
/// first in the next group, before later writes to the same conversations.
#[derive(Default)]
pub(super) struct LeftOut {
    writes: Vec<Write>,
    since: HashMap<ConversationId, Instant>,
    /// The group contained nothing else.
    is_all: bool,
}

impl LeftOut {
    pub(super) fn is_empty(&self) -> bool {
        self.writes.is_empty()
    }

    /// Returns whether the next attempt needs a delay, because every message and mark was deferred.
    pub(super) fn is_all(&self) -> bool {
        self.is_all
    }
}

/// A group with its result, not answered yet.
pub(super) struct Decided {
    group: Group,
    outcome: Outcome,
}

impl Decided {
    /// Removes the deferred writes from the group.
    pub(super) fn take_left_out(&mut self) -> LeftOut {
        let Ok(committed) = &mut self.outcome else { return LeftOut::default() };
        let any = committed.messages.contains(&SendOutcome::LeftOut)
            || committed.marks.contains(&MarkOutcome::LeftOut);
        if any { self.group.take_left_out(committed) } else { LeftOut::default() }
    }

    pub(super) fn answer(self, relay: &Relay) {
        let mut wave = relay.wave();
        match self.outcome {
            Ok(committed) => self.group.answer(committed, &mut wave),
            Err(error) => self.group.refuse_all(&error, &mut wave),
        }
        wave.send();
    }
}

impl Group {
    /// Collects the deferred writes and the commands. [`Command::Close`] closes the queue; writes
    /// that are still in it are committed later.
    pub(super) fn of(
        left_out: LeftOut,
        commands: &mut Vec<Command>,
        waiting: &mut mpsc::Receiver<Command>,
    ) -> Self {
        let mut group = Self { since: left_out.since, ..Self::default() };
        left_out.writes.into_iter().for_each(|write| group.add(write));
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

    pub(super) async fn commit(mut self, commits: &Commits) -> Decided {
        self.batch.yields = self.since.values().all(|since| since.elapsed() < GIVES_WAY);
        let batch = Arc::new(std::mem::take(&mut self.batch));
        let outcome = commits.commit(batch.clone()).await;
        // The only reference that is left.
        self.batch = Arc::try_unwrap(batch).unwrap_or_else(|shared| Batch::clone(&shared));
        Decided { group: self, outcome }
    }

    /// Removes the deferred writes and their repeats.
    fn take_left_out(&mut self, committed: &mut Committed) -> LeftOut {
        let before = std::mem::take(&mut self.since);
        let mut left_out = LeftOut::default();
        let mut leave_out = |conversation: ConversationId, write| {
            left_out.writes.push(write);
            let since = before.get(&conversation).copied().unwrap_or_else(Instant::now);
            left_out.since.entry(conversation).or_insert(since);
        };
        // The new index of each message, for its repeats.
        let (mut places, mut kept) = (Vec::new(), Vec::new());
        let messages = self.batch.messages.drain(..).zip(self.senders.drain(..));
        for ((message, reply), outcome) in messages.zip(committed.messages.drain(..)) {
            if outcome == SendOutcome::LeftOut {
                places.push(None);
                leave_out(message.conversation, Write::Send(message, reply));
            } else {
                places.push(Some(kept.len()));
                kept.push((message, reply, outcome));
            }
        }
        for (message, reply, outcome) in kept {
            self.batch.messages.push(message);
            self.senders.push(reply);
            committed.messages.push(outcome);
        }
        for (place, message, reply) in std::mem::take(&mut self.repeats) {
            match places.get(place).copied().flatten() {
                Some(place) => self.repeats.push((place, message, reply)),
                None => leave_out(message.conversation, Write::Send(message, reply)),
            }
        }
        let mut kept = Vec::new();
        let marks = self.batch.marks.drain(..).zip(self.markers.drain(..));
        for ((new, reply), outcome) in marks.zip(committed.marks.drain(..)) {
            if outcome == MarkOutcome::LeftOut {
                leave_out(new.conversation, Write::Mark(new, reply));
            } else {
                kept.push((new, reply, outcome));
            }
        }
        for (new, reply, outcome) in kept {
            self.batch.marks.push(new);
            self.markers.push(reply);
            committed.marks.push(outcome);
        }
        left_out.is_all = committed.messages.is_empty() && committed.marks.is_empty();
        left_out
    }

    fn answer(self, committed: Committed, wave: &mut Wave<'_>) {
        for (place, message, reply) in self.repeats {
            let first = self.batch.messages.get(place);
            let same = first.is_some_and(|first| {
                first.conversation == message.conversation && first.body == message.body
            });
            match committed.messages.get(place) {
                _ if !same => answer_send(message, reply, SendOutcome::Reused, wave),
                // The first occurrence publishes the event, below.
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
        // [`Commits`] has logged the error, rate-limited.
        tracing::debug!(
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
