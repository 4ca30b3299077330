//! One conversation as a tab holds it: timeline and outbox. Pure: no network, and the caller
//! supplies the time.

use std::collections::{BTreeMap, VecDeque};
use std::time::Instant;

use protocol::{ClientId, Marks, Seq};

use super::Membership;
use crate::client_log::SeenMessage;

/// A message in the outbox. Does not change until the final answer.
#[derive(Clone, Debug)]
pub(super) struct OutboxEntry {
    /// The same in every attempt.
    pub id: ClientId,
    pub body: String,
    /// Position among the messages of this tab.
    pub ordinal: u64,
}

/// A conversation.
pub(super) struct ConversationState {
    pub membership: Membership,
    timeline: BTreeMap<i64, SeenMessage>,
    /// The timeline is complete up to this seq.
    complete_to: i64,
    /// The highest seq that the tab has received.
    last_seq: i64,
    outbox: VecDeque<OutboxEntry>,
    /// Time at which the first message of the outbox was sent; `None` while no answer is pending.
    sent_at: Option<Instant>,
    not_before: Option<Instant>,
    /// Acknowledged messages, for repeats at any age.
    pub answered: Vec<OutboxEntry>,
    /// The delivered mark last sent on this connection.
    pub sent_delivered: i64,
    /// The read mark last sent on this connection.
    pub sent_read: i64,
    theirs: Marks,
}

impl ConversationState {
    pub(super) fn new(membership: Membership) -> Self {
        Self {
            membership,
            timeline: BTreeMap::new(),
            complete_to: 0,
            last_seq: 0,
            outbox: VecDeque::new(),
            sent_at: None,
            not_before: None,
            answered: Vec::new(),
            sent_delivered: 0,
            sent_read: 0,
            theirs: Marks::default(),
        }
    }

    /// Merges a message from any source. Merging it again changes nothing.
    pub(super) fn merge(&mut self, seen: SeenMessage) {
        self.last_seq = self.last_seq.max(seen.seq);
        self.timeline.entry(seen.seq).or_insert(seen);
        while self.timeline.contains_key(&(self.complete_to + 1)) {
            self.complete_to += 1;
        }
    }

    /// Raises the highest known seq.
    pub(super) fn raise_last_seq(&mut self, seq: Seq) {
        self.last_seq = self.last_seq.max(seq.0);
    }

    /// Merges the peer's marks from any source; marks only move forward.
    pub(super) fn merge_marks(&mut self, marks: Marks) {
        self.theirs.delivered = self.theirs.delivered.max(marks.delivered);
        self.theirs.read = self.theirs.read.max(marks.read);
    }

    /// The peer's marks as the tab shows them.
    pub(super) fn theirs(&self) -> Marks {
        self.theirs
    }

    /// The seq up to which the timeline is complete.
    pub(super) fn complete_to(&self) -> i64 {
        self.complete_to
    }

    /// Whether a known message is missing.
    pub(super) fn has_gap(&self) -> bool {
        self.complete_to < self.last_seq
    }

    /// Seq and client id of each message shown.
    pub(super) fn rows(&self) -> Vec<(i64, ClientId)> {
        self.timeline.values().map(|seen| (seen.seq, seen.id)).collect()
    }

    /// Number of messages in the outbox.
    pub(super) fn unsent(&self) -> usize {
        self.outbox.len()
    }

    /// Appends a message to the outbox.
    pub(super) fn write(&mut self, entry: OutboxEntry) {
        self.outbox.push_back(entry);
    }

    /// Returns the message to send now, which then waits for its answer.
    pub(super) fn due(&mut self, now: Instant) -> Option<OutboxEntry> {
        if self.sent_at.is_some() || self.not_before.is_some_and(|moment| now < moment) {
            return None;
        }
        let entry = self.outbox.front()?;
        self.sent_at = Some(now);
        Some(entry.clone())
    }

