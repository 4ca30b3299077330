//! `duet-torture`: injects faults around a Duet server, then checks from the clients' logs and the
//! store whether the server kept its promises.
//!
//! Uses the protocol only, and the database tables at the end. Called by `make torture` and `make
//! test`. docs/RELIABILITY.md describes the promises and the results.
//!
//! # Layout
//! - `plan`: the faults of a round, from its seed; `round`: runs it
//! - `page`: clients that behave like Duet's own page
//! - `site`: one server and the network in front of it; `proxy`: that network; `disk`: its disk
//! - `nodes`: several nodes with Postgres and NATS, and the network around them
//! - `shim`: libraries that make a server's disk or clock fail
//! - `log`: the clients' log; `store`: the stored messages; `checker`: decides
//! - `report`: statistics, and the files kept of a failed round

mod chance;
mod checker;
mod disk;
mod log;
mod nodes;
mod page;
mod plan;
mod proxy;
mod report;
mod round;
mod shim;
mod site;
mod store;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail};
use clap::Parser;
use harness::Town;

use chance::Chance;
use checker::Invariant;
use nodes::Machines;
use plan::{Kind, plan, plan_of_nodes};
use report::Sum;
use round::{Ground, Outcome, PEOPLE};

#[derive(Parser)]
#[command(
    name = "duet-torture",
    version,
    about = "Breaks what can break around Duet, and checks its promises."
)]
struct Arguments {
    /// Path to the server binary.
    #[arg(long, default_value = "target/release/duet")]
    duet: PathBuf,
    /// Run this many nodes on a private Postgres and NATS, instead of one server on SQLite.
    #[arg(long, value_parser = clap::value_parser!(u8).range(1..=9))]
    nodes: Option<u8>,
    /// Path to a binary of another version: nodes start as this version and are replaced one after
    /// the other.
    #[arg(long, requires = "nodes")]
    old_duet: Option<PathBuf>,
    /// Directory for prepared accounts and for the files of failed rounds.
    #[arg(long, default_value = "target/torture")]
    directory: PathBuf,
    /// Total seconds; the last round is finished.
    #[arg(long, default_value_t = 600)]
    seconds: u64,
    /// Number of rounds, instead of seconds.
    #[arg(long)]
    rounds: Option<u64>,
    /// Seed of faults and client behaviour; random if not given.
    #[arg(long)]
    seed: Option<u64>,
    /// Number of the first round. With --seed and `--rounds 1` this repeats that round.
    #[arg(long, default_value_t = 0)]
    from: u64,
    /// Run only rounds of these kinds.
    #[arg(long, value_delimiter = ',')]
    only: Vec<Kind>,
    /// Milliseconds for which clients write in each round; default 6000, or 12000 with nodes.
    #[arg(long)]
    lasts: Option<u64>,
    /// For a server that is broken on purpose: succeed only if this invariant is violated.
    #[arg(long, ignore_case = true)]
    expect: Option<Invariant>,
}

