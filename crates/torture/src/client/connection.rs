//! One connection of a tab, from hello to its end.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use harness::Connection;
use protocol::{ClientFrame, ConversationId, Cursor, Seq, ServerFrame};
use tokio::time::{sleep, timeout};

use super::{ANSWER_WITHIN, Client, ConversationState, FINAL_MESSAGES, Phase};
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
                self.observe(Observation::history_page(&page, peer, requested, Some(after)));
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
            self.conversations.values_mut().for_each(ConversationState::reload);
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

/// Sends a frame within the time limit.
pub(super) async fn send_frame(connection: &mut Connection, frame: ClientFrame) -> Result<()> {
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
