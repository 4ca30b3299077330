//! The faults of the network between clients and servers.

use std::time::{Duration, Instant};

use tokio::time::sleep;

use crate::chance::Chance;
use crate::log::Log;
use crate::proxy::{Proxy, Weather};

pub(super) struct Sky<'a> {
    /// Whether faults are injected at all.
    pub(super) breaks: bool,
    pub(super) chance: &'a mut Chance,
    pub(super) log: &'a Log,
}

impl Sky<'_> {
    /// Waits, and injects network faults meanwhile.
    pub(super) async fn pass(&mut self, proxy: &Proxy, lasts: Duration) {
        let until = Instant::now() + lasts;
        while self.breaks && Instant::now() < until {
            let left = until.saturating_duration_since(Instant::now());
            sleep(self.chance.millis(20..250).min(left)).await;
            let which = self.chance.next();
            let delay = self.chance.millis(1..120);
            let (name, weather) = match self.chance.within(0..100) {
                0..20 => ("delay", Weather::Slow(delay)),
                20..45 => ("cut", Weather::Cut),
                45..55 => ("half-close to the server", Weather::HalfClosedUp),
                55..65 => ("half-close to the client", Weather::HalfClosedDown),
                65..80 => ("stall", Weather::Stalled),
                80..90 => ("swallow answers", Weather::Swallowed),
                _ => {
                    proxy.clear(false);
                    self.log.fault("the network is mended");
                    continue;
                }
            };
            if proxy.set(which, weather) {
                self.log.fault(name);
            }
        }
        sleep(until.saturating_duration_since(Instant::now())).await;
    }
}
