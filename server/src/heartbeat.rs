//! When to ask a silent client whether it is there, and when to stop waiting.

use std::time::Duration;

use tokio::time::{Instant, sleep_until};

/// A silent client is asked after this; under the minute after which proxies cut a quiet line.
const ASK_AFTER: Duration = Duration::from_secs(25);
/// A client that was asked has this long to answer.
const ANSWER_WITHIN: Duration = Duration::from_secs(20);

/// The heartbeat of one socket.
pub struct Heartbeat {
    waiting: Waiting,
    until: Instant,
    /// A different few seconds for each socket, so that not all ask at once.
    offset: Duration,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Waiting {
    ToPing,
    ForPong,
}

/// What is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Beat {
    /// Ask.
    Ping,
    /// Nobody is there.
    Dead,
}

impl Heartbeat {
    /// Starts; `spread` is any number that differs from socket to socket.
    pub fn start(spread: u32) -> Self {
        let offset = Duration::from_millis(u64::from(spread % 5_000));
        Self { waiting: Waiting::ToPing, until: Instant::now() + ASK_AFTER - offset, offset }
    }

    /// Something was heard.
    pub fn heard(&mut self) {
        self.waiting = Waiting::ToPing;
        self.until = Instant::now() + ASK_AFTER - self.offset;
    }

    /// Waits for the next beat.
    ///
    /// # Cancel safety
    /// A cancelled call has changed nothing.
    pub async fn beat(&mut self) -> Beat {
        sleep_until(self.until).await;
        match self.waiting {
            Waiting::ToPing => {
                self.waiting = Waiting::ForPong;
                self.until = Instant::now() + ANSWER_WITHIN;
                Beat::Ping
            }
            Waiting::ForPong => Beat::Dead,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_silent_client_is_asked_and_then_given_up() {
        let start = Instant::now();
        let mut heartbeat = Heartbeat::start(0);
        assert_eq!(heartbeat.beat().await, Beat::Ping);
        assert_eq!(start.elapsed(), ASK_AFTER);
        heartbeat.heard();
        assert_eq!(heartbeat.beat().await, Beat::Ping);
        assert_eq!(heartbeat.beat().await, Beat::Dead);
        assert_eq!(start.elapsed(), ASK_AFTER * 2 + ANSWER_WITHIN);
    }
}
