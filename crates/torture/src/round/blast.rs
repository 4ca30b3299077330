//! The faults of several nodes over time: one stroke at a time, with silences and network faults
//! running alongside.

use std::ops::Range;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Result;
use tokio::sync::watch;
use tokio::time::sleep;

use super::weather::Sky;
use crate::chance::Chance;
use crate::checker::{Invariant, Violation};
use crate::log::Log;
use crate::nodes::{Behind, Nodes};
use crate::page::Phase;
use crate::plan::{NodesPlan, Stroke};
use crate::proxy::Weather;

/// Milliseconds for which a node, NATS or Postgres is unavailable: sometimes longer than the
/// timeout of a leader request or a lease.
const AWAY: Range<u64> = 50..5_000;
/// Milliseconds of a silence.
const SILENT: Range<u64> = 500..9_000;

/// A silenced direction between a node and a server behind it.
struct Silence {
    which: usize,
    behind: Behind,
    until: Instant,
}

pub(super) struct Blast<'a> {
    plan: &'a NodesPlan,
    /// The binaries that nodes alternate between.
    versions: [&'a Path; 2],
    chance: Chance,
    log: Log,
    silences: Vec<Silence>,
    rolls: usize,
    phase: watch::Sender<Phase>,
    /// Whether this is the last stroke, during which clients stop writing.
    is_last: bool,
}

impl<'a> Blast<'a> {
    pub(super) fn new(
        plan: &'a NodesPlan,
        versions: [&'a Path; 2],
        chance: &Chance,
        log: Log,
        phase: watch::Sender<Phase>,
    ) -> Self {
        Self {
            plan,
            versions,
            chance: chance.split(0),
            log,
            silences: Vec::new(),
            rolls: 0,
            phase,
            is_last: false,
        }
    }

    /// Injects faults until the time is over, then a last one during which clients stop writing,
    /// because later messages would hide what is lost at that point. Adds failures of nodes to
    /// `found`.
    pub(super) async fn rage(
        &mut self,
        nodes: &mut Nodes<'_>,
        lasts: Duration,
        found: &mut Vec<Violation>,
    ) {
        let until = Instant::now() + lasts;
        while Instant::now() < until {
            let left = until.saturating_duration_since(Instant::now());
            let pause = self.chance.millis(self.plan.between.clone()).min(left);
            self.wait(nodes, pause).await;
            if self.plan.strokes.is_empty() || Instant::now() >= until {
                continue;
            }
            if let Err(error) = self.strike(nodes).await {
                return found.push(Violation::new(Invariant::Server, format!("{error:#}")));
            }
        }
        self.is_last = true;
        if self.chance.percent(50) {
            // The last messages are in transit during the stroke.
            self.fall_silent();
            sleep(self.chance.millis(0..80)).await;
        }
        if let Err(error) = self.strike(nodes).await {
            found.push(Violation::new(Invariant::Server, format!("{error:#}")));
        }
        self.fall_silent();
        self.end_silences(nodes, |_| true);
    }

    fn fall_silent(&self) {
        if self.is_last {
            self.phase.send_replace(Phase::Settling);
        }
    }

    async fn strike(&mut self, nodes: &mut Nodes<'_>) -> Result<()> {
        let Some(last) = self.plan.strokes.len().checked_sub(1) else { return Ok(()) };
        let stroke = self.plan.strokes[self.chance.index(last + 1)];
        let which = self.chance.index(nodes.count());
        match stroke {
            Stroke::Kill => {
                nodes.kill(which).await?;
                self.away(nodes).await;
                return nodes.start(which).await;
            }
            Stroke::Roll => return self.roll(nodes).await,
            Stroke::SilenceBroker => self.silence(nodes, which, Behind::Broker).await,
            Stroke::SilenceDatabase => self.silence(nodes, which, Behind::Database).await,
            Stroke::EndBackends => {
                let percent = self.chance.within(20..101);
                let ended = nodes.end_backends(percent)?;
                for _ in 0..ended {
                    self.log.fault("terminated backend");
                }
            }
            Stroke::CrashBroker => {
                self.log.fault("kill -9 of NATS");
                nodes.machines().crash_broker()?;
                self.away(nodes).await;
                self.log.fault("the NATS is started again");
            }
            Stroke::FreezeBroker => {
                self.log.fault("NATS stands still");
                nodes.machines().freeze_broker()?;
                self.away(nodes).await;
            }
            Stroke::CrashDatabase => {
                self.log.fault("immediate stop of Postgres");
                nodes.machines().crash_postgres()?;
                self.away(nodes).await;
                self.log.fault("the Postgres is started again");
            }
        }
        nodes.machines().mend()
    }

    /// Restarts one node after the other while the others serve.
    async fn roll(&mut self, nodes: &mut Nodes<'_>) -> Result<()> {
        self.rolls += 1;
        for which in 0..nodes.count() {
            nodes.set_binary(which, self.versions[self.rolls % 2]);
            // The node must reach both servers to shut down, and to start before the next node is
            // replaced.
            self.end_silences(nodes, |silence| silence.which == which);
            nodes.stop(which).await?;
            nodes.start(which).await?;
            let pause = self.chance.millis(0..500);
            self.wait(nodes, pause).await;
            self.fall_silent();
        }
        Ok(())
    }

    /// Silences one direction. Never cuts a node off from both servers.
    async fn silence(&mut self, nodes: &Nodes<'_>, which: usize, behind: Behind) {
        let until = Instant::now() + self.chance.millis(SILENT);
        let up = self.chance.percent(50);
        if self.silences.iter().any(|silence| silence.which == which) {
            return;
        }
        let weather = if up { Weather::SilentUp } else { Weather::SilentDown };
        let name = behind.name();
        self.log.fault(if up {
            format!("silence to {name}")
        } else {
            format!("silence from {name}")
        });
        self.log.fault(format!("the node {which} does not get through"));
        nodes.set_weather(which, behind, weather);
        self.silences.push(Silence { which, behind, until });
        if self.is_last {
            self.away(nodes).await;
        }
    }

    async fn away(&mut self, nodes: &Nodes<'_>) {
        let pause = self.chance.millis(AWAY) / 2;
        self.wait(nodes, pause).await;
        self.fall_silent();
        self.wait(nodes, pause).await;
    }

    /// Waits, injects network faults meanwhile, and ends silences when they are due.
    async fn wait(&mut self, nodes: &Nodes<'_>, lasts: Duration) {
        let until = Instant::now() + lasts;
        loop {
            let now = Instant::now();
            self.end_silences(nodes, |silence| silence.until <= now);
            let next = self.silences.iter().map(|silence| silence.until).chain([until]).min();
            let pause = next.unwrap_or(until).min(until).saturating_duration_since(now);
            let mut sky =
                Sky { breaks: self.plan.network, chance: &mut self.chance, log: &self.log };
            sky.pass(&nodes.proxy, pause).await;
            if Instant::now() >= until {
                return;
            }
        }
    }

    fn end_silences(&mut self, nodes: &Nodes<'_>, is_over: impl Fn(&Silence) -> bool) {
        for silence in self.silences.extract_if(.., |silence| is_over(silence)) {
            // Delayed data arrives late, or never.
            let cut = self.chance.percent(30);
            nodes.clear(silence.which, silence.behind, cut);
            let name = silence.behind.name();
            self.log.fault(format!("the node {} gets through to {name}", silence.which));
        }
    }
}
