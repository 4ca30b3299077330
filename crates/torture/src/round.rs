//! One round: clients write to each other while faults are injected; then all faults are repaired,
//! and the checker decides whether every promise was kept.
//!
//! # Layout
//! - `one_server`: a round of one server; `several_nodes`: a round of several nodes
//! - `ending_session`: sessions that end during the round
//! - `settle`: waits until all screens are equal

mod ending_session;
mod one_server;
mod settle;
mod several_nodes;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::PoisonError;
use std::time::Duration;

use anyhow::{Context, Result};
use harness::{Fixture, Random, TestUser};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::checker::{Screen, Violation};
use crate::client::{Behaviour, Client, Membership, Phase, ProgressMap};
use crate::client_log::{ClientLog, Event, Observation, Tab};
use crate::test_server::Address;
pub(crate) use {one_server::run, several_nodes::run_nodes};

/// Number of users in a round.
pub(crate) const USERS: usize = 8;

/// Number of sessions that end during a round, and their first tab number.
const ENDING_SESSIONS: usize = 2;
const FIRST_ENDING_TAB: u32 = 1_000;
/// Time limit for all tabs to connect for the first time, and interval of the checks.
const CONNECTED_WITHIN: Duration = Duration::from_secs(30);
const CHECK_EVERY: Duration = Duration::from_millis(20);
/// Log entry after which no fault is active.
const REPAIRED: &str = "all faults are repaired";

/// The environment that all rounds share.
pub(crate) struct Environment<'a> {
    /// The server.
    pub binary: &'a Path,
    /// Another version of the server, for replaced nodes.
    pub old: Option<&'a Path>,
    /// The shim for failing disks.
    pub disk_shim: Option<&'a Path>,
    /// The shim for wrong clocks.
    pub clock_shim: Option<&'a Path>,
    /// Time for which clients write.
    pub duration: Duration,
}

/// The result of a round.
pub(crate) struct Outcome {
    pub violations: Vec<Violation>,
    pub events: Vec<Event>,
    /// Number of faults of each kind.
    pub faults: BTreeMap<String, u64>,
    /// The longest start of a server.
    pub slowest_start: Duration,
    /// Time until all screens were equal; `None` if that did not happen.
    pub settled: Option<Duration>,
    pub server_log: Vec<String>,
}

/// The settings of a round's clients.
struct ClientSettings<'a> {
    users: &'a [TestUser],
    address: Address,
    behaviour: Behaviour,
    /// Whether second tabs stop reading ([`Behaviour::suspended`]).
    suspended: bool,
    duration: Duration,
    /// Time limit for ending a session, and whether its open connection must be closed within that
    /// time.
    ends_within: Option<Duration>,
    must_close: bool,
}

/// All clients of a round.
struct TestClients {
    tabs: JoinSet<Vec<Screen>>,
    phase: watch::Sender<Phase>,
    progress: ProgressMap,
    memberships: Vec<(TestUser, Vec<Membership>)>,
}

impl TestClients {
    /// Opens conversations and tabs: each user has conversations with two others, and every second
    /// user has two tabs.
    async fn start(
        settings: &ClientSettings<'_>,
        random: &Random,
        log: &ClientLog,
    ) -> Result<Self> {
        let users = settings.users.get(..USERS).context("the fixture has too few users")?;
        let memberships = open_conversations(users, &settings.address).await?;
        let (phase, phases) = watch::channel(Phase::Writing);
        let mut clients =
            Self { tabs: JoinSet::new(), phase, progress: ProgressMap::default(), memberships };
        let mut number = 0;
        for (index, (user, memberships)) in clients.memberships.iter().enumerate() {
            for which in 0..=index % 2 {
                number += 1;
                let behaviour =
                    Behaviour { suspended: settings.suspended && which > 0, ..settings.behaviour };
                let client = Client::open(
                    Tab(number),
                    user.clone(),
                    settings.address.clone(),
                    memberships,
                    log.clone(),
                    random.split(u64::from(number)),
                    behaviour,
                    phases.clone(),
                    clients.progress.clone(),
                )?;
                clients.tabs.spawn(client.run());
            }
        }
        clients.start_ending_sessions(settings, random, log)?;
        let connected = clients.wait_until_connected(number);
        timeout(CONNECTED_WITHIN, connected)
            .await
            .context("not every tab has connected in time")?;
        Ok(clients)
    }

    /// Waits until this many tabs have a connection, so that no fault precedes the first ones.
    async fn wait_until_connected(&self, tabs: u32) {
        let is_connected = || {
            let progress = self.progress.lock().unwrap_or_else(PoisonError::into_inner);
            let connected = progress.values().filter(|tab| tab.connected).count();
            u32::try_from(connected).is_ok_and(|connected| connected >= tabs)
        };
        while !is_connected() {
            sleep(CHECK_EVERY).await;
        }
    }

    fn start_ending_sessions(
        &mut self,
        settings: &ClientSettings<'_>,
        random: &Random,
        log: &ClientLog,
    ) -> Result<()> {
        for (index, (_, memberships)) in self.memberships.iter().enumerate().take(ENDING_SESSIONS) {
            let number = FIRST_ENDING_TAB + u32::try_from(index)?;
            let ending_session = ending_session::EndingSession {
                tab: Tab(number),
                username: Fixture::username(index),
                memberships: memberships.clone(),
                address: settings.address.clone(),
                log: log.clone(),
                random: random.split(u64::from(number)),
                latest: settings.duration,
                ends_within: settings.ends_within,
                must_close: settings.must_close,
            };
            self.tabs.spawn(async move {
                // A client that reaches no server contributes nothing.
                let _ = timeout(ending_session.longest(), ending_session.run()).await;
                Vec::new()
            });
        }
        Ok(())
    }

    /// Ends the writing. Returns the time until all screens were equal, and the screens.
    async fn end(self, address: &Address, log: &ClientLog) -> (Option<Duration>, Vec<Screen>) {
        self.phase.send_replace(Phase::Settling);
        let settled = settle::settle(address, log, &self).await;
        self.phase.send_replace(Phase::Ended);
        (settled, self.tabs.join_all().await.into_iter().flatten().collect())
    }
}

async fn open_conversations(
    users: &[TestUser],
    address: &Address,
) -> Result<Vec<(TestUser, Vec<Membership>)>> {
    let http = address.http()?;
    let mut memberships: Vec<(TestUser, Vec<Membership>)> =
        users.iter().map(|user| (user.clone(), Vec::new())).collect();
    for index in 0..users.len() {
        let next = (index + 1) % users.len();
        let conversation = http.introduce(&users[index], &users[next]).await?;
        memberships[index].1.push(Membership { conversation, peer: users[next].id });
        memberships[next].1.push(Membership { conversation, peer: users[index].id });
    }
    Ok(memberships)
}

/// Counts the faults of each kind up to the repair.
fn count_faults(events: &[Event]) -> BTreeMap<String, u64> {
    let mut counts = BTreeMap::new();
    for event in events {
        match &event.observation {
            Observation::Fault(text) => *counts.entry(text.clone()).or_default() += 1,
            Observation::Note(text) if text == REPAIRED => break,
            _ => {}
        }
    }
    counts
}
