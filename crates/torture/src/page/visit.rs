//! One connection of a tab, from hello to its end.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use harness::Line;
use protocol::{
    ClientFrame, ClientId, ConversationId, Cursor, ErrorCode, Marks, Message, Refusal, Retry, Sent,
    Seq, ServerFrame,
};
use tokio::time::{sleep, timeout};

use super::talk::Draft;
use super::{ANSWER_WITHIN, LAST_WORDS, Page, Phase, body};
use crate::log::{Seen, What};

/// Interval of a tab's work loop.
const BEAT: Duration = Duration::from_millis(20);
/// Interval of pings while nothing is received.
const PING_AFTER: Duration = Duration::from_secs(1);
/// Silence after which a connection counts as dead. Shorter than in the page, because a round is
/// short.
const DEAD_AFTER: Duration = Duration::from_secs(5);
/// Time for which a `deaf` tab reads before it stops.
const HEARS: Duration = Duration::from_millis(500);
/// Maximum number of messages in the outbox.
const MOST_UNSENT: usize = 20;

/// Times of the last and next actions on a connection.
struct Clock {
    opened: Instant,
    heard: Instant,
    pinged: Instant,
    writes: Instant,
    beat: Instant,
}

impl Page {
    /// Connects, catches up, and stays until the connection ends or the tab reloads.
    pub(super) async fn visit(&mut self) -> Result<()> {
        let opening = Line::open(self.address.proxy, &self.me.cookie, "");
        let mut line = timeout(ANSWER_WITHIN, opening).await.context("no line in time")??;
        timeout(ANSWER_WITHIN, line.hello()).await.context("no hello in time")??;
        self.line += 1;
        self.is_behind = true;
        self.catch_up().await?;
        let now = Instant::now();
        let mut clock = Clock { opened: now, heard: now, pinged: now, writes: now, beat: now };
        while *self.phase.borrow() != Phase::Over {
            self.report(true);
            tokio::select! {
                frame = line.hear() => {
                    clock.heard = Instant::now();
                    let frame = frame?;
                    let is_answer = matches!(frame, ServerFrame::Sent(_));
                    self.on_frame(frame);
                    if is_answer {
                        self.send_due(&mut line).await?;
                    }
                }
                changed = self.phase.changed() => changed?,
                () = sleep(BEAT) => {}
            }
            if clock.beat.elapsed() < BEAT {
                continue;
            }
            clock.beat = Instant::now();
            self.catch_up().await?;
            let writing = *self.phase.borrow() == Phase::Writing;
            if writing && self.mischief(&mut clock).await {
                return Ok(());
            }
            if writing && self.habits.deaf && clock.opened.elapsed() > HEARS {
                self.hear_nothing(&mut clock).await;
            }
            if writing && !self.habits.deaf && clock.writes < Instant::now() {
                (0..=self.habits.burst).for_each(|_| self.compose());
                clock.writes = Instant::now() + self.chance.millis(1..self.habits.pause.max(2));
            }
            self.send_due(&mut line).await?;
            self.say_marks(&mut line, writing).await?;
            watch(&mut line, &mut clock).await?;
        }
        Ok(())
    }

    /// Loads missing messages: of every conversation after a hello, otherwise of those with a gap.
    async fn catch_up(&mut self) -> Result<()> {
        let all = std::mem::take(&mut self.is_behind);
        let ids: Vec<ConversationId> = self.talks.keys().copied().collect();
        for id in ids {
            let mut more = all;
            while let Some(talk) = self.talks.get(&id)
                && (more || talk.has_hole())
            {
                let (after, peer) = (talk.held(), talk.with.peer);
                let asked = self.log.now();
                let cursor = Cursor::After(Seq(after));
                let page = timeout(ANSWER_WITHIN, self.http.history(&self.me, id, cursor))
                    .await
                    .context("no page in time")??;
                let what = What::Page {
                    conversation: id,
                    asked,
                    after: Some(after),
                    messages: page.messages.iter().map(Seen::from).collect(),
                    last_seq: page.last_seq.0,
                    mine: page.mine,
                    theirs: page.theirs,
                    peer,
                };
                self.log.write(self.tab, self.me.id, what);
                let Some(talk) = self.talks.get_mut(&id) else { break };
                talk.goes_to(page.last_seq);
                talk.merge_marks(page.theirs);
                page.messages.iter().for_each(|message| talk.merge(Seen::from(message)));
                if talk.held() == after && talk.has_hole() {
                    bail!("the page after {after} does not begin there");
                }
                more = false;
            }
        }
        Ok(())
    }

