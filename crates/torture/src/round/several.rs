//! A round of several nodes.

use std::path::Path;

use anyhow::{Context, Result};

use super::{Crowd, Ground, MENDED, Outcome, Scene, blast, count_faults, open_conversations};
use crate::chance::Chance;
use crate::checker::{self, Evidence, Invariant, Violation};
use crate::log::Log;
use crate::nodes::{Copy, Machines, Nodes, Wishes};
use crate::plan::NodesPlan;
use crate::site::Address;

/// Seed offset, so that clients of the copy behave differently from those of the original.
const COPY: u64 = 1_000_000;

/// Runs a round.
///
/// # Errors
/// Fails if the harness itself failed, so that there is no verdict.
pub async fn run_nodes(
    ground: &Ground<'_>,
    machines: &mut Machines,
    plan: &NodesPlan,
    chance: &Chance,
    number: u64,
) -> Result<Outcome> {
    let log = Log::new();
    let people = machines.people().to_vec();
    // Each roll replaces one version with the other.
    let versions = [ground.old.unwrap_or(ground.binary), ground.binary];
    let wishes =
        Wishes { binary: versions[0], clocks: ground.clock_shim.zip(plan.clocks.as_deref()) };
    let mut nodes = Nodes::open(machines, &wishes, number, log.clone()).await?;
    let scene = |address: &Address| Scene {
        people: &people,
        address: address.clone(),
        habits: plan.habits,
        deaf: plan.deaf,
        lasts: ground.lasts,
        ends_within: plan.terms.ends_within,
        must_close: plan.terms.ends_within.is_some(),
    };
    let beside = match plan.copy {
        true => Some(Beside::open(&nodes, ground.binary, &scene, chance).await?),
        false => None,
    };
    let crowd = Crowd::gather(&scene(&nodes.address), chance, &log).await?;
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
    let mut server_log = nodes.server_log();
    let mut copy = None;
    if let Some(beside) = beside {
        server_log.extend(beside.copy.server_log());
        copy = Some(beside.end(&nodes, plan, &mut complain).await?);
    }
    let stored = nodes.end(&mut complain).await?;
    let evidence = Evidence { events: log.events(), stored, screens, terms: plan.terms };
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
struct Beside {
    copy: Copy,
    crowd: Crowd,
    log: Log,
}

impl Beside {
    async fn open<'a>(
        nodes: &Nodes<'_>,
        binary: &Path,
        scene: &impl Fn(&Address) -> Scene<'a>,
        chance: &Chance,
    ) -> Result<Self> {
        let original = scene(&nodes.address);
        open_conversations(original.people, &original.address).await?;
        let copy = Copy::open(nodes, binary).await.context("the copy")?;
        let log = Log::new();
        let crowd = Crowd::gather(&scene(&copy.address), &chance.split(COPY), &log).await?;
        Ok(Self { copy, crowd, log })
    }

    async fn end(
        self,
        nodes: &Nodes<'_>,
        plan: &NodesPlan,
        complain: &mut impl FnMut(String),
    ) -> Result<Evidence> {
        let (_, screens) = self.crowd.end(&self.copy.address, &self.log).await;
        let stored = self.copy.end(nodes, complain).await?;
        Ok(Evidence { events: self.log.events(), stored, screens, terms: plan.terms })
    }
}
