//! The faults of one server over time: one at a time, with network faults running alongside.

use std::time::{Duration, Instant};

use anyhow::Result;
use harness::{Random, TestUser};

use super::disk::{self, DiskObserver};
use super::network::NetworkFaults;
use super::schedule::{Schedule, ServerFault};
use super::{choose, next_pause};
use crate::checker::Violation;
use crate::client::Membership;
use crate::client_log::ClientLog;
use crate::test_server::TestServer;

/// Injects the faults of one server.
pub(crate) struct ServerFaults<'a> {
    schedule: &'a Schedule,
    random: Random,
    log: ClientLog,
    memberships: &'a [(TestUser, Vec<Membership>)],
}

impl<'a> ServerFaults<'a> {
    pub(crate) fn new(
        schedule: &'a Schedule,
        random: &Random,
        log: ClientLog,
        memberships: &'a [(TestUser, Vec<Membership>)],
    ) -> Self {
        Self { schedule, random: random.split(0), log, memberships }
    }

    /// Injects faults until the time is over. Adds failures of the server to `found`.
    pub(crate) async fn inject(
        &mut self,
        server: &mut TestServer,
        duration: Duration,
        found: &mut Vec<Violation>,
    ) {
        let until = Instant::now() + duration;
        while let Some(pause) = next_pause(until, &self.schedule.between, &mut self.random) {
            self.network().inject_for(&server.proxy, pause).await;
            if Instant::now() >= until {
                return;
            }
            let Some(fault) = choose(&self.schedule.faults, &mut self.random) else { continue };
            if let Err(error) = self.inject_one(server, fault, found).await {
                return found.push(error.into());
            }
        }
    }

    async fn inject_one(
        &mut self,
        server: &mut TestServer,
        fault: ServerFault,
        found: &mut Vec<Violation>,
    ) -> Result<()> {
        match fault {
            ServerFault::Kill => server.kill().await?,
            ServerFault::Term => server.stop().await?,
            ServerFault::Disk => {
                let observer = DiskObserver {
                    log: &self.log,
                    memberships: self.memberships,
                    is_only_fault: !self.schedule.network,
                };
                return disk::fail(server, &observer, &mut self.random, found).await;
            }
        }
        let pause = self.random.millis(0..300);
        self.network().inject_for(&server.proxy, pause).await;
        server.start().await
    }

    fn network(&mut self) -> NetworkFaults<'_> {
        NetworkFaults { enabled: self.schedule.network, random: &mut self.random, log: &self.log }
    }
}
