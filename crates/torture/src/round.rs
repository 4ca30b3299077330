//! One round: people talk while things break; all is mended; then it is decided whether every promise
//! was kept.
//!
//! # Layout
//! - `storm`: what breaks, and when; `failing`: a disk that does
//! - `guest`: sessions that end during the round
//! - `settle`: waiting until all screens are the same

mod failing;
mod guest;
mod settle;
mod storm;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use harness::{Person, Town};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::chance::Chance;
use crate::checker::{self, Evidence, Invariant, Violation};
use crate::disk::Disk;
use crate::log::{Event, Log, Tab};
use crate::page::{Board, Habits, Page, Phase, With};
use crate::plan::Plan;
use crate::site::Site;
use crate::store;

/// People in a round.
pub const PEOPLE: usize = 8;

/// Sessions that end during a round, and their first number.
const GUESTS: usize = 2;
const GUEST: u32 = 1_000;
/// How much longer than the others a guest may take.
const GUEST_WITHIN: Duration = Duration::from_secs(8);

/// What all rounds share.
pub struct Ground<'a> {
    /// The server.
    pub binary: &'a Path,
    /// People.
    pub town: &'a Town,
    /// For disks that fail.
    pub shim: Option<&'a Path>,
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

/// Everybody of a round, writing.
struct Crowd {
    tabs: JoinSet<Vec<checker::Screen>>,
    phase: watch::Sender<Phase>,
    board: Board,
    with: Vec<(Person, Vec<With>)>,
}

/// Runs a round.
///
/// # Errors
/// The harness itself failed: no verdict.
pub async fn run(ground: &Ground<'_>, plan: &Plan, chance: &Chance) -> Result<Outcome> {
    let log = Log::new();
    let disk = Disk::with(plan.disk, &ground.town.copy()?, ground.shim)?;
    let mut site = Site::open(ground.binary, disk, log.clone()).await?;
    let crowd = gather(ground, plan, chance, &site, &log).await?;
    let mut violations = Vec::new();
    let mut storm = storm::Storm::new(plan, chance, log.clone(), &crowd.with);
    storm.rage(&mut site, ground.lasts, &mut violations).await;
    if let Err(error) = mend(&mut site, &log).await {
        violations.push(Violation::new(Invariant::Server, format!("{error:#}")));
    }
    crowd.phase.send_replace(Phase::Settling);
    let settled = settle::settle(&site, &log, &crowd).await;
    crowd.phase.send_replace(Phase::Over);
    let screens = crowd.tabs.join_all().await.into_iter().flatten().collect();
    if let Err(error) = site.stop().await {
        violations.push(Violation::new(Invariant::Server, format!("{error:#}")));
    }
    let stored = store::read(site.disk.path())?;
    let evidence = Evidence { events: log.events(), stored, screens };
    violations.extend(checker::check(&evidence));
    Ok(Outcome {
        violations,
        faults: storm::count(&evidence.events),
        events: evidence.events,
        slowest_start: site.slowest_start,
        settled,
        server_log: site.server_log(),
    })
}

/// Mends all, and lets the server start if it is away.
async fn mend(site: &mut Site, log: &Log) -> Result<()> {
    site.disk.mend()?;
    site.proxy.clear(false);
    site.start().await.context("the server does not come back")?;
    log.fault(storm::MENDED);
    Ok(())
}

/// Opens conversations and tabs: everybody talks to two others, some in two tabs.
async fn gather(
    ground: &Ground<'_>,
    plan: &Plan,
    chance: &Chance,
    site: &Site,
    log: &Log,
) -> Result<Crowd> {
    let people = ground.town.people().get(..PEOPLE).context("a town of too few")?;
    let http = site.address.http()?;
    let mut with: Vec<(Person, Vec<With>)> =
        people.iter().map(|person| (person.clone(), Vec::new())).collect();
    for place in 0..people.len() {
        let next = (place + 1) % people.len();
        let conversation = http.open(&people[place], people[next].id).await?;
        with[place].1.push(With { conversation, peer: people[next].id });
        with[next].1.push(With { conversation, peer: people[place].id });
    }
    let (phase, phases) = watch::channel(Phase::Writing);
    let board = Board::default();
    let mut tabs = JoinSet::new();
    let mut number = 0;
    for (place, (person, with)) in with.iter().enumerate() {
        for which in 0..=place % 2 {
            number += 1;
            let habits = Habits { deaf: plan.deaf && which > 0, ..plan.habits };
            let page = Page::open(
                Tab(number),
                person.clone(),
                site.address.clone(),
                with,
                log.clone(),
                chance.split(u64::from(number)),
                habits,
                phases.clone(),
                board.clone(),
            )?;
            tabs.spawn(page.live());
        }
    }
    for (place, (_, with)) in with.iter().enumerate().take(GUESTS) {
        let number = GUEST + u32::try_from(place)?;
        let guest = guest::Guest {
            tab: Tab(number),
            username: Town::username(place),
            with: with.clone(),
            address: site.address.clone(),
            log: log.clone(),
            chance: chance.split(u64::from(number)),
        };
        let (lasts, steady) = (ground.lasts, plan.blows.is_empty());
        tabs.spawn(async move {
            // A guest that finds no server has nothing to tell.
            let _ = timeout(lasts + GUEST_WITHIN, guest.live(lasts, steady)).await;
            Vec::new()
        });
    }
    // The first lines are up before anything breaks.
    sleep(Duration::from_millis(200)).await;
    Ok(Crowd { tabs, phase, board, with })
}
