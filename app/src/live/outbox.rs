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
mod tests;
