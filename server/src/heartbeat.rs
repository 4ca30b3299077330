//! The heartbeat of a WebSocket: when to ping a silent client, and when to close the connection.
//! This module only keeps the times; [`crate::socket`] sends and closes.

use std::pin::Pin;
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep_until};

/// Silence before a ping. Below the one minute after which proxies close an idle connection.
const PING_AFTER: Duration = Duration::from_secs(25);
/// Time limit for any sign of life after a ping.
const PONG_WITHIN: Duration = Duration::from_secs(20);

pub(crate) struct Heartbeat {
    waiting: Waiting,
    /// One timer serves the whole life of the socket, because the creation of a timer takes the lock of
    /// the runtime's timers, and a later deadline does not.
    timer: Pin<Box<Sleep>>,
    /// A few seconds that differ between sockets, so that the pings spread over time.
    offset: Duration,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Waiting {
    ToPing,
    ForPong,
}

/// The action that is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HeartbeatAction {
    /// Send a ping.
    Ping,
    /// The client has not answered in time.
    Dead,
}

impl Heartbeat {
    /// Starts the heartbeat. `spread` is any number that differs between sockets.
    pub(crate) fn start(spread: u32) -> Self {
        let offset = Duration::from_millis(u64::from(spread % 5_000));
        let timer = Box::pin(sleep_until(Instant::now() + PING_AFTER - offset));
        Self { waiting: Waiting::ToPing, timer, offset }
    }

    /// Restarts the timer after the client sent something.
    pub(crate) fn received(&mut self) {
        self.waiting = Waiting::ToPing;
        self.timer.as_mut().reset(Instant::now() + PING_AFTER - self.offset);
    }

    /// Waits for the next action.
    ///
    /// # Cancel safety
    /// Cancelling this call changes nothing.
    pub(crate) async fn next_action(&mut self) -> HeartbeatAction {
        self.timer.as_mut().await;
        match self.waiting {
            Waiting::ToPing => {
                self.waiting = Waiting::ForPong;
                self.timer.as_mut().reset(Instant::now() + PONG_WITHIN);
                HeartbeatAction::Ping
            }
            Waiting::ForPong => HeartbeatAction::Dead,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_silent_client_is_pinged_and_then_dead() {
        let start = Instant::now();
        let mut heartbeat = Heartbeat::start(0);
        assert_eq!(heartbeat.next_action().await, HeartbeatAction::Ping);
        assert_eq!(start.elapsed(), PING_AFTER);
        heartbeat.received();
        assert_eq!(heartbeat.next_action().await, HeartbeatAction::Ping);
        assert_eq!(heartbeat.next_action().await, HeartbeatAction::Dead);
        assert_eq!(start.elapsed(), PING_AFTER * 2 + PONG_WITHIN);
    }
}
