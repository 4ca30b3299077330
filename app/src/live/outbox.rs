//! Messages that the server has not acknowledged yet.
//!
//! Each conversation has its own queue. A message is sent only after the server answered the one
//! before it, so a bad network cannot reorder messages. A refusal to retry later delays the queue;
//! a final refusal removes its message from the queue and marks it as not sent. Pure: `sender`
//! sends the messages and `storage` stores them. Every tab of a browser holds the same entries.

use std::collections::{BTreeMap, HashMap, HashSet};

use protocol::{ClientId, ConversationId, ErrorCode, Refusal, Retry, Timestamp};
use serde::{Deserialize, Serialize};

/// Minimum age at which a tab sends another tab's message, because the other tab may be closed.
const ADOPT_AFTER_MS: i64 = 10_000;
/// Timeout for an answer. After it the message is sent again on a new connection.
const ANSWER_WITHIN_MS: i64 = 20_000;
/// Delay after a refusal that names no delay.
const LATER_MS: u64 = 2_000;

/// A point in time on two clocks of the browser.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Moment {
    /// Time since the page was loaded. This clock is monotonic, so all delays use it.
    pub uptime_ms: i64,
    /// The device's time of day, which may be wrong and may jump.
    pub wall_ms: i64,
}

/// One unsent message, as stored in the browser.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnsentMessage {
    /// Stays the same for every attempt. Ids sort by creation time, which is the order of the
    /// queue.
    pub client_id: ClientId,
    pub conversation: ConversationId,
    pub body: String,
    /// Creation time by the device's clock.
    pub written_at: Timestamp,
    /// Reason of a final refusal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<ErrorCode>,
    /// The tab in which the message was written.
    #[serde(default)]
    pub tab: u64,
    /// Whether the browser's storage refused the entry. Entries loaded from the storage are stored.
    #[serde(skip)]
    pub unsaved: bool,
}

/// The queues of all conversations.
#[derive(Clone, Debug, Default)]
pub struct Outbox {
    tab: u64,
    entries: BTreeMap<ClientId, UnsentMessage>,
    /// The message awaiting its answer, and when it was sent; at most one per conversation.
    in_flight: HashMap<ConversationId, (ClientId, i64)>,
    /// Queues delayed by a refusal, and until when.
    not_before_ms: HashMap<ConversationId, i64>,
    /// When this tab may send messages of other tabs.
    adopted_from_ms: HashMap<ClientId, i64>,
    /// Messages answered or deleted in this tab. A late storage event from another tab must not
    /// restore them.
    settled: HashSet<ClientId>,
}

impl Outbox {
    pub fn new(tab: u64) -> Self {
        Self { tab, ..Self::default() }
    }

    /// Adds a message that was just written or found in storage.
    pub fn add(&mut self, entry: UnsentMessage, now: Moment) {
        if self.settled.contains(&entry.client_id) {
            return;
        }
        if entry.tab != self.tab {
            // A creation time in the future means that the clock was wrong then or is wrong now.
            let age = now.wall_ms.saturating_sub(entry.written_at.0);
            let wait = if age < 0 { ADOPT_AFTER_MS } else { (ADOPT_AFTER_MS - age).max(0) };
            self.adopted_from_ms.entry(entry.client_id).or_insert(now.uptime_ms + wait);
        }
        self.entries.insert(entry.client_id, entry);
    }

    /// Returns an id for a new message. It sorts after the whole queue, even if the clock was set
    /// back.
    pub fn next_id(&self, conversation: ConversationId) -> ClientId {
        ClientId::after(self.of(conversation).map(|entry| entry.client_id).max())
    }

    /// Records whether the browser's storage accepted a message.
    pub fn note_saved(&mut self, client_id: ClientId, is_saved: bool) {
        if let Some(entry) = self.entries.get_mut(&client_id) {
            entry.unsaved = !is_saved;
        }
    }

    /// Returns the messages that a reload would lose.
    pub fn unsaved(&self) -> impl Iterator<Item = &UnsentMessage> {
        self.entries.values().filter(|entry| entry.unsaved)
    }

    pub fn ids(&self) -> impl Iterator<Item = ClientId> {
        self.entries.keys().copied()
    }

    /// Removes a message that was stored by the server or deleted, in any tab. Returns its entry.
    pub fn settle(&mut self, client_id: ClientId) -> Option<UnsentMessage> {
        self.settled.insert(client_id);
        self.adopted_from_ms.remove(&client_id);
        let entry = self.entries.remove(&client_id)?;
        self.land(&entry);
        Some(entry)
    }

