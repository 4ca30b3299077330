//! One round: people talk while things break; all is mended; then it is decided whether every promise
//! was kept.
//!
//! # Layout
//! - `one`: a round of one server; `storm`: what breaks, and when; `failing`: a disk that does
//! - `several`: a round of nodes; `blast`: what breaks, and when
//! - `weather`: the network before both
//! - `guest`: sessions that end during the round
//! - `settle`: waiting until all screens are the same

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

/// People in a round.
pub const PEOPLE: usize = 8;

/// Sessions that end during a round, and their first number.
const GUESTS: usize = 2;
const GUEST: u32 = 1_000;
/// From here on nothing is broken any more.
const MENDED: &str = "all is mended";

/// What all rounds share.
pub struct Ground<'a> {
    /// The server.
    pub binary: &'a Path,
    /// Another version of it, for nodes that are replaced.
    pub old: Option<&'a Path>,
    /// For disks that fail.
    pub disk_shim: Option<&'a Path>,
    /// For clocks that are wrong.
    pub clock_shim: Option<&'a Path>,
    /// How long people write.
    pub lasts: Duration,
}

/// What came of a round.
pub struct Outcome {
    /// What was not kept.
    pub violations: Vec<Violation>,
    /// What was written down.
    pub events: Vec<Event>,
    /// How often each fault was.
    pub faults: BTreeMap<String, u64>,
    /// The longest start of the server.
    pub slowest_start: Duration,
    /// How long it took until all screens were the same.
    pub settled: Option<Duration>,
    /// What the servers said.
    pub server_log: Vec<String>,
}

/// What everybody of a round needs to know.
struct Scene<'a> {
    people: &'a [Person],
    address: Address,
    habits: Habits,
    /// Whether second tabs are deaf.
    deaf: bool,
    lasts: Duration,
    /// How soon the servers must know that a session has ended, and whether its line must end then.
    ends_within: Option<Duration>,
    must_close: bool,
}

/// Everybody of a round, writing.
struct Crowd {
    tabs: JoinSet<Vec<Screen>>,
    phase: watch::Sender<Phase>,
    board: Board,
    with: Vec<(Person, Vec<With>)>,
}

impl Crowd {
    /// Opens conversations and tabs: everybody talks to two others, some in two tabs.
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
        // The first lines are up before anything breaks.
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
                // A guest that finds no server has nothing to tell.
                let _ = timeout(guest.longest(), guest.live()).await;
                Vec::new()
            });
        }
        Ok(())
    }

    /// Lets everybody come to an end: how long it took until all screens were the same, and what
    /// they show.
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

/// How often what was broken.
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
