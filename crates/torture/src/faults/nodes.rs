//! The faults of several nodes over time: one at a time, with silences and network faults
//! running alongside.

use std::ops::Range;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Result;
use harness::Random;
use tokio::sync::watch;
use tokio::time::sleep;

use super::network::NetworkFaults;
use super::schedule::{NodeFault, NodesSchedule};
use super::{choose, next_pause};
use crate::checker::Violation;
use crate::client::Phase;
use crate::client_log::ClientLog;
use crate::nodes::{Backend, Nodes};
use crate::proxy::Condition;

/// Milliseconds for which a node, NATS or Postgres is unavailable: sometimes longer than the
/// timeout of a leader request or a lease.
const OUTAGE: Range<u64> = 50..5_000;
/// Milliseconds of a silence.
const SILENCE: Range<u64> = 500..9_000;

/// A silenced direction between a node and a server behind it.
struct Silence {
    which: usize,
    backend: Backend,
    until: Instant,
}

/// Injects the faults of several nodes.
pub(crate) struct NodeFaults<'a> {
    schedule: &'a NodesSchedule,
    /// The binaries that nodes alternate between.
    versions: [&'a Path; 2],
    random: Random,
    log: ClientLog,
    silences: Vec<Silence>,
    rolls: usize,
    phase: watch::Sender<Phase>,
    /// Whether this is the last fault, during which clients stop writing.
    is_last: bool,
}

impl<'a> NodeFaults<'a> {
    pub(crate) fn new(
        schedule: &'a NodesSchedule,
        versions: [&'a Path; 2],
        random: &Random,
        log: ClientLog,
        phase: watch::Sender<Phase>,
    ) -> Self {
        Self {
            schedule,
            versions,
            random: random.split(0),
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
    pub(crate) async fn inject(
        &mut self,
        nodes: &mut Nodes<'_>,
        duration: Duration,
        found: &mut Vec<Violation>,
    ) {
        let until = Instant::now() + duration;
        while let Some(pause) = next_pause(until, &self.schedule.between, &mut self.random) {
            self.wait(nodes, pause).await;
            if Instant::now() >= until {
                break;
            }
            if let Err(error) = self.inject_one(nodes).await {
                return found.push(error.into());
            }
        }
        self.is_last = true;
        if self.random.percent(50) {
            // The last messages are in transit during the fault.
            self.stop_writing();
            sleep(self.random.millis(0..80)).await;
        }
        if let Err(error) = self.inject_one(nodes).await {
            found.push(error.into());
        }
        self.stop_writing();
        self.end_silences(nodes, |_| true);
    }

    fn stop_writing(&self) {
        if self.is_last {
            self.phase.send_replace(Phase::Settling);
        }
    }

    async fn inject_one(&mut self, nodes: &mut Nodes<'_>) -> Result<()> {
        let Some(fault) = choose(&self.schedule.faults, &mut self.random) else { return Ok(()) };
        let which = self.random.index(nodes.count());
        match fault {
            NodeFault::Kill => {
                nodes.kill(which).await?;
                self.wait_for_outage(nodes).await;
                return nodes.start(which).await;
            }
            NodeFault::Roll => return self.roll(nodes).await,
            NodeFault::SilenceBroker => self.silence(nodes, which, Backend::Broker).await,
            NodeFault::SilenceDatabase => self.silence(nodes, which, Backend::Database).await,
            NodeFault::TerminateConnections => {
                let percent = self.random.within(20..101);
                let ended = nodes.terminate_connections(percent)?;
                for _ in 0..ended {
                    self.log.fault("terminated connection of Postgres");
                }
            }
            NodeFault::CrashBroker => {
                self.log.fault("kill -9 of NATS");
                nodes.servers().crash_broker()?;
                self.wait_for_outage(nodes).await;
                self.log.note("NATS is started again");
            }
            NodeFault::FreezeBroker => {
                self.log.fault("pause of NATS");
                nodes.servers().freeze_broker()?;
                self.wait_for_outage(nodes).await;
            }
            NodeFault::CrashDatabase => {
                self.log.fault("immediate stop of Postgres");
                nodes.servers().crash_postgres()?;
                self.wait_for_outage(nodes).await;
                self.log.note("Postgres is started again");
            }
        }
        nodes.servers().repair()
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
            let pause = self.random.millis(0..500);
            self.wait(nodes, pause).await;
            self.stop_writing();
        }
        Ok(())
    }

    /// Silences one direction. Never cuts a node off from both servers.
    async fn silence(&mut self, nodes: &Nodes<'_>, which: usize, backend: Backend) {
        let until = Instant::now() + self.random.millis(SILENCE);
        let up = self.random.percent(50);
        if self.silences.iter().any(|silence| silence.which == which) {
            return;
        }
        let condition = if up { Condition::StalledUp } else { Condition::StalledDown };
        let name = backend.name();
        self.log.fault(if up {
            format!("silence to {name}")
        } else {
            format!("silence from {name}")
        });
        self.log.note(format!("node {which} is cut off from {name}"));
        nodes.set_condition(which, backend, condition);
        self.silences.push(Silence { which, backend, until });
        if self.is_last {
            self.wait_for_outage(nodes).await;
        }
    }

    async fn wait_for_outage(&mut self, nodes: &Nodes<'_>) {
        let pause = self.random.millis(OUTAGE) / 2;
        self.wait(nodes, pause).await;
        self.stop_writing();
        self.wait(nodes, pause).await;
    }

    /// Waits, injects network faults meanwhile, and ends silences when they are due.
    async fn wait(&mut self, nodes: &Nodes<'_>, duration: Duration) {
        let until = Instant::now() + duration;
        loop {
            let now = Instant::now();
            self.end_silences(nodes, |silence| silence.until <= now);
            let next = self.silences.iter().map(|silence| silence.until).chain([until]).min();
            let pause = next.unwrap_or(until).min(until).saturating_duration_since(now);
            let mut network = NetworkFaults {
                enabled: self.schedule.network,
                random: &mut self.random,
                log: &self.log,
            };
            network.inject_for(&nodes.proxy, pause).await;
            if Instant::now() >= until {
                return;
            }
        }
    }

    fn end_silences(&mut self, nodes: &Nodes<'_>, is_over: impl Fn(&Silence) -> bool) {
        for silence in self.silences.extract_if(.., |silence| is_over(silence)) {
            // Delayed data arrives late, or never.
            let cut = self.random.percent(30);
            nodes.repair_link(silence.which, silence.backend, cut);
            let name = silence.backend.name();
            self.log.note(format!("node {} reaches {name} again", silence.which));
        }
    }
}
