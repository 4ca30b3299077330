//! The faults of one server over time: one at a time, with network faults running alongside.

use std::time::{Duration, Instant};

use anyhow::Result;
use harness::{Random, TestUser};

use super::disk::{self, DiskObserver};
use super::network::NetworkFaults;
use super::schedule::{Schedule, ServerFault};
use crate::checker::Violation;
use crate::client::Membership;
use crate::client_log::ClientLog;
use crate::test_server::TestServer;

/// Injects the faults of one server.
pub struct ServerFaults<'a> {
    schedule: &'a Schedule,
    random: Random,
    log: ClientLog,
    memberships: &'a [(TestUser, Vec<Membership>)],
}

impl<'a> ServerFaults<'a> {
    pub fn new(
        schedule: &'a Schedule,
        random: &Random,
        log: ClientLog,
        memberships: &'a [(TestUser, Vec<Membership>)],
    ) -> Self {
        Self { schedule, random: random.split(0), log, memberships }
    }

    /// Injects faults until the time is over. Adds failures of the server to `found`.
    pub async fn inject(
        &mut self,
        server: &mut TestServer,
        duration: Duration,
        found: &mut Vec<Violation>,
    ) {
        let until = Instant::now() + duration;
        while Instant::now() < until {
            let left = until.saturating_duration_since(Instant::now());
            let pause = self.random.millis(self.schedule.between.clone()).min(left);
            self.network().inject_for(&server.proxy, pause).await;
            if self.schedule.faults.is_empty() || Instant::now() >= until {
                continue;
            }
            let fault = self.schedule.faults[self.random.index(self.schedule.faults.len())];
            if let Err(error) = self.inject_one(server, fault, found).await {
                found.push(error.into());
                return;
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