    fn on_frame(&mut self, frame: ServerFrame) {
        match frame {
            ServerFrame::Hello { .. } => {
                self.log.write(self.tab, self.me.id, What::ReadAgain);
                self.is_behind = true;
            }
            ServerFrame::Sent(sent) => self.on_sent(sent),
            ServerFrame::Message(message) => self.on_message(&message),
            ServerFrame::Refused { conversation, client_id: Some(id), refusal, .. } => {
                self.on_refused(conversation, id, refusal);
            }
            ServerFrame::Refused { conversation: Some(id), .. } => {
                // A refused mark, which must be sent again.
                if let Some(talk) = self.talks.get_mut(&id) {
                    (talk.said_delivered, talk.said_read) = (0, 0);
                }
            }
            ServerFrame::Receipt { conversation, user, delivered, read } => {
                let marks = Marks { delivered, read };
                let what = What::Receipt { line: self.line, conversation, whose: user, marks };
                self.log.write(self.tab, self.me.id, what);
                let talk = self.talks.get_mut(&conversation);
                if let Some(talk) = talk.filter(|talk| talk.with.peer == user) {
                    talk.merge_marks(marks);
                }
            }
            _ => {}
        }
    }

    fn on_sent(&mut self, sent: Sent) {
        let Sent { conversation, client_id: id, seq, .. } = sent;
        self.log.write(self.tab, self.me.id, What::Told { id, conversation, seq: seq.0 });
        let Some(talk) = self.talks.get_mut(&conversation) else { return };
        talk.goes_to(seq);
        if let Some(draft) = talk.stored(id) {
            talk.merge(Seen { seq: seq.0, sender: self.me.id, id, body: draft.body });
        }
    }

    fn on_message(&mut self, message: &Message) {
        let seen = Seen::from(message);
        let what = What::Heard { conversation: message.conversation, seen: seen.clone() };
        self.log.write(self.tab, self.me.id, what);
        if let Some(talk) = self.talks.get_mut(&message.conversation) {
            talk.merge(seen);
        }
    }

    fn on_refused(&mut self, place: Option<ConversationId>, id: ClientId, refusal: Refusal) {
        let code = refusal.code;
        // The server sends this code only for a forged text; the original message is stored.
        if code != ErrorCode::ClientIdReused {
            self.log.write(self.tab, self.me.id, What::Refused { id, code });
        }
        let Some(talk) = place.and_then(|place| self.talks.get_mut(&place)) else { return };
        if code.retry() == Retry::Never {
            talk.refused(id);
        } else {
            // Waits as long as the server requests, limited because a round is short.
            let wait = refusal.retry_after_ms.unwrap_or(100).min(1_000);
            talk.later(id, Instant::now() + Duration::from_millis(wait));
        }
    }

    fn compose(&mut self) {
        let ids: Vec<ConversationId> = self.sorted();
        let Some(id) = ids.get(self.chance.index(ids.len().max(1))) else { return };
        let Some(talk) = self.talks.get_mut(id) else { return };
        if talk.unsent() < MOST_UNSENT {
            self.ordinal += 1;
            let body = body(&mut self.chance, self.tab, self.ordinal, self.habits.body);
            talk.write(Draft { id: ClientId::new(), body, ordinal: self.ordinal });
        }
    }

    /// Returns the conversations in a reproducible order.
    fn sorted(&self) -> Vec<ConversationId> {
        let mut ids: Vec<ConversationId> = self.talks.keys().copied().collect();
        ids.sort_unstable();
        ids
    }

    async fn send_due(&mut self, line: &mut Line) -> Result<()> {
        let now = Instant::now();
        for conversation in self.sorted() {
            let Some(talk) = self.talks.get_mut(&conversation) else { continue };
            if let Some(id) = now.checked_sub(ANSWER_WITHIN).and_then(|then| talk.overdue(then)) {
                self.log.write(self.tab, self.me.id, What::Unknown { id });
            }
            if let Some(draft) = talk.due(now) {
                self.send(line, conversation, draft).await?;
            }
            self.send_again(line, conversation).await?;
        }
        Ok(())
    }

    async fn send(&mut self, line: &mut Line, place: ConversationId, draft: Draft) -> Result<()> {
        let twice = self.chance.percent(self.habits.repeats);
        if twice {
            self.log.fault("repeat at once");
        }
        for _ in 0..=u8::from(twice) {
            self.asked(place, &draft);
            if self.chance.percent(self.habits.calls) {
                self.call(place, &draft).await;
            } else {
                say(line, frame(place, &draft)).await?;
            }
        }
        Ok(())
    }

    /// Sends an acknowledged message again, or another text under its id.
    async fn send_again(&mut self, line: &mut Line, place: ConversationId) -> Result<()> {
        if *self.phase.borrow() != Phase::Writing {
            return Ok(());
        }
        let (repeats, forges) = (self.habits.repeats, self.habits.forges);
        let (repeats, forges) = (self.chance.percent(repeats), self.chance.percent(forges));
        let Some(talk) = self.talks.get(&place).filter(|talk| !talk.answered.is_empty()) else {
            return Ok(());
        };
        let mut draft = talk.answered[self.chance.index(talk.answered.len())].clone();
        if forges {
            self.log.fault("forged id");
            draft.body = format!("forged {}", draft.body);
            let what = What::Forged { id: draft.id, body: draft.body.clone() };
            self.log.write(self.tab, self.me.id, what);
            say(line, frame(place, &draft)).await?;
        } else if repeats {
            self.log.fault("repeat of an old message");
            self.asked(place, &draft);
            say(line, frame(place, &draft)).await?;
        }
        Ok(())
    }

