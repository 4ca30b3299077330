//! A round of one server.

use anyhow::{Context, Result};
use harness::{Fixture, Random};

use super::{ClientSettings, Environment, Outcome, REPAIRED, TestClients, count_faults};
use crate::checker::{self, Evidence, Limits};
use crate::client_log::ClientLog;
use crate::disk::Disk;
use crate::faults::schedule::Schedule;
use crate::faults::server::ServerFaults;
use crate::store;
use crate::test_server::TestServer;

/// Runs a round.
///
/// # Errors
/// Fails if the harness itself failed, so that there is no verdict.
pub(crate) async fn run(
    environment: &Environment<'_>,
    fixture: &Fixture,
    schedule: &Schedule,
    random: &Random,
) -> Result<Outcome> {
    let log = ClientLog::new();
    let limits = Limits::default();
    let disk = Disk::create(schedule.disk, &fixture.copy()?, environment.disk_shim)?;
    let mut server = TestServer::open(environment.binary, disk, log.clone()).await?;
    let settings = ClientSettings {
        users: fixture.users(),
        address: server.address.clone(),
        behaviour: schedule.behaviour,
        suspended: schedule.suspended,
        duration: environment.duration,
        ends_within: limits.ends_within,
        must_close: schedule.faults.is_empty(),
    };
    let clients = TestClients::start(&settings, random, &log).await?;
    let mut violations = Vec::new();
    let mut faults = ServerFaults::new(schedule, random, log.clone(), &clients.memberships);
    faults.inject(&mut server, environment.duration, &mut violations).await;
    if let Err(error) = repair(&mut server, &log).await {
        violations.push(error.into());
    }
    let (settled, screens) = clients.end(&server.address, &log).await;
    if let Err(error) = server.stop().await {
        violations.push(error.into());
    }
    let stored = store::read(server.disk.path())?;
    let evidence = Evidence { events: log.events(), stored, screens, limits };
    violations.extend(checker::check(&evidence));
    Ok(Outcome {
        violations,
        faults: count_faults(&evidence.events),
        events: evidence.events,
        slowest_start: server.slowest_start,
        settled,
        server_log: server.server_log(),
    })
}

/// Repairs all faults, and starts the server if it does not run.
async fn repair(server: &mut TestServer, log: &ClientLog) -> Result<()> {
    server.disk.repair()?;
    server.proxy.repair(false);
    server.start().await.context("the server does not start again")?;
    log.note(REPAIRED);
    Ok(())
}
