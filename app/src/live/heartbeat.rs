//! Detects a dead connection: when to send a ping, and when its answer is overdue. A connection can
//! die without a close event, so only an answer proves that it works. Each ping costs battery and
//! server time, so pings are frequent only while a user is active. Pure: `connection` passes the
//! clock and the user's activity.

/// Who would notice a dead connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interest {
    /// The page is hidden.
    Hidden,
    /// The page is visible but had no input for a while.
    Idle,
    /// The user is active.
    There,
    /// A message waits for its answer.
    Waiting,
}

/// Ping timeout while the user is active.
const ANSWER_MS: i64 = 4_000;
/// Ping interval and timeout while no user is active.
const CALM_MS: i64 = 25_000;
/// A timer later than this means that the page was suspended; received frames may not be processed
/// yet.
const LATE_MS: i64 = 2_000;
/// How often an idle page checks whether the user came back.
const LOOK_MS: i64 = 4_000;

impl Interest {
    /// Returns how long the connection may be silent before a ping.
    fn quiet_ms(self) -> i64 {
        match self {
            Self::Hidden | Self::Idle => CALM_MS,
            Self::There => 4_000,
            Self::Waiting => 3_000,
        }
    }

    fn answer_ms(self) -> i64 {
        match self {
            Self::Hidden | Self::Idle => CALM_MS,
            Self::There | Self::Waiting => ANSWER_MS,
        }
    }
}

/// What to do with a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Beat {
    Quiet,
    /// Send a ping.
    Ask,
    /// Close the connection: it is dead.
    Lost,
}

/// Liveness of one connection. Receiving a frame replaces it.
#[derive(Clone, Copy, Debug)]
pub struct Heartbeat {
    received_ms: i64,
    /// When the pending ping was sent, and its timeout.
    asked: Option<(i64, i64)>,
    /// Whether a ping was repeated because the page was suspended.
    excused: bool,
}

impl Heartbeat {
    /// Liveness of a connection that has just received a frame.
    pub fn new(now_ms: i64) -> Self {
        Self { received_ms: now_ms, asked: None, excused: false }
    }

    /// Returns when the last frame was received.
    pub fn received_ms(&self) -> i64 {
        self.received_ms
    }

    /// Records an extra ping, which has the short timeout.
    pub fn ask(&mut self, now_ms: i64) {
        self.asked = Some((now_ms, ANSWER_MS));
    }

    /// Returns the time until the next call of [`Self::check`].
    pub fn wait_ms(&self, now_ms: i64, interest: Interest) -> i64 {
        let wait = (self.due_ms(interest) - now_ms).max(0);
        if interest == Interest::Idle { wait.min(LOOK_MS) } else { wait }
    }

    /// Returns what to do now. A returned ping counts as sent.
    pub fn check(&mut self, now_ms: i64, interest: Interest) -> Beat {
        let late = now_ms - self.due_ms(interest);
        if late < 0 {
            return Beat::Quiet;
        }
        if self.asked.is_some() {
            if late < LATE_MS || self.excused {
                return Beat::Lost;
            }
            self.excused = true;
        }
        self.asked = Some((now_ms, interest.answer_ms()));
        Beat::Ask
    }

    fn due_ms(&self, interest: Interest) -> i64 {
        match self.asked {
            Some((at, within)) => at + within.min(interest.answer_ms()),
            None => self.received_ms + interest.quiet_ms(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dead_connection_is_detected_within_ten_seconds_while_the_user_is_active() {
        for (interest, dead_at) in [(Interest::There, 8_000), (Interest::Waiting, 7_000)] {
            let mut heartbeat = Heartbeat::new(0);
            let ask_at = heartbeat.wait_ms(0, interest);
            assert_eq!(heartbeat.check(ask_at - 1, interest), Beat::Quiet);
            assert_eq!(heartbeat.check(ask_at, interest), Beat::Ask);
            assert_eq!(heartbeat.wait_ms(ask_at, interest), ANSWER_MS);
            assert_eq!(heartbeat.check(dead_at - 1, interest), Beat::Quiet);
            assert_eq!(heartbeat.check(dead_at, interest), Beat::Lost);
        }
    }

    #[test]
    fn a_hidden_page_pings_rarely_and_pings_at_once_when_the_user_returns() {
        let mut heartbeat = Heartbeat::new(0);
        assert_eq!(heartbeat.wait_ms(0, Interest::Hidden), CALM_MS);
        assert_eq!(heartbeat.wait_ms(0, Interest::Idle), LOOK_MS);
        assert_eq!(heartbeat.check(LOOK_MS, Interest::Idle), Beat::Quiet);
        assert_eq!(heartbeat.check(LOOK_MS, Interest::There), Beat::Ask);
        let mut asked = Heartbeat::new(0);
        assert_eq!(asked.check(CALM_MS, Interest::Hidden), Beat::Ask);
        assert_eq!(asked.wait_ms(CALM_MS, Interest::Hidden), CALM_MS);
        assert_eq!(asked.wait_ms(CALM_MS, Interest::There), ANSWER_MS);
    }

    #[test]
    fn time_asleep_does_not_count_as_silence_of_the_connection() {
        let mut heartbeat = Heartbeat::new(0);
        assert_eq!(heartbeat.check(4_000, Interest::There), Beat::Ask);
        assert_eq!(heartbeat.check(60_000, Interest::There), Beat::Ask, "the page slept");
        assert_eq!(heartbeat.check(120_000, Interest::There), Beat::Lost, "twice is enough");
    }
}
