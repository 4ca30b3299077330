//! A round of one server.

use anyhow::{Context, Result};
use harness::Town;

use super::{Crowd, Ground, MENDED, Outcome, Scene, count_faults, storm};
use crate::chance::Chance;
use crate::checker::{self, Evidence, Invariant, Terms, Violation};
use crate::disk::Disk;
use crate::log::Log;
use crate::plan::Plan;
use crate::site::Site;
use crate::store;

/// Runs a round.
///
/// # Errors
/// Fails if the harness itself failed, so that there is no verdict.
pub async fn run(
    ground: &Ground<'_>,
    town: &Town,
    plan: &Plan,
    chance: &Chance,
) -> Result<Outcome> {
    let log = Log::new();
    let terms = Terms::default();
    let disk = Disk::with(plan.disk, &town.copy()?, ground.disk_shim)?;
    let mut site = Site::open(ground.binary, disk, log.clone()).await?;
    let scene = Scene {
        people: town.people(),
        address: site.address.clone(),
        habits: plan.habits,
        deaf: plan.deaf,
        lasts: ground.lasts,
        ends_within: terms.ends_within,
        must_close: plan.blows.is_empty(),
    };
    let crowd = Crowd::gather(&scene, chance, &log).await?;
    let mut violations = Vec::new();
    let mut storm = storm::Storm::new(plan, chance, log.clone(), &crowd.with);
    storm.rage(&mut site, ground.lasts, &mut violations).await;
    if let Err(error) = mend(&mut site, &log).await {
        violations.push(Violation::new(Invariant::Server, format!("{error:#}")));
    }
    let (settled, screens) = crowd.end(&site.address, &log).await;
    if let Err(error) = site.stop().await {
        violations.push(Violation::new(Invariant::Server, format!("{error:#}")));
    }
    let stored = store::read(site.disk.path())?;
    let evidence = Evidence { events: log.events(), stored, screens, terms };
    violations.extend(checker::check(&evidence));
    Ok(Outcome {
        violations,
        faults: count_faults(&evidence.events),
        events: evidence.events,
        slowest_start: site.slowest_start,
        settled,
        server_log: site.server_log(),
    })
}

/// Repairs all faults, and starts the server if it does not run.
async fn mend(site: &mut Site, log: &Log) -> Result<()> {
    site.disk.mend()?;
    site.proxy.clear(false);
    site.start().await.context("the server does not come back")?;
    log.fault(MENDED);
    Ok(())
}
