//! Sends the messages and marks of a tab, and deviates from correct sending as its behaviour says.

use std::time::{Duration, Instant};

use anyhow::Result;
use harness::Connection;
use protocol::{ClientFrame, ClientId, ConversationId, Marks, Seq};
use tokio::time::timeout;

use super::connection::send_frame;
use super::conversation::OutboxEntry;
use super::{ANSWER_WITHIN, Client, Phase, body};
use crate::client_log::Observation;

/// Maximum number of messages in the outbox.
const MAX_UNSENT: usize = 20;

impl Client {
    /// Writes a message into the outbox of a random conversation.
    pub(super) fn compose(&mut self) {
        let ids: Vec<ConversationId> = self.sorted();
        let Some(id) = ids.get(self.random.index(ids.len().max(1))) else { return };
        let Some(state) = self.conversations.get_mut(id) else { return };
        if state.unsent() < MAX_UNSENT {
            self.ordinal += 1;
            let body = body(&mut self.random, self.tab, self.ordinal, self.behaviour.body);
            state.write(OutboxEntry { id: ClientId::new(), body, ordinal: self.ordinal });
        }
    }

    /// Returns the conversations in a reproducible order.
    fn sorted(&self) -> Vec<ConversationId> {
        let mut ids: Vec<ConversationId> = self.conversations.keys().copied().collect();
        ids.sort_unstable();
        ids
    }

    /// Sends the messages that are due, and marks those without an answer as unknown.
    pub(super) async fn send_due(&mut self, connection: &mut Connection) -> Result<()> {
        let now = Instant::now();
        for conversation in self.sorted() {
            let Some(state) = self.conversations.get_mut(&conversation) else { continue };
            let overdue = now.checked_sub(ANSWER_WITHIN).and_then(|then| state.take_overdue(then));
            let due = state.due(now);
            if let Some(id) = overdue {
                self.observe(Observation::Unknown { id });
            }
            if let Some(entry) = due {
                self.send(connection, conversation, entry).await?;
            }
            self.repeat_or_forge(connection, conversation).await?;
        }
        Ok(())
    }

    async fn send(
        &mut self,
        connection: &mut Connection,
        conversation: ConversationId,
        entry: OutboxEntry,
    ) -> Result<()> {
        let twice = self.random.percent(self.behaviour.repeats);
        if twice {
            self.log.fault("repeat at once");
        }
        for _ in 0..=u8::from(twice) {
            self.log_attempt(conversation, &entry);
            if self.random.percent(self.behaviour.calls) {
                self.call(conversation, &entry).await;
            } else {
                send_frame(connection, frame(conversation, &entry)).await?;
            }
        }
        Ok(())
    }

    /// Sends an acknowledged message again, or another text under its id.
    async fn repeat_or_forge(
        &mut self,
        connection: &mut Connection,
        conversation: ConversationId,
    ) -> Result<()> {
        if *self.phase.borrow() != Phase::Writing {
            return Ok(());
        }
        let (repeats, forges) = (self.behaviour.repeats, self.behaviour.forges);
        let (repeats, forges) = (self.random.percent(repeats), self.random.percent(forges));
        let Some(state) =
            self.conversations.get(&conversation).filter(|state| !state.answered.is_empty())
        else {
            return Ok(());
        };
        let mut entry = state.answered[self.random.index(state.answered.len())].clone();
        if forges {
            self.log.fault("forged id");
            entry.body = format!("forged {}", entry.body);
            let observation = Observation::Forged { id: entry.id, body: entry.body.clone() };
            self.observe(observation);
            send_frame(connection, frame(conversation, &entry)).await?;
        } else if repeats {
            self.log.fault("repeat of an old message");
            self.log_attempt(conversation, &entry);
            send_frame(connection, frame(conversation, &entry)).await?;
        }
        Ok(())
    }

    fn log_attempt(&self, conversation: ConversationId, entry: &OutboxEntry) {
        let OutboxEntry { id, body, ordinal } = entry.clone();
        self.observe(Observation::Attempted { id, conversation, body, ordinal });
    }

    /// Sends by an HTTP call.
    async fn call(&mut self, conversation: ConversationId, entry: &OutboxEntry) {
        let call = self.http.send(&self.me, conversation, entry.id, &entry.body);
        match timeout(ANSWER_WITHIN, call).await {
            Ok(Ok(Ok(sent))) => self.on_sent(sent),
            Ok(Ok(Err(refusal))) => self.on_refused(Some(conversation), entry.id, refusal),
            Ok(Err(_)) | Err(_) => {
                self.observe(Observation::Unknown { id: entry.id });
                if let Some(state) = self.conversations.get_mut(&conversation) {
                    state.postpone(entry.id, Instant::now() + Duration::from_millis(200));
                }
            }
        }
    }

    /// Sends the marks of the messages that the tab shows, and sometimes an older mark.
    pub(super) async fn send_marks(
        &mut self,
        connection: &mut Connection,
        writing: bool,
    ) -> Result<()> {
        for conversation in self.sorted() {
            let stale = writing && self.random.percent(self.behaviour.stale_marks);
            let reads = !writing || self.random.percent(20);
            let back = i64::try_from(self.random.within(1..30)).unwrap_or(1);
            let Some(state) = self.conversations.get_mut(&conversation) else { continue };
            let complete_to = state.complete_to();
            let mut marks = Vec::new();
            if state.sent_delivered < complete_to {
                state.sent_delivered = complete_to;
                marks.push((complete_to, false));
            }
            if reads && state.sent_read < complete_to {
                state.sent_read = complete_to;
                marks.push((complete_to, true));
            }
            if stale && complete_to > back {
                self.log.fault("stale mark");
                marks.push((complete_to - back, writing && back % 2 == 0));
            }
            for (up_to, read) in marks {
                self.mark(connection, conversation, Seq(up_to), read).await?;
            }
        }
        Ok(())
    }

    async fn mark(
        &mut self,
        connection: &mut Connection,
        conversation: ConversationId,
        up_to: Seq,
        read: bool,
    ) -> Result<()> {
        let marks = Marks { delivered: up_to, read: if read { up_to } else { Seq::ZERO } };
        self.observe(Observation::MarksSent { conversation, marks });
        let frame = if read {
            ClientFrame::Read { conversation, up_to }
        } else {
            ClientFrame::Delivered { conversation, up_to }
        };
        send_frame(connection, frame).await
    }
}

fn frame(conversation: ConversationId, entry: &OutboxEntry) -> ClientFrame {
    ClientFrame::Send { conversation, client_id: entry.id, body: entry.body.clone() }
}
