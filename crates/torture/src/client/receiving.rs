//! Applies frames and answers to a tab.

use std::time::{Duration, Instant};

use protocol::{
    ClientId, ConversationId, ErrorCode, Marks, Message, Refusal, Retry, Sent, ServerFrame,
};

use super::Client;
use crate::client_log::{Observation, SeenMessage};

impl Client {
    /// Applies a frame.
    pub(super) fn on_frame(&mut self, frame: ServerFrame) {
        match frame {
            ServerFrame::Hello { .. } => {
                self.observe(Observation::Resync);
                self.is_behind = true;
            }
            ServerFrame::Sent(sent) => self.on_sent(sent),
            ServerFrame::Message(message) => self.on_message(&message),
            ServerFrame::Refused { conversation, client_id: Some(id), refusal, .. } => {
                self.on_refused(conversation, id, refusal);
            }
            ServerFrame::Refused { conversation: Some(id), .. } => {
                // A refused mark, which must be sent again.
                if let Some(state) = self.conversations.get_mut(&id) {
                    (state.sent_delivered, state.sent_read) = (0, 0);
                }
            }
            ServerFrame::Receipt { conversation, user, delivered, read } => {
                let marks = Marks { delivered, read };
                let observation = Observation::Receipt {
                    connection: self.connection_number,
                    conversation,
                    whose: user,
                    marks,
                };
                self.observe(observation);
                let state = self.conversations.get_mut(&conversation);
                if let Some(state) = state.filter(|state| state.membership.peer == user) {
                    state.merge_marks(marks);
                }
            }
            _ => {}
        }
    }

    /// Applies the acknowledgement of a message, over either transport.
    pub(super) fn on_sent(&mut self, sent: Sent) {
        let Sent { conversation, client_id: id, seq, .. } = sent;
        self.observe(Observation::Acknowledged { id, conversation, seq: seq.0 });
        let Some(state) = self.conversations.get_mut(&conversation) else { return };
        state.raise_last_seq(seq);
        if let Some(entry) = state.stored(id) {
            state.merge(SeenMessage { seq: seq.0, sender: self.me.id, id, body: entry.body });
        }
    }

    fn on_message(&mut self, message: &Message) {
        let seen = SeenMessage::from(message);
        let observation =
            Observation::Received { conversation: message.conversation, seen: seen.clone() };
        self.observe(observation);
        if let Some(state) = self.conversations.get_mut(&message.conversation) {
            state.merge(seen);
        }
    }

    /// Applies the refusal of a message, over either transport.
    pub(super) fn on_refused(
        &mut self,
        conversation: Option<ConversationId>,
        id: ClientId,
        refusal: Refusal,
    ) {
        let code = refusal.code;
        // The server sends this code only for a forged text; the original message is stored.
        if code != ErrorCode::ClientIdReused {
            self.observe(Observation::Refused { id, code });
        }
        let Some(state) =
            conversation.and_then(|conversation| self.conversations.get_mut(&conversation))
        else {
            return;
        };
        if code.retry() == Retry::Never {
            state.refused(id);
        } else {
            // Waits as long as the server requests, limited because a round is short.
            let wait = refusal.retry_after_ms.unwrap_or(100).min(1_000);
            state.postpone(id, Instant::now() + Duration::from_millis(wait));
        }
    }
}
