//! `duet-torture`: breaks what can break around a Duet server, and reads afterwards, from what clients
//! wrote down and from the store, whether its promises were kept.
//!
//! Speaks the protocol and knows nothing else of Duet, but the tables it reads in the end. `make
//! torture` and `make test` call it. docs/RELIABILITY.md says what is promised and what was seen.
//!
//! # Layout
//! - `plan`: what a round does, from its seed; `round`: does it
//! - `page`: clients, as Duet's own page behaves
//! - `site`: the server and the network before it; `proxy`: that network; `disk`: what lies below
//! - `nodes`: several servers, what they stand on, and the network around them
//! - `shim`: what makes a machine's disk or clock fail
//! - `log`: what clients wrote down; `store`: what is stored; `checker`: decides
//! - `report`: figures, and what is kept of a failure

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
    /// The server.
    #[arg(long, default_value = "target/release/duet")]
    duet: PathBuf,
    /// So many nodes on a private Postgres and NATS, instead of one server on `SQLite`.
    #[arg(long, value_parser = clap::value_parser!(u8).range(1..=9))]
    nodes: Option<u8>,
    /// Another version of the server: nodes begin as this one, and are replaced one after the other.
    #[arg(long, requires = "nodes")]
    old_duet: Option<PathBuf>,
    /// Where people, and what is known of failed rounds, are kept.
    #[arg(long, default_value = "target/torture")]
    directory: PathBuf,
    /// Seconds in all; a round that has begun is finished.
    #[arg(long, default_value_t = 600)]
    seconds: u64,
    /// Rounds, instead of seconds.
    #[arg(long)]
    rounds: Option<u64>,
    /// Where faults and habits come from; another one each time if not given.
    #[arg(long)]
    seed: Option<u64>,
    /// The first round; with a seed and `--rounds 1` that round again.
    #[arg(long, default_value_t = 0)]
    from: u64,
    /// Only rounds of these kinds.
    #[arg(long, value_delimiter = ',')]
    only: Vec<Kind>,
    /// Milliseconds for which people write in each round; 6000, or 12000 with nodes.
    #[arg(long)]
    lasts: Option<u64>,
    /// The server is broken on purpose: succeed if and only if this is found to be broken.
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

/// What rounds are run on.
enum Stage {
    /// One server, whose data is a copy of this.
    One(Town),
    /// Nodes.
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

/// Which round.
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

/// The kinds of rounds that are asked for and possible here; what is left out is said.
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

/// How this program is called from here.
fn program() -> String {
    let program = std::env::current_exe().unwrap_or_else(|_| PathBuf::from("duet-torture"));
    let here = std::env::current_dir().unwrap_or_default();
    program.strip_prefix(here).unwrap_or(&program).display().to_string()
}

fn any_seed() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(now.as_millis() % 1_000_000).unwrap_or_default()
}