    /// Returns the message that was sent before `since` and is not answered, and schedules it
    /// again.
    pub(super) fn take_overdue(&mut self, since: Instant) -> Option<ClientId> {
        if self.sent_at.is_none_or(|sent| sent > since) {
            return None;
        }
        self.sent_at = None;
        self.outbox.front().map(|entry| entry.id)
    }

    /// Moves an acknowledged message out of the outbox. Returns `None` if an earlier answer did so.
    pub(super) fn stored(&mut self, id: ClientId) -> Option<OutboxEntry> {
        if self.outbox.front().is_none_or(|entry| entry.id != id) {
            return None;
        }
        self.sent_at = None;
        let entry = self.outbox.pop_front()?;
        self.answered.push(entry.clone());
        Some(entry)
    }

    /// Schedules the message again, unchanged, not before this moment.
    pub(super) fn postpone(&mut self, id: ClientId, moment: Instant) {
        if self.outbox.front().is_some_and(|entry| entry.id == id) {
            self.sent_at = None;
            self.not_before = Some(moment);
        }
    }

    /// Drops a message that the server refused permanently.
    pub(super) fn refused(&mut self, id: ClientId) {
        if self.outbox.front().is_some_and(|entry| entry.id == id) {
            self.sent_at = None;
            self.outbox.pop_front();
        }
    }

    /// Resets the state of a lost connection: marks must be sent again. Returns the message whose
    /// answer was pending.
    pub(super) fn connection_lost(&mut self) -> Option<ClientId> {
        (self.sent_delivered, self.sent_read) = (0, 0);
        self.not_before = None;
        self.sent_at.take().and_then(|_| self.outbox.front()).map(|entry| entry.id)
    }

    /// Reloads the tab: clears the timeline and keeps the outbox.
    pub(super) fn reload(&mut self) {
        self.timeline.clear();
        (self.complete_to, self.last_seq) = (0, 0);
        self.theirs = Marks::default();
    }
}

#[cfg(test)]
mod tests {
    use protocol::{ConversationId, UserId};

    use super::*;

    fn state() -> ConversationState {
        ConversationState::new(Membership {
            conversation: ConversationId::new(),
            peer: UserId::new(),
        })
    }

    fn seen(seq: i64) -> SeenMessage {
        SeenMessage { seq, sender: UserId::new(), id: ClientId::new(), body: String::new() }
    }

    #[test]
    fn a_gap_is_reported_until_it_is_filled() {
        let mut state = state();
        state.merge(seen(1));
        state.merge(seen(3));
        assert!(state.has_gap() && state.complete_to() == 1);
        state.merge(seen(2));
        assert!(!state.has_gap() && state.complete_to() == 3);
        state.reload();
        assert_eq!(state.rows(), []);
    }

    #[test]
    fn one_message_is_pending_at_a_time_and_a_postponed_message_keeps_the_order() {
        let (mut state, now) = (state(), Instant::now());
        let entries: Vec<OutboxEntry> = (0..2)
            .map(|ordinal| OutboxEntry { id: ClientId::new(), body: String::new(), ordinal })
            .collect();
        entries.iter().for_each(|entry| state.write(entry.clone()));
        let due = |state: &mut ConversationState, now| state.due(now).map(|entry| entry.ordinal);
        assert_eq!(due(&mut state, now), Some(0));
        assert_eq!(due(&mut state, now), None);
        let moment = now + std::time::Duration::from_secs(1);
        state.postpone(entries[0].id, moment);
        assert_eq!(due(&mut state, now), None);
        assert_eq!(due(&mut state, moment), Some(0));
        assert_eq!(state.connection_lost(), Some(entries[0].id));
        assert_eq!(due(&mut state, moment), Some(0));
        assert!(state.stored(entries[0].id).is_some());
        assert!(state.stored(entries[0].id).is_none(), "a repeated answer changes nothing");
        assert_eq!(due(&mut state, moment), Some(1));
    }
}
