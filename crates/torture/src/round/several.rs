//! A round of several nodes.

use anyhow::{Context, Result};

use super::{Crowd, Ground, MENDED, Outcome, Scene, blast, count_faults};
use crate::chance::Chance;
use crate::checker::{self, Evidence, Invariant, Violation};
use crate::log::Log;
use crate::nodes::{Machines, Nodes, Wishes};
use crate::plan::NodesPlan;

/// Runs a round.
///
/// # Errors
/// The harness itself failed: no verdict.
pub async fn run_nodes(
    ground: &Ground<'_>,
    machines: &mut Machines,
    plan: &NodesPlan,
    chance: &Chance,
    number: u64,
) -> Result<Outcome> {
    let log = Log::new();
    let people = machines.people().to_vec();
    // A roll replaces what ran before, and the next one goes back.
    let versions = [ground.old.unwrap_or(ground.binary), ground.binary];
    let wishes =
        Wishes { binary: versions[0], clocks: ground.clock_shim.zip(plan.clocks.as_deref()) };
    let mut nodes = Nodes::open(machines, &wishes, number, log.clone()).await?;
    let scene = Scene {
        people: &people,
        address: &nodes.address,
        habits: plan.habits,
        deaf: plan.deaf,
        lasts: ground.lasts,
        ends_within: plan.terms.ends_within,
        must_close: plan.terms.ends_within.is_some(),
    };
    let crowd = Crowd::gather(&scene, chance, &log).await?;
    let mut violations = Vec::new();
    let mut blast = blast::Blast::new(plan, versions, chance, log.clone(), crowd.phase.clone());
    blast.rage(&mut nodes, ground.lasts, &mut violations).await;
    let mended = nodes.mend().await.context("not all comes back");
    let mut complain = |text| violations.push(Violation::new(Invariant::Server, text));
    match mended {
        Ok(()) => log.fault(MENDED),
        Err(error) => complain(format!("{error:#}")),
    }
    let (settled, screens) = crowd.end(&nodes.address, &log).await;
    let server_log = nodes.server_log();
    let stored = nodes.end(&mut complain).await?;
    let evidence = Evidence { events: log.events(), stored, screens, terms: plan.terms };
    violations.extend(checker::check(&evidence));
    Ok(Outcome {
        violations,
        faults: count_faults(&evidence.events),
        events: evidence.events,
        slowest_start: nodes.slowest_start,
        settled,
        server_log,
    })
}
