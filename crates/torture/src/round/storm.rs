//! What breaks, and when: blows to the server one after the other, the network all the while.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::Result;
use harness::Person;
use tokio::time::sleep;

use super::failing::{self, Look};
use crate::chance::Chance;
use crate::checker::{Invariant, Violation};
use crate::log::{Event, Log, What};
use crate::page::With;
use crate::plan::{Blow, Plan};
use crate::proxy::{Proxy, Weather};
use crate::site::Site;

/// From here on nothing is broken any more.
pub(super) const MENDED: &str = "all is mended";

/// See the module.
pub(super) struct Storm<'a> {
    plan: &'a Plan,
    chance: Chance,
    log: Log,
    with: &'a [(Person, Vec<With>)],
}

impl<'a> Storm<'a> {
    pub(super) fn new(
        plan: &'a Plan,
        chance: &Chance,
        log: Log,
        with: &'a [(Person, Vec<With>)],
    ) -> Self {
        Self { plan, chance: chance.split(0), log, with }
    }

    /// Until the time is over. What a server did wrong meanwhile is added to `found`.
    pub(super) async fn rage(
        &mut self,
        site: &mut Site,
        lasts: Duration,
        found: &mut Vec<Violation>,
    ) {
        let until = Instant::now() + lasts;
        while Instant::now() < until {
            let left = until.saturating_duration_since(Instant::now());
            let pause = self.chance.millis(self.plan.between.clone()).min(left);
            self.weather(&site.proxy, pause).await;
            if self.plan.blows.is_empty() || Instant::now() >= until {
                continue;
            }
            let blow = self.plan.blows[self.chance.index(self.plan.blows.len())];
            if let Err(error) = self.strike(site, blow, found).await {
                found.push(Violation::new(Invariant::Server, format!("{error:#}")));
                return;
            }
        }
    }

    async fn strike(
        &mut self,
        site: &mut Site,
        blow: Blow,
        found: &mut Vec<Violation>,
    ) -> Result<()> {
        match blow {
            Blow::Kill => site.kill().await?,
            Blow::Term => site.stop().await?,
            Blow::Disk => {
                let look = Look { log: &self.log, with: self.with, is_calm: !self.plan.network };
                return failing::fail(site, &look, &mut self.chance, found).await;
            }
        }
        let pause = self.chance.millis(0..300);
        self.weather(&site.proxy, pause).await;
        site.start().await
    }

    /// Lets time pass, with the network as the plan wants it.
    async fn weather(&mut self, proxy: &Proxy, lasts: Duration) {
        let until = Instant::now() + lasts;
        while self.plan.network && Instant::now() < until {
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

/// How often what was broken.
pub(super) fn count(events: &[Event]) -> BTreeMap<String, u64> {
    let mut counts = BTreeMap::new();
    for event in events {
        let What::Fault(text) = &event.what else { continue };
        if text == MENDED {
            break;
        }
        let is_good_news = ["the ", "all ", "well "].iter().any(|start| text.starts_with(start));
        if !is_good_news {
            *counts.entry(text.clone()).or_default() += 1;
        }
    }
    counts
}
