//! The faults of one server over time: one blow at a time, with network faults running alongside.

use std::time::{Duration, Instant};

use anyhow::Result;
use harness::Person;

use super::failing::{self, Look};
use super::weather::Sky;
use crate::chance::Chance;
use crate::checker::{Invariant, Violation};
use crate::log::Log;
use crate::page::With;
use crate::plan::{Blow, Plan};
use crate::site::Site;

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

    /// Injects faults until the time is over. Adds failures of the server to `found`.
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
            self.sky().pass(&site.proxy, pause).await;
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
        self.sky().pass(&site.proxy, pause).await;
        site.start().await
    }

    fn sky(&mut self) -> Sky<'_> {
        Sky { breaks: self.plan.network, chance: &mut self.chance, log: &self.log }
    }
}