    fn asked(&self, conversation: ConversationId, draft: &Draft) {
        let Draft { id, body, ordinal } = draft.clone();
        self.log.write(self.tab, self.me.id, What::Asked { id, conversation, body, ordinal });
    }

    /// Sends by an HTTP call.
    async fn call(&mut self, place: ConversationId, draft: &Draft) {
        let call = self.http.send(&self.me, place, draft.id, &draft.body);
        match timeout(ANSWER_WITHIN, call).await {
            Ok(Ok(Ok(sent))) => self.on_sent(sent),
            Ok(Ok(Err(refusal))) => self.on_refused(Some(place), draft.id, refusal),
            Ok(Err(_)) | Err(_) => {
                self.log.write(self.tab, self.me.id, What::Unknown { id: draft.id });
                if let Some(talk) = self.talks.get_mut(&place) {
                    talk.later(draft.id, Instant::now() + Duration::from_millis(200));
                }
            }
        }
    }

    async fn say_marks(&mut self, line: &mut Line, writing: bool) -> Result<()> {
        for conversation in self.sorted() {
            let stale = writing && self.chance.percent(self.habits.stale_marks);
            let reads = !writing || self.chance.percent(20);
            let back = i64::try_from(self.chance.within(1..30)).unwrap_or(1);
            let Some(talk) = self.talks.get_mut(&conversation) else { continue };
            let held = talk.held();
            let mut marks = Vec::new();
            if talk.said_delivered < held {
                talk.said_delivered = held;
                marks.push((held, false));
            }
            if reads && talk.said_read < held {
                talk.said_read = held;
                marks.push((held, true));
            }
            if stale && held > back {
                self.log.fault("stale mark");
                marks.push((held - back, writing && back % 2 == 0));
            }
            for (up_to, read) in marks {
                self.mark(line, conversation, Seq(up_to), read).await?;
            }
        }
        Ok(())
    }

    async fn mark(
        &mut self,
        line: &mut Line,
        conversation: ConversationId,
        up_to: Seq,
        read: bool,
    ) -> Result<()> {
        let marks = Marks { delivered: up_to, read: if read { up_to } else { Seq::ZERO } };
        self.log.write(self.tab, self.me.id, What::Marked { conversation, marks });
        let frame = if read {
            ClientFrame::Read { conversation, up_to }
        } else {
            ClientFrame::Delivered { conversation, up_to }
        };
        say(line, frame).await
    }

    /// Simulates a suspended browser: the connection is open and nothing is read.
    async fn hear_nothing(&mut self, clock: &mut Clock) {
        self.log.fault("stop reading to the end");
        // An error means that the round has already ended.
        let _ = self.phase.wait_for(|phase| *phase != Phase::Writing).await;
        sleep(LAST_WORDS).await;
        clock.heard = Instant::now();
    }

    /// Returns true after a reload, which ends the connection.
    async fn mischief(&mut self, clock: &mut Clock) -> bool {
        // Acts about once a second: a second has fifty beats.
        if !self.chance.percent(2) {
            return false;
        }
        if self.chance.percent(self.habits.reloads) {
            self.log.fault("reload");
            self.talks.values_mut().for_each(super::Talk::reload);
            return true;
        }
        if self.chance.percent(self.habits.stops_reading) {
            self.log.fault("stop reading");
            let pause = self.chance.millis(500..5_000);
            // Continues as soon as the phase changes.
            let _ = timeout(pause, self.phase.changed()).await;
            clock.heard = Instant::now();
        }
        false
    }
}

fn frame(conversation: ConversationId, draft: &Draft) -> ClientFrame {
    ClientFrame::Send { conversation, client_id: draft.id, body: draft.body.clone() }
}

async fn say(line: &mut Line, frame: ClientFrame) -> Result<()> {
    timeout(ANSWER_WITHIN, line.say(&frame)).await.context("nothing is taken")?
}

/// Sends a ping after silence, and fails once the connection counts as dead.
async fn watch(line: &mut Line, clock: &mut Clock) -> Result<()> {
    if clock.heard.elapsed() > DEAD_AFTER {
        bail!("nothing was heard for too long");
    }
    if clock.heard.elapsed() > PING_AFTER && clock.pinged.elapsed() > PING_AFTER {
        clock.pinged = Instant::now();
        say(line, ClientFrame::Ping).await?;
    }
    Ok(())
}
