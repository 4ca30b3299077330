//! One connection of a tab, from hello to its end.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use harness::Connection;
use protocol::{
    ClientFrame, ClientId, ConversationId, Cursor, ErrorCode, Marks, Message, Refusal, Retry, Sent,
    Seq, ServerFrame,
};
use tokio::time::{sleep, timeout};

use super::conversation::OutboxEntry;
use super::{ANSWER_WITHIN, Client, FINAL_MESSAGES, Phase, body};
use crate::client_log::{Observation, SeenMessage};

/// Interval of a tab's work loop.
const TICK: Duration = Duration::from_millis(20);
/// Interval of pings while nothing is received.
const PING_AFTER: Duration = Duration::from_secs(1);
/// Silence after which a connection counts as dead. Shorter than in the page, because a round is
/// short.
const DEAD_AFTER: Duration = Duration::from_secs(5);
/// Time for which a suspended tab reads before it stops.
const READS_FOR: Duration = Duration::from_millis(500);
/// Maximum number of messages in the outbox.
const MAX_UNSENT: usize = 20;

/// Times of the last and next actions on a connection.
struct Timers {
    opened: Instant,
    last_received: Instant,
    last_ping: Instant,
    next_write: Instant,
    last_tick: Instant,
}

impl Client {
    /// Connects, resyncs, and stays until the connection ends or the tab reloads.
    pub(super) async fn run_connection(&mut self) -> Result<()> {
        let opening = Connection::open(self.address.proxy, &self.me.cookie, "");
        let mut connection = timeout(ANSWER_WITHIN, opening)
            .await
            .context("the connection did not open in time")??;
        timeout(ANSWER_WITHIN, connection.hello())
            .await
            .context("hello did not arrive in time")??;
        self.connection_number += 1;
        self.is_behind = true;
        self.resync().await?;
        let now = Instant::now();
        let mut timers = Timers {
            opened: now,
            last_received: now,
            last_ping: now,
            next_write: now,
            last_tick: now,
        };
        while *self.phase.borrow() != Phase::Ended {
            self.report_progress(true);
            tokio::select! {
                frame = connection.receive() => {
                    timers.last_received = Instant::now();
                    let frame = frame?;
                    let is_answer = matches!(frame, ServerFrame::Sent(_));
                    self.on_frame(frame);
                    if is_answer {
                        self.send_due(&mut connection).await?;
                    }
                }
                changed = self.phase.changed() => changed?,
                () = sleep(TICK) => {}
            }
            if timers.last_tick.elapsed() < TICK {
                continue;
            }
            timers.last_tick = Instant::now();
            self.resync().await?;
            let writing = *self.phase.borrow() == Phase::Writing;
            if writing && self.deviate(&mut timers).await {
                return Ok(());
            }
            if writing && self.behaviour.suspended && timers.opened.elapsed() > READS_FOR {
                self.stop_reading(&mut timers).await;
            }
            if writing && !self.behaviour.suspended && timers.next_write < Instant::now() {
                (0..=self.behaviour.burst).for_each(|_| self.compose());
                timers.next_write =
                    Instant::now() + self.random.millis(1..self.behaviour.pause.max(2));
            }
            self.send_due(&mut connection).await?;
            self.send_marks(&mut connection, writing).await?;
            check_liveness(&mut connection, &mut timers).await?;
        }
        Ok(())
    }

    /// Loads missing messages: of every conversation after a hello, otherwise of those with a gap.
    async fn resync(&mut self) -> Result<()> {
        let all = std::mem::take(&mut self.is_behind);
        let ids: Vec<ConversationId> = self.conversations.keys().copied().collect();
        for id in ids {
            let mut more = all;
            while let Some(state) = self.conversations.get(&id)
                && (more || state.has_gap())
            {
                let (after, peer) = (state.complete_to(), state.membership.peer);
                let requested = self.log.now();
                let cursor = Cursor::After(Seq(after));
                let page = timeout(ANSWER_WITHIN, self.http.history(&self.me, id, cursor))
                    .await
                    .context("the page did not arrive in time")??;
                let observation = Observation::HistoryPage {
                    conversation: id,
                    requested,
                    after: Some(after),
                    messages: page.messages.iter().map(SeenMessage::from).collect(),
                    last_seq: page.last_seq.0,
                    mine: page.mine,
                    theirs: page.theirs,
                    peer,
                };
                self.log.write(self.tab, self.me.id, observation);
                let Some(state) = self.conversations.get_mut(&id) else { break };
                state.raise_last_seq(page.last_seq);
                state.merge_marks(page.theirs);
                page.messages.iter().for_each(|message| state.merge(SeenMessage::from(message)));
                if state.complete_to() == after && state.has_gap() {
                    bail!("the page after {after} does not start at the next seq");
                }
                more = false;
            }
        }
        Ok(())
    }

