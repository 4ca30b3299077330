//! One conversation as a tab holds it: timeline and outbox. Pure: no network, and the caller
//! supplies the time.

use std::collections::{BTreeMap, VecDeque};
use std::time::Instant;

use protocol::{ClientId, Marks, Seq};

use super::With;
use crate::log::Seen;

/// A message in the outbox. Does not change until the final answer.
#[derive(Clone, Debug)]
pub struct Draft {
    /// The same in every attempt.
    pub id: ClientId,
    pub body: String,
    /// Position among the messages of this tab.
    pub ordinal: u64,
}

/// A conversation.
pub struct Talk {
    pub with: With,
    timeline: BTreeMap<i64, Seen>,
    /// The timeline is complete up to this seq.
    held: i64,
    /// The highest seq that the tab has received.
    known: i64,
    outbox: VecDeque<Draft>,
    /// Time at which the first message of the outbox was sent; `None` while no answer is pending.
    sent_at: Option<Instant>,
    not_before: Option<Instant>,
    /// Acknowledged messages, for repeats at any age.
    pub answered: Vec<Draft>,
    /// The delivered mark last sent on this connection.
    pub said_delivered: i64,
    /// The read mark last sent on this connection.
    pub said_read: i64,
    theirs: Marks,
}

impl Talk {
    pub fn new(with: With) -> Self {
        Self {
            with,
            timeline: BTreeMap::new(),
            held: 0,
            known: 0,
            outbox: VecDeque::new(),
            sent_at: None,
            not_before: None,
            answered: Vec::new(),
            said_delivered: 0,
            said_read: 0,
            theirs: Marks::default(),
        }
    }

    /// Merges a message from any source. Merging it again changes nothing.
    pub fn merge(&mut self, seen: Seen) {
        self.known = self.known.max(seen.seq);
        self.timeline.entry(seen.seq).or_insert(seen);
        while self.timeline.contains_key(&(self.held + 1)) {
            self.held += 1;
        }
    }

    /// Raises the highest known seq.
    pub fn goes_to(&mut self, seq: Seq) {
        self.known = self.known.max(seq.0);
    }

    /// Merges the peer's marks from any source; marks only move forward.
    pub fn merge_marks(&mut self, marks: Marks) {
        self.theirs.delivered = self.theirs.delivered.max(marks.delivered);
        self.theirs.read = self.theirs.read.max(marks.read);
    }

    /// The peer's marks as the tab shows them.
    pub fn theirs(&self) -> Marks {
        self.theirs
    }

    /// The seq up to which the timeline is complete.
    pub fn held(&self) -> i64 {
        self.held
    }

    /// Whether a known message is missing.
    pub fn has_hole(&self) -> bool {
        self.held < self.known
    }

    /// Seq and client id of each message shown.
    pub fn rows(&self) -> Vec<(i64, ClientId)> {
        self.timeline.values().map(|seen| (seen.seq, seen.id)).collect()
    }

    /// Number of messages in the outbox.
    pub fn unsent(&self) -> usize {
        self.outbox.len()
    }

    /// Appends a message to the outbox.
    pub fn write(&mut self, draft: Draft) {
        self.outbox.push_back(draft);
    }

    /// Returns the message to send now, which then waits for its answer.
    pub fn due(&mut self, now: Instant) -> Option<Draft> {
        if self.sent_at.is_some() || self.not_before.is_some_and(|moment| now < moment) {
            return None;
        }
        let draft = self.outbox.front()?;
        self.sent_at = Some(now);
        Some(draft.clone())
    }

    /// Returns the message that was sent before `since` and is not answered, and schedules it
    /// again.
    pub fn overdue(&mut self, since: Instant) -> Option<ClientId> {
        if self.sent_at.is_none_or(|sent| sent > since) {
            return None;
        }
        self.sent_at = None;
        self.outbox.front().map(|draft| draft.id)
    }

    /// Moves an acknowledged message out of the outbox. Returns `None` if an earlier answer did so.
    pub fn stored(&mut self, id: ClientId) -> Option<Draft> {
        if self.outbox.front().is_none_or(|draft| draft.id != id) {
            return None;
        }
        self.sent_at = None;
        let draft = self.outbox.pop_front()?;
        self.answered.push(draft.clone());
        Some(draft)
    }

    /// Schedules the message again, unchanged, not before this moment.
    pub fn later(&mut self, id: ClientId, moment: Instant) {
        if self.outbox.front().is_some_and(|draft| draft.id == id) {
            self.sent_at = None;
            self.not_before = Some(moment);
        }
    }

    /// Drops a message that the server refused permanently.
    pub fn refused(&mut self, id: ClientId) {
        if self.outbox.front().is_some_and(|draft| draft.id == id) {
            self.sent_at = None;
            self.outbox.pop_front();
        }
    }

    /// Resets the state of a lost connection: marks must be sent again. Returns the message whose
    /// answer was pending.
    pub fn lose_line(&mut self) -> Option<ClientId> {
        (self.said_delivered, self.said_read) = (0, 0);
        self.not_before = None;
        self.sent_at.take().and_then(|_| self.outbox.front()).map(|draft| draft.id)
    }

    /// Reloads the tab: clears the timeline and keeps the outbox.
    pub fn reload(&mut self) {
        self.timeline.clear();
        (self.held, self.known) = (0, 0);
        self.theirs = Marks::default();
    }
}

#[cfg(test)]
mod tests {
    use protocol::{ConversationId, UserId};

    use super::*;

    fn talk() -> Talk {
        Talk::new(With { conversation: ConversationId::new(), peer: UserId::new() })
    }

    fn seen(seq: i64) -> Seen {
        Seen { seq, sender: UserId::new(), id: ClientId::new(), body: String::new() }
    }

    #[test]
    fn a_hole_is_known_until_it_is_filled() {
        let mut talk = talk();
        talk.merge(seen(1));
        talk.merge(seen(3));
        assert!(talk.has_hole() && talk.held() == 1);
        talk.merge(seen(2));
        assert!(!talk.has_hole() && talk.held() == 3);
        talk.reload();
        assert_eq!(talk.rows(), []);
    }

    #[test]
    fn one_message_waits_at_a_time_and_a_later_refusal_reorders_nothing() {
        let (mut talk, now) = (talk(), Instant::now());
        let drafts: Vec<Draft> = (0..2)
            .map(|ordinal| Draft { id: ClientId::new(), body: String::new(), ordinal })
            .collect();
        drafts.iter().for_each(|draft| talk.write(draft.clone()));
        let due = |talk: &mut Talk, now| talk.due(now).map(|draft| draft.ordinal);
        assert_eq!(due(&mut talk, now), Some(0));
        assert_eq!(due(&mut talk, now), None);
        let moment = now + std::time::Duration::from_secs(1);
        talk.later(drafts[0].id, moment);
        assert_eq!(due(&mut talk, now), None);
        assert_eq!(due(&mut talk, moment), Some(0));
        assert_eq!(talk.lose_line(), Some(drafts[0].id));
        assert_eq!(due(&mut talk, moment), Some(0));
        assert!(talk.stored(drafts[0].id).is_some());
        assert!(talk.stored(drafts[0].id).is_none(), "a repeat changes nothing");
        assert_eq!(due(&mut talk, moment), Some(1));
    }
}