    /// Removes a message that another tab settled. A message in flight here stays until its own
    /// answer, because the answer carries the seq and only the entry has the body to show.
    pub fn settled_elsewhere(&mut self, client_id: ClientId) {
        if !self.in_flight.values().any(|(under_way, _)| *under_way == client_id) {
            self.settle(client_id);
        }
    }

    /// Applies a refusal. Returns the entry if it changed and must be stored again.
    pub fn refuse(
        &mut self,
        client_id: ClientId,
        refusal: Refusal,
        now_ms: i64,
    ) -> Option<UnsentMessage> {
        let entry = self.entries.get_mut(&client_id)?;
        let changed = match refusal.code.retry() {
            Retry::Never => {
                entry.refused = Some(refusal.code);
                true
            }
            Retry::Later => {
                let delay = refusal.retry_after_ms.unwrap_or(LATER_MS).clamp(100, 120_000);
                let until = now_ms.saturating_add(i64::try_from(delay).unwrap_or(i64::MAX));
                self.not_before_ms.insert(entry.conversation, until);
                false
            }
            // The queue waits for the sign-in, which loads a new page.
            Retry::AfterSignIn => false,
        };
        let entry = entry.clone();
        self.land(&entry);
        changed.then_some(entry)
    }

    /// Delays the queue after a request without an answer; the message is sent again.
    pub fn unanswered(&mut self, client_id: ClientId, now_ms: i64) {
        self.refuse(client_id, ErrorCode::Busy.into(), now_ms);
    }

    /// Queues a refused message again at the user's request. Returns the entry to store.
    pub fn retry(&mut self, client_id: ClientId) -> Option<UnsentMessage> {
        let entry = self.entries.get_mut(&client_id)?;
        entry.refused = None;
        entry.tab = self.tab;
        self.not_before_ms.remove(&entry.conversation);
        Some(entry.clone())
    }

    /// Clears messages in flight, so that they are sent again with the same ids.
    pub fn disconnected(&mut self) {
        self.in_flight.clear();
    }

    /// Returns the messages to send now: the first of each queue that is neither delayed nor in
    /// flight. They count as in flight until [`Self::settle`], [`Self::refuse`] or
    /// [`Self::disconnected`].
    pub fn take_due(&mut self, now_ms: i64) -> Vec<UnsentMessage> {
        let mut seen = HashSet::new();
        let mut due = Vec::new();
        for entry in self.entries.values().filter(|entry| entry.refused.is_none()) {
            // Only the first message of a queue may be sent.
            if seen.insert(entry.conversation) && self.is_due(entry, now_ms) {
                due.push(entry.clone());
            }
        }
        for entry in &due {
            self.in_flight.insert(entry.conversation, (entry.client_id, now_ms));
        }
        due
    }

    /// Returns whether a message is in flight.
    pub fn is_under_way(&self) -> bool {
        !self.in_flight.is_empty()
    }

    /// Returns whether a message has been in flight longer than the timeout.
    pub fn is_stuck(&self, now_ms: i64) -> bool {
        self.in_flight.values().any(|(_, since)| now_ms.saturating_sub(*since) > ANSWER_WITHIN_MS)
    }

    /// Returns when to call [`Self::take_due`] again, unless an event comes first.
    pub fn next_due_ms(&self, now_ms: i64) -> Option<i64> {
        let mut seen = HashSet::new();
        self.entries
            .values()
            .filter(|entry| entry.refused.is_none() && seen.insert(entry.conversation))
            .filter(|entry| !self.in_flight.contains_key(&entry.conversation))
            .map(|entry| self.due_at_ms(entry).max(now_ms))
            .min()
    }

    /// Returns the unsent messages of a conversation, oldest first.
    pub fn of(&self, conversation: ConversationId) -> impl Iterator<Item = &UnsentMessage> {
        self.entries.values().filter(move |entry| entry.conversation == conversation)
    }

    pub fn get(&self, client_id: ClientId) -> Option<&UnsentMessage> {
        self.entries.get(&client_id)
    }

    pub fn len(&self) -> usize {
        self.entries.len()
    }

    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    fn is_due(&self, entry: &UnsentMessage, now_ms: i64) -> bool {
        !self.in_flight.contains_key(&entry.conversation) && self.due_at_ms(entry) <= now_ms
    }

