//! One round: clients write to each other while faults are injected; then all faults are repaired,
//! and the checker decides whether every promise was kept.
//!
//! # Layout
//! - `one`: a round of one server; `storm`: its faults over time; `failing`: a failing disk
//! - `several`: a round of several nodes; `blast`: its faults over time
//! - `weather`: the network in front of both
//! - `guest`: sessions that end during the round
//! - `settle`: waits until all screens are equal

mod blast;
mod failing;
mod guest;
mod one;
mod settle;
mod several;
mod storm;
mod weather;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use harness::{Person, Town};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::chance::Chance;
use crate::checker::{Screen, Violation};
use crate::log::{Event, Log, Tab, What};
use crate::page::{Board, Habits, Page, Phase, With};
use crate::site::Address;
pub use {one::run, several::run_nodes};

/// Number of users in a round.
pub const PEOPLE: usize = 8;

/// Number of sessions that end during a round, and their first tab number.
const GUESTS: usize = 2;
const GUEST: u32 = 1_000;
/// Log entry after which no fault is active.
const MENDED: &str = "all is mended";

/// The environment that all rounds share.
pub struct Ground<'a> {
    /// The server.
    pub binary: &'a Path,
    /// Another version of the server, for replaced nodes.
    pub old: Option<&'a Path>,
    /// The shim for failing disks.
    pub disk_shim: Option<&'a Path>,
    /// The shim for wrong clocks.
    pub clock_shim: Option<&'a Path>,
    /// Time for which clients write.
    pub lasts: Duration,
}

/// The result of a round.
pub struct Outcome {
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
struct Scene<'a> {
    people: &'a [Person],
    address: Address,
    habits: Habits,
    /// Whether second tabs stop reading ([`Habits::deaf`]).
    deaf: bool,
    lasts: Duration,
    /// Time limit for ending a session, and whether its open connection must be closed within that
    /// time.
    ends_within: Option<Duration>,
    must_close: bool,
}

/// All clients of a round.
struct Crowd {
    tabs: JoinSet<Vec<Screen>>,
    phase: watch::Sender<Phase>,
    board: Board,
    with: Vec<(Person, Vec<With>)>,
}

impl Crowd {
    /// Opens conversations and tabs: each user has conversations with two others, and every second
    /// user has two tabs.
    async fn gather(scene: &Scene<'_>, chance: &Chance, log: &Log) -> Result<Self> {
        let people = scene.people.get(..PEOPLE).context("a town of too few")?;
        let with = open_conversations(people, &scene.address).await?;
        let (phase, phases) = watch::channel(Phase::Writing);
        let mut crowd = Self { tabs: JoinSet::new(), phase, board: Board::default(), with };
        let mut number = 0;
        for (place, (person, with)) in crowd.with.iter().enumerate() {
            for which in 0..=place % 2 {
                number += 1;
                let habits = Habits { deaf: scene.deaf && which > 0, ..scene.habits };
                let page = Page::open(
                    Tab(number),
                    person.clone(),
                    scene.address.clone(),
                    with,
                    log.clone(),
                    chance.split(u64::from(number)),
                    habits,
                    phases.clone(),
                    crowd.board.clone(),
                )?;
                crowd.tabs.spawn(page.live());
            }
        }
        crowd.invite(scene, chance, log)?;
        // Lets the first connections open before any fault.
        sleep(Duration::from_millis(200)).await;
        Ok(crowd)
    }

    fn invite(&mut self, scene: &Scene<'_>, chance: &Chance, log: &Log) -> Result<()> {
        for (place, (_, with)) in self.with.iter().enumerate().take(GUESTS) {
            let number = GUEST + u32::try_from(place)?;
            let guest = guest::Guest {
                tab: Tab(number),
                username: Town::username(place),
                with: with.clone(),
                address: scene.address.clone(),
                log: log.clone(),
                chance: chance.split(u64::from(number)),
                lasts: scene.lasts,
                ends_within: scene.ends_within,
                must_close: scene.must_close,
            };
            self.tabs.spawn(async move {
                // A guest that reaches no server contributes nothing.
                let _ = timeout(guest.longest(), guest.live()).await;
                Vec::new()
            });
        }
        Ok(())
    }

    /// Ends the writing. Returns the time until all screens were equal, and the screens.
    async fn end(self, address: &Address, log: &Log) -> (Option<Duration>, Vec<Screen>) {
        self.phase.send_replace(Phase::Settling);
        let settled = settle::settle(address, log, &self).await;
        self.phase.send_replace(Phase::Over);
        (settled, self.tabs.join_all().await.into_iter().flatten().collect())
    }
}

async fn open_conversations(
    people: &[Person],
    address: &Address,
) -> Result<Vec<(Person, Vec<With>)>> {
    let http = address.http()?;
    let mut with: Vec<(Person, Vec<With>)> =
        people.iter().map(|person| (person.clone(), Vec::new())).collect();
    for place in 0..people.len() {
        let next = (place + 1) % people.len();
        let conversation = http.open(&people[place], people[next].id).await?;
        with[place].1.push(With { conversation, peer: people[next].id });
        with[next].1.push(With { conversation, peer: people[place].id });
    }
    Ok(with)
}

/// Counts the faults of each kind up to the repair. Entries that report a recovery do not count.
fn count_faults(events: &[Event]) -> BTreeMap<String, u64> {
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