    fn on_frame(&mut self, frame: ServerFrame) {
        match frame {
            ServerFrame::Hello { .. } => {
                self.log.write(self.tab, self.me.id, Observation::Resync);
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
                self.log.write(self.tab, self.me.id, observation);
                let state = self.conversations.get_mut(&conversation);
                if let Some(state) = state.filter(|state| state.membership.peer == user) {
                    state.merge_marks(marks);
                }
            }
            _ => {}
        }
    }

    fn on_sent(&mut self, sent: Sent) {
        let Sent { conversation, client_id: id, seq, .. } = sent;
        self.log.write(
            self.tab,
            self.me.id,
            Observation::Acknowledged { id, conversation, seq: seq.0 },
        );
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
        self.log.write(self.tab, self.me.id, observation);
        if let Some(state) = self.conversations.get_mut(&message.conversation) {
            state.merge(seen);
        }
    }

    fn on_refused(&mut self, conversation: Option<ConversationId>, id: ClientId, refusal: Refusal) {
        let code = refusal.code;
        // The server sends this code only for a forged text; the original message is stored.
        if code != ErrorCode::ClientIdReused {
            self.log.write(self.tab, self.me.id, Observation::Refused { id, code });
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

    fn compose(&mut self) {
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

    async fn send_due(&mut self, connection: &mut Connection) -> Result<()> {
        let now = Instant::now();
        for conversation in self.sorted() {
            let Some(state) = self.conversations.get_mut(&conversation) else { continue };
            if let Some(id) =
                now.checked_sub(ANSWER_WITHIN).and_then(|then| state.take_overdue(then))
            {
                self.log.write(self.tab, self.me.id, Observation::Unknown { id });
            }
            if let Some(entry) = state.due(now) {
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
            self.log.write(self.tab, self.me.id, observation);
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
        self.log.write(
            self.tab,
            self.me.id,
            Observation::Attempted { id, conversation, body, ordinal },
        );
    }

    /// Sends by an HTTP call.
    async fn call(&mut self, conversation: ConversationId, entry: &OutboxEntry) {
        let call = self.http.send(&self.me, conversation, entry.id, &entry.body);
        match timeout(ANSWER_WITHIN, call).await {
            Ok(Ok(Ok(sent))) => self.on_sent(sent),
            Ok(Ok(Err(refusal))) => self.on_refused(Some(conversation), entry.id, refusal),
            Ok(Err(_)) | Err(_) => {
                self.log.write(self.tab, self.me.id, Observation::Unknown { id: entry.id });
                if let Some(state) = self.conversations.get_mut(&conversation) {
                    state.postpone(entry.id, Instant::now() + Duration::from_millis(200));
                }
            }
        }
    }

    async fn send_marks(&mut self, connection: &mut Connection, writing: bool) -> Result<()> {
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
        self.log.write(self.tab, self.me.id, Observation::MarksSent { conversation, marks });
        let frame = if read {
            ClientFrame::Read { conversation, up_to }
        } else {
            ClientFrame::Delivered { conversation, up_to }
        };
        send_frame(connection, frame).await
    }

    /// Simulates a suspended browser: the connection is open and nothing is read.
    async fn stop_reading(&mut self, timers: &mut Timers) {
        self.log.fault("stop reading to the end");
        // An error means that the round has already ended.
        let _ = self.phase.wait_for(|phase| *phase != Phase::Writing).await;
        sleep(FINAL_MESSAGES).await;
        timers.last_received = Instant::now();
    }

    /// Returns true after a reload, which ends the connection.
    async fn deviate(&mut self, timers: &mut Timers) -> bool {
        // Acts about once a second: a second has fifty ticks.
        if !self.random.percent(2) {
            return false;
        }
        if self.random.percent(self.behaviour.reloads) {
            self.log.fault("reload");
            self.conversations.values_mut().for_each(super::ConversationState::reload);
            return true;
        }
        if self.random.percent(self.behaviour.stops_reading) {
            self.log.fault("stop reading");
            let pause = self.random.millis(500..5_000);
            // Continues as soon as the phase changes.
            let _ = timeout(pause, self.phase.changed()).await;
            timers.last_received = Instant::now();
        }
        false
    }
}

fn frame(conversation: ConversationId, entry: &OutboxEntry) -> ClientFrame {
    ClientFrame::Send { conversation, client_id: entry.id, body: entry.body.clone() }
}

async fn send_frame(connection: &mut Connection, frame: ClientFrame) -> Result<()> {
    timeout(ANSWER_WITHIN, connection.send(&frame))
        .await
        .context("the frame could not be sent in time")?
}

/// Sends a ping after silence, and fails once the connection counts as dead.
async fn check_liveness(connection: &mut Connection, timers: &mut Timers) -> Result<()> {
    if timers.last_received.elapsed() > DEAD_AFTER {
        bail!("no frame arrived for too long");
    }
    if timers.last_received.elapsed() > PING_AFTER && timers.last_ping.elapsed() > PING_AFTER {
        timers.last_ping = Instant::now();
        send_frame(connection, ClientFrame::Ping).await?;
    }
    Ok(())
}
