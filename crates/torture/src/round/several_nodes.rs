//! A round of several nodes.

use std::path::Path;

use anyhow::{Context, Result};
use harness::Random;

use super::{
    ClientSettings, Environment, Outcome, REPAIRED, TestClients, count_faults, open_conversations,
};
use crate::checker::{self, Evidence, Invariant, Violation};
use crate::client_log::ClientLog;
use crate::faults::nodes::NodeFaults;
use crate::faults::schedule::NodesSchedule;
use crate::nodes::{NodeSettings, Nodes, SharedServers, StoreCopy};
use crate::test_server::Address;

/// Seed offset, so that clients of the copy behave differently from those of the original.
const COPY: u64 = 1_000_000;

/// Runs a round.
///
/// # Errors
/// Fails if the harness itself failed, so that there is no verdict.
pub(crate) async fn run_nodes(
    environment: &Environment<'_>,
    servers: &mut SharedServers,
    schedule: &NodesSchedule,
    random: &Random,
    number: u64,
) -> Result<Outcome> {
    let log = ClientLog::new();
    let users = servers.users().to_vec();
    // Each roll replaces one version with the other.
    let versions = [environment.old.unwrap_or(environment.binary), environment.binary];
    let node_settings = NodeSettings {
        binary: versions[0],
        clocks: environment.clock_shim.zip(schedule.clocks.as_deref()),
    };
    let mut nodes = Nodes::open(servers, &node_settings, number, log.clone()).await?;
    let settings = |address: &Address| ClientSettings {
        users: &users,
        address: address.clone(),
        behaviour: schedule.behaviour,
        suspended: schedule.suspended,
        duration: environment.duration,
        ends_within: schedule.limits.ends_within,
        must_close: schedule.limits.ends_within.is_some(),
    };
    let copy_under_test = match schedule.copy {
        true => Some(CopyUnderTest::open(&nodes, environment.binary, &settings, random).await?),
        false => None,
    };
    let clients = TestClients::start(&settings(&nodes.address), random, &log).await?;
    let mut violations = Vec::new();
    let mut faults =
        NodeFaults::new(schedule, versions, random, log.clone(), clients.phase.clone());
    faults.inject(&mut nodes, environment.duration, &mut violations).await;
    let repaired = nodes.repair().await.context("not every server starts again");
    let mut report_violation = |text| violations.push(Violation::new(Invariant::Server, text));
    match repaired {
        Ok(()) => log.note(REPAIRED),
        Err(error) => report_violation(format!("{error:#}")),
    }
    let (settled, screens) = clients.end(&nodes.address, &log).await;
    let mut server_log = nodes.server_log();
    let mut copy = None;
    if let Some(copy_under_test) = copy_under_test {
        server_log.extend(copy_under_test.copy.server_log());
        copy = Some(copy_under_test.end(&nodes, schedule, &mut report_violation).await?);
    }
    let stored = nodes.end(&mut report_violation).await?;
    let evidence = Evidence { events: log.events(), stored, screens, limits: schedule.limits };
    violations.extend(checker::check(&evidence));
    if let Some(copy) = copy {
        let in_the_copy = |Violation { invariant, text }| {
            Violation::new(invariant, format!("in the copy: {text}"))
        };
        violations.extend(checker::check(&copy).into_iter().map(in_the_copy));
        violations.extend(checker::check_apart(&evidence, &copy));
    }
    Ok(Outcome {
        violations,
        faults: count_faults(&evidence.events),
        events: evidence.events,
        slowest_start: nodes.slowest_start,
        settled,
        server_log,
    })
}

/// A copy of the store, made before any message was sent, and the same users as its clients.
struct CopyUnderTest {
    copy: StoreCopy,
    clients: TestClients,
    log: ClientLog,
}

impl CopyUnderTest {
    async fn open<'a>(
        nodes: &Nodes<'_>,
        binary: &Path,
        settings: &impl Fn(&Address) -> ClientSettings<'a>,
        random: &Random,
    ) -> Result<Self> {
        let original = settings(&nodes.address);
        open_conversations(original.users, &original.address).await?;
        let copy = StoreCopy::open(nodes, binary).await.context("the copy")?;
        let log = ClientLog::new();
        let clients =
            TestClients::start(&settings(&copy.address), &random.split(COPY), &log).await?;
        Ok(Self { copy, clients, log })
    }

    async fn end(
        self,
        nodes: &Nodes<'_>,
        schedule: &NodesSchedule,
        report_violation: &mut impl FnMut(String),
    ) -> Result<Evidence> {
        let (_, screens) = self.clients.end(&self.copy.address, &self.log).await;
        let stored = self.copy.end(nodes, report_violation).await?;
        Ok(Evidence { events: self.log.events(), stored, screens, limits: schedule.limits })
    }
}
