//! The outbox of the page: every change updates the rows of the open conversation and the list. The
//! rules are in [`crate::live::outbox`].

use leptos::prelude::*;
use protocol::{ClientId, ConversationId};

use super::State;
use crate::live::outbox::{Outbox, UnsentMessage};

impl State {
    /// Changes the outbox, then updates the rows of the open conversation.
    pub fn with_outbox<T>(&self, work: impl FnOnce(&mut Outbox) -> T) -> Option<T> {
        let answer = self.cache.try_update_value(|cache| work(&mut cache.outbox));
        self.outbox_changes.update(|changes| *changes += 1);
        if let Some(open) = self.open_conversation() {
            self.project_if_open(open.id);
        }
        answer
    }

    /// Reads the newest unsent message of a conversation, tracking changes.
    pub fn newest_waiting<T>(
        &self,
        id: ConversationId,
        read: impl FnOnce(&UnsentMessage) -> T,
    ) -> Option<T> {
        self.outbox_changes.track();
        self.cache.with_value(|cache| cache.outbox.of(id).last().map(read))
    }

    #[cfg(feature = "hydrate")]
    pub(crate) fn read_outbox<T>(&self, read: impl FnOnce(&Outbox) -> T) -> T {
        self.cache.with_value(|cache| read(&cache.outbox))
    }

    /// Replaces the outbox by an empty one for this tab, before stored messages are added.
    pub fn begin_outbox(&self, tab: u64) {
        self.with_outbox(|outbox| *outbox = Outbox::new(tab));
    }

    /// Removes a message that was stored by the server or deleted.
    pub fn settle(&self, client_id: ClientId) {
        self.with_outbox(|outbox| outbox.settle(client_id));
    }

    /// Returns the messages to send now; see [`Outbox::take_due`]. Changes nothing that is shown.
    pub fn take_due(&self, now_ms: i64) -> Vec<UnsentMessage> {
        self.cache.try_update_value(|cache| cache.outbox.take_due(now_ms)).unwrap_or_default()
    }

    /// Returns when to call [`Self::take_due`] again; see [`Outbox::next_due_ms`].
    pub fn next_due_ms(&self, now_ms: i64) -> Option<i64> {
        self.cache.with_value(|cache| cache.outbox.next_due_ms(now_ms))
    }

    pub fn outbox_is_empty(&self) -> bool {
        self.cache.with_value(|cache| cache.outbox.is_empty())
    }
}