    fn due_at_ms(&self, entry: &UnsentMessage) -> i64 {
        let queue = self.not_before_ms.get(&entry.conversation).copied().unwrap_or(i64::MIN);
        let own = if entry.tab == self.tab {
            None
        } else {
            self.adopted_from_ms.get(&entry.client_id).copied()
        };
        queue.max(own.unwrap_or(i64::MIN))
    }

    fn land(&mut self, entry: &UnsentMessage) {
        let under_way = self.in_flight.get(&entry.conversation);
        if under_way.is_some_and(|(client_id, _)| *client_id == entry.client_id) {
            self.in_flight.remove(&entry.conversation);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TAB: u64 = 7;

    fn entry(conversation: ConversationId, body: &str) -> UnsentMessage {
        UnsentMessage {
            client_id: ClientId::new(),
            conversation,
            body: body.to_owned(),
            written_at: Timestamp(0),
            refused: None,
            tab: TAB,
            unsaved: false,
        }
    }

    const START: Moment = Moment { uptime_ms: 0, wall_ms: 0 };

    fn bodies(entries: &[UnsentMessage]) -> Vec<&str> {
        entries.iter().map(|entry| entry.body.as_str()).collect()
    }

    fn with(entries: &[UnsentMessage]) -> Outbox {
        let mut outbox = Outbox::new(TAB);
        for entry in entries {
            outbox.add(entry.clone(), START);
        }
        outbox
    }

    fn later(ms: u64) -> Refusal {
        Refusal { code: ErrorCode::RateLimited, retry_after_ms: Some(ms) }
    }

    #[test]
    fn a_message_without_an_answer_is_detected_and_sent_again() {
        let mut outbox = Outbox::new(TAB);
        let message = entry(ConversationId::new(), "lost answer");
        outbox.add(message.clone(), START);
        assert_eq!(outbox.take_due(1_000), std::slice::from_ref(&message));
        assert!(!outbox.is_stuck(1_000 + ANSWER_WITHIN_MS));
        assert!(outbox.is_stuck(1_001 + ANSWER_WITHIN_MS));
        outbox.disconnected();
        assert!(!outbox.is_stuck(i64::MAX));
        assert_eq!(outbox.take_due(50_000), [message]);
    }

    #[test]
    fn the_second_message_is_sent_after_the_first_was_answered() {
        let (here, there) = (ConversationId::new(), ConversationId::new());
        let (first, second, other) =
            (entry(here, "one"), entry(here, "two"), entry(there, "other"));
        let mut outbox = with(&[first.clone(), second, other]);
        assert_eq!(bodies(&outbox.take_due(0)), ["one", "other"]);
        assert!(outbox.take_due(0).is_empty());
        outbox.settle(first.client_id);
        assert_eq!(bodies(&outbox.take_due(0)), ["two"]);
    }

    #[test]
    fn a_refusal_to_retry_later_delays_the_queue_without_reordering() {
        let here = ConversationId::new();
        let (first, second) = (entry(here, "one"), entry(here, "two"));
        let mut outbox = with(&[first.clone(), second]);
        outbox.take_due(0);
        assert!(outbox.refuse(first.client_id, later(5_000), 0).is_none());
        assert!(outbox.take_due(4_999).is_empty());
        assert_eq!(outbox.next_due_ms(0), Some(5_000));
        assert_eq!(bodies(&outbox.take_due(5_000)), ["one"]);
    }

    #[test]
    fn a_final_refusal_marks_the_message_not_sent_and_releases_the_queue() {
        let here = ConversationId::new();
        let (first, second) = (entry(here, "one"), entry(here, "two"));
        let mut outbox = with(&[first.clone(), second.clone()]);
        outbox.take_due(0);
        let refused = outbox.refuse(first.client_id, ErrorCode::NotFound.into(), 0);
        assert_eq!(refused.and_then(|entry| entry.refused), Some(ErrorCode::NotFound));
        assert_eq!(bodies(&outbox.take_due(0)), ["two"]);
        outbox.settle(second.client_id);
        assert_eq!(outbox.len(), 1, "it is kept until retried or deleted");
        outbox.retry(first.client_id);
        assert_eq!(bodies(&outbox.take_due(0)), ["one"]);
    }

    #[test]
    fn a_message_is_sent_again_with_the_same_id_after_a_lost_connection() {
        let first = entry(ConversationId::new(), "one");
        let mut outbox = with(std::slice::from_ref(&first));
        outbox.take_due(0);
        outbox.disconnected();
        assert_eq!(outbox.take_due(0), [first]);
    }

    #[test]
    fn without_a_session_all_messages_are_kept() {
        let first = entry(ConversationId::new(), "one");
        let mut outbox = with(std::slice::from_ref(&first));
        outbox.take_due(0);
        assert!(outbox.refuse(first.client_id, ErrorCode::Unauthenticated.into(), 0).is_none());
        assert_eq!(outbox.get(first.client_id), Some(&first));
    }

    #[test]
    fn messages_of_another_tab_are_left_to_that_tab_at_first() {
        let here = ConversationId::new();
        let theirs = UnsentMessage { tab: TAB + 1, ..entry(here, "theirs") };
        let mine = entry(here, "mine");
        let mut outbox = with(&[theirs, mine]);
        assert!(outbox.take_due(0).is_empty(), "mine waits behind it");
        assert_eq!(bodies(&outbox.take_due(ADOPT_AFTER_MS)), ["theirs"]);
    }

    #[test]
    fn a_wrong_clock_delays_no_message() {
        const DAY: i64 = 24 * 60 * 60 * 1_000;
        let here = ConversationId::new();
        let written =
            |at| UnsentMessage { tab: TAB + 1, written_at: Timestamp(at), ..entry(here, "theirs") };
        // Written while the clock was a day ahead and found after the clock was corrected; then the
        // reverse.
        for (written_at, expected_wait) in [
            (DAY, ADOPT_AFTER_MS),
            (-DAY, 0),
            (0, ADOPT_AFTER_MS),
            (-4_000, ADOPT_AFTER_MS - 4_000),
        ] {
            let mut outbox = Outbox::new(TAB);
            outbox.add(written(written_at), Moment { uptime_ms: 500, wall_ms: 0 });
            assert_eq!(outbox.next_due_ms(500), Some(500 + expected_wait));
            assert_eq!(outbox.take_due(500 + expected_wait).len(), 1);
        }
    }

    #[test]
    fn a_change_by_another_tab_does_not_restart_the_wait() {
        let theirs = UnsentMessage { tab: TAB + 1, ..entry(ConversationId::new(), "theirs") };
        let mut outbox = Outbox::new(TAB);
        outbox.add(theirs.clone(), START);
        outbox.add(theirs, Moment { uptime_ms: 9_000, wall_ms: 9_000 });
        assert_eq!(outbox.next_due_ms(9_000), Some(ADOPT_AFTER_MS));
    }

    #[test]
    fn the_queue_keeps_its_order_when_the_clock_is_set_back() {
        let here = ConversationId::new();
        let mut outbox = Outbox::new(TAB);
        // An id with a timestamp one day ahead.
        let ahead = ClientId::new().0.as_u128() + ((24 * 60 * 60 * 1_000) << 80);
        let first = UnsentMessage {
            client_id: ClientId(uuid::Uuid::from_u128(ahead)),
            ..entry(here, "one")
        };
        outbox.add(first.clone(), START);
        let second = UnsentMessage { client_id: outbox.next_id(here), ..entry(here, "two") };
        outbox.add(second.clone(), START);
        let third = UnsentMessage { client_id: outbox.next_id(here), ..entry(here, "three") };
        outbox.add(third, START);
        assert_eq!(bodies(&outbox.take_due(0)), ["one"]);
        outbox.settle(first.client_id);
        assert_eq!(bodies(&outbox.take_due(0)), ["two"]);
        outbox.settle(second.client_id);
        assert_eq!(bodies(&outbox.take_due(0)), ["three"]);
    }

    #[test]
    fn a_message_in_flight_waits_for_its_own_answer() {
        let first = entry(ConversationId::new(), "one");
        let mut outbox = with(std::slice::from_ref(&first));
        outbox.take_due(0);
        outbox.settled_elsewhere(first.client_id);
        assert_eq!(outbox.settle(first.client_id), Some(first.clone()), "its words are needed");
        let mut outbox = with(std::slice::from_ref(&first));
        outbox.settled_elsewhere(first.client_id);
        assert!(outbox.is_empty());
    }

    #[test]
    fn a_late_storage_event_restores_no_settled_message() {
        let first = entry(ConversationId::new(), "one");
        let mut outbox = with(std::slice::from_ref(&first));
        outbox.settle(first.client_id);
        outbox.add(first, START);
        assert!(outbox.is_empty());
    }
}