fn main() -> Result<ExitCode> {
    let arguments = Arguments::parse();
    if arguments.nodes.is_none() {
        disk::alone();
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(torture(arguments))
}

async fn torture(arguments: Arguments) -> Result<ExitCode> {
    std::fs::create_dir_all(&arguments.directory)?;
    let duet = arguments.duet.canonicalize().context("no server: run `make torture`")?;
    let old = arguments.old_duet.as_ref().map(|old| old.canonicalize()).transpose();
    let old = old.context("there is no such old server")?;
    let mut stage = Stage::open(&arguments, &duet).await?;
    let shim = |made: Result<PathBuf>| made.inspect_err(|error| eprintln!("{error:#}")).ok();
    let disk_shim = shim(shim::failing_disk(&arguments.directory));
    let clock_shim = shim(shim::other_clock(&arguments.directory));
    let kinds = kinds(&arguments, disk_shim.is_some())?;
    let seed = arguments.seed.unwrap_or_else(any_seed);
    println!("seed {seed}");
    let ground = Ground {
        binary: &duet,
        old: old.as_deref(),
        disk_shim: disk_shim.as_deref(),
        clock_shim: clock_shim.as_deref(),
        lasts: Duration::from_millis(lasts(&arguments)),
    };
    let mut sum = Sum::default();
    let begun = Instant::now();
    for number in arguments.from.. {
        let is_over = match arguments.rounds {
            Some(rounds) => number >= arguments.from + rounds,
            None => begun.elapsed() >= Duration::from_secs(arguments.seconds),
        };
        if is_over {
            break;
        }
        let kind = kinds[usize::try_from(number)? % kinds.len()];
        let place = Place { seed, number, kind };
        one_round(&ground, &mut stage, &arguments, &mut sum, place).await?;
        if arguments.expect.is_some_and(|expected| sum.broken(expected) > 0) {
            break;
        }
    }
    print!("{}", sum.text());
    Ok(verdict(&sum, arguments.expect))
}

/// The servers of all rounds.
enum Stage {
    /// One server. Each round gets a copy of this data.
    One(Town),
    /// Several nodes.
    Several(Box<Machines>),
}

impl Stage {
    async fn open(arguments: &Arguments, duet: &Path) -> Result<Self> {
        Ok(match arguments.nodes {
            None => Self::One(Town::of(PEOPLE, &arguments.directory, duet).await?),
            Some(nodes) => {
                Self::Several(Box::new(Machines::start(duet, nodes.into(), PEOPLE).await?))
            }
        })
    }

    async fn run(
        &mut self,
        ground: &Ground<'_>,
        kind: Kind,
        number: u64,
        chance: &mut Chance,
    ) -> Result<Outcome> {
        match self {
            Self::One(town) => {
                let plan = plan(kind, chance);
                round::run(ground, town, &plan, chance).await
            }
            Self::Several(machines) => {
                let plan = plan_of_nodes(kind, machines.nodes());
                round::run_nodes(ground, machines, &plan, chance, number).await
            }
        }
    }
}

/// Identifies a round.
struct Place {
    seed: u64,
    number: u64,
    kind: Kind,
}

async fn one_round(
    ground: &Ground<'_>,
    stage: &mut Stage,
    arguments: &Arguments,
    sum: &mut Sum,
    place: Place,
) -> Result<()> {
    let Place { seed, number, kind } = place;
    let mut chance = Chance::new(seed).split(number + 1);
    let outcome = stage
        .run(ground, kind, number, &mut chance)
        .await
        .with_context(|| format!("round {number} ({}) of seed {seed}", kind.name()))?;
    let words = sum.add(&outcome);
    let name = kind.name();
    let verdict = if outcome.violations.is_empty() { "kept" } else { "BROKEN" };
    println!("round {number:>3} {name:<8} {verdict}: {words}");
    if !outcome.violations.is_empty() {
        let replay = format!(
            "{} --duet {}{} --seed {seed} --from {number} --rounds 1 --lasts {}{}",
            program(),
            arguments.duet.display(),
            nodes_of(arguments),
            lasts(arguments),
            only(&arguments.only)
        );
        let kept = arguments.directory.join(seed.to_string()).join(number.to_string());
        report::keep(&kept, &outcome, &replay)?;
    }
    Ok(())
}

fn verdict(sum: &Sum, expect: Option<Invariant>) -> ExitCode {
    let is_good = match expect {
        None => sum.is_good(),
        Some(expected) => {
            let is_found = sum.broken(expected) > 0;
            println!("{expected:?} was {}found to be broken", if is_found { "" } else { "not " });
            is_found
        }
    };
    if is_good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Returns the requested kinds of rounds that are possible on this machine. Prints the skipped
/// ones.
fn kinds(arguments: &Arguments, has_shim: bool) -> Result<Vec<Kind>> {
    let all = if arguments.nodes.is_some() { &Kind::NODES[..] } else { &Kind::ONE[..] };
    let only = &arguments.only;
    if let Some(kind) = only.iter().find(|kind| !all.contains(kind)) {
        let names: Vec<&str> = all.iter().map(|kind| kind.name()).collect();
        bail!("--only {} does not go with this; there are {}", kind.name(), names.join(", "));
    }
    let asked = if only.is_empty() { all } else { only };
    let possible = |kind: &Kind| match kind {
        Kind::Full => disk::is_alone(),
        Kind::Eio | Kind::Clocks => has_shim,
        Kind::Ruin => disk::is_alone() && has_shim,
        _ => true,
    };
    let (kinds, left): (Vec<Kind>, Vec<Kind>) = asked.iter().partition(|kind| possible(kind));
    for kind in left {
        println!("SKIPPED {}: this user may not mount, or there is no C compiler", kind.name());
    }
    Ok(if kinds.is_empty() { vec![Kind::Calm] } else { kinds })
}

fn lasts(arguments: &Arguments) -> u64 {
    let usual = if arguments.nodes.is_some() { 12_000 } else { 6_000 };
    arguments.lasts.unwrap_or(usual)
}

fn nodes_of(arguments: &Arguments) -> String {
    let nodes = arguments.nodes.map(|nodes| format!(" --nodes {nodes}"));
    let old = arguments.old_duet.as_ref().map(|old| format!(" --old-duet {}", old.display()));
    [nodes, old].into_iter().flatten().collect()
}

fn only(kinds: &[Kind]) -> String {
    let names: Vec<&str> = kinds.iter().map(|kind| kind.name()).collect();
    if names.is_empty() { String::new() } else { format!(" --only {}", names.join(",")) }
}

/// Returns the path of this program relative to the current directory.
fn program() -> String {
    let program = std::env::current_exe().unwrap_or_else(|_| PathBuf::from("duet-torture"));
    let here = std::env::current_dir().unwrap_or_default();
    program.strip_prefix(here).unwrap_or(&program).display().to_string()
}

fn any_seed() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(now.as_millis() % 1_000_000).unwrap_or_default()
}
