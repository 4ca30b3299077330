//! The faults of the network between clients and servers.

use std::ops::Range;
use std::time::{Duration, Instant};

use harness::Random;
use tokio::time::sleep;

use super::next_pause;
use crate::client_log::ClientLog;
use crate::proxy::{Condition, Proxy};

/// Milliseconds between network faults.
const BETWEEN: Range<u64> = 20..250;

/// Injects network faults.
pub(super) struct NetworkFaults<'a> {
    /// Whether faults are injected at all.
    pub(super) enabled: bool,
    pub(super) random: &'a mut Random,
    pub(super) log: &'a ClientLog,
}

impl NetworkFaults<'_> {
    /// Waits, and injects network faults meanwhile.
    pub(super) async fn inject_for(&mut self, proxy: &Proxy, duration: Duration) {
        let until = Instant::now() + duration;
        while self.enabled
            && let Some(pause) = next_pause(until, &BETWEEN, self.random)
        {
            sleep(pause).await;
            let which = self.random.next_u64();
            let delay = self.random.millis(1..120);
            let (name, condition) = match self.random.within(0..100) {
                0..20 => ("delay", Condition::Delayed(delay)),
                20..45 => ("cut", Condition::Reset),
                45..55 => ("half-close to the server", Condition::HalfClosedUp),
                55..65 => ("half-close to the client", Condition::HalfClosedDown),
                65..80 => ("stall", Condition::Stalled),
                80..90 => ("drop answers", Condition::AnswersDropped),
                _ => {
                    proxy.repair(false);
                    self.log.note("the network is repaired");
                    continue;
                }
            };
            if proxy.set(which, condition) {
                self.log.fault(name);
            }
        }
        sleep(until.saturating_duration_since(Instant::now())).await;
    }
}
