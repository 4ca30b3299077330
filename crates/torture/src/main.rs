//! `duet-torture`: injects faults around a Duet server, then checks from the clients' logs and the
//! store whether the server kept its promises.
//!
//! Uses the protocol only, and the database tables at the end. Called by `make torture` and `make
//! test`. docs/RELIABILITY.md describes the promises and the results.
//!
//! # Layout
//! - `faults`: the fault schedule of a round, from its seed, and the injection of faults
//! - `round`: runs a round
//! - `client`: clients that behave like Duet's own page
//! - `test_server`: one server; `proxy`: the network in front of it; `disk`: its disk
//! - `nodes`: several nodes with Postgres and NATS, and the network around them
//! - `shim`: libraries that make a server's disk or clock fail
//! - `client_log`: the clients' log; `store`: the stored messages; `checker`: decides
//! - `report`: statistics, and the files of a failed round

mod checker;
mod client;
mod client_log;
mod disk;
mod faults;
mod nodes;
mod proxy;
mod report;
mod round;
mod shim;
mod store;
mod test_server;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail};
use clap::Parser;
use harness::{Fixture, Random};

use checker::Invariant;
use faults::schedule::{RoundKind, nodes_schedule, schedule};
use nodes::SharedServers;
use report::Totals;
use round::{Environment, Outcome, USERS};

#[derive(Parser)]
#[command(
    name = "duet-torture",
    version,
    about = "Injects faults around a Duet server, and checks that its promises hold."
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
    only: Vec<RoundKind>,
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
        disk::enter_own_mounts();
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(torture(arguments))
}

async fn torture(arguments: Arguments) -> Result<ExitCode> {
    std::fs::create_dir_all(&arguments.directory)?;
    let duet = arguments
        .duet
        .canonicalize()
        .context("the server binary is missing: run `make torture`")?;
    let old = arguments.old_duet.as_ref().map(|old| old.canonicalize()).transpose();
    let old = old.context("the binary of the old version is missing")?;
    let mut servers = Servers::open(&arguments, &duet).await?;
    let shim =
        |compiled: Result<PathBuf>| compiled.inspect_err(|error| eprintln!("{error:#}")).ok();
    let disk_shim = shim(shim::failing_disk(&arguments.directory));
    let clock_shim = shim(shim::wrong_clock(&arguments.directory));
    let kinds = kinds(&arguments, disk_shim.is_some())?;
    let seed = arguments.seed.unwrap_or_else(any_seed);
    println!("seed {seed}");
    let environment = Environment {
        binary: &duet,
        old: old.as_deref(),
        disk_shim: disk_shim.as_deref(),
        clock_shim: clock_shim.as_deref(),
        duration: Duration::from_millis(lasts(&arguments)),
    };
    let mut totals = Totals::default();
    let started = Instant::now();
    for number in arguments.from.. {
        let is_over = match arguments.rounds {
            Some(rounds) => number >= arguments.from + rounds,
            None => started.elapsed() >= Duration::from_secs(arguments.seconds),
        };
        if is_over {
            break;
        }
        let kind = kinds[usize::try_from(number)? % kinds.len()];
        let round = RoundId { seed, number, kind };
        one_round(&environment, &mut servers, &arguments, &mut totals, round).await?;
        if arguments.expect.is_some_and(|expected| totals.broken(expected) > 0) {
            break;
        }
    }
    print!("{}", totals.text());
    Ok(verdict(&totals, arguments.expect))
}

/// The servers of all rounds.
enum Servers {
    /// One server. Each round gets a copy of this data.
    One(Fixture),
    /// Several nodes.
    Several(Box<SharedServers>),
}

impl Servers {
    async fn open(arguments: &Arguments, duet: &Path) -> Result<Self> {
        Ok(match arguments.nodes {
            None => Self::One(Fixture::prepare(USERS, &arguments.directory, duet).await?),
            Some(nodes) => {
                Self::Several(Box::new(SharedServers::start(duet, nodes.into(), USERS).await?))
            }
        })
    }

    async fn run(
        &mut self,
        environment: &Environment<'_>,
        kind: RoundKind,
        number: u64,
        random: &mut Random,
    ) -> Result<Outcome> {
        match self {
            Self::One(fixture) => {
                let schedule = schedule(kind, random);
                round::run(environment, fixture, &schedule, random).await
            }
            Self::Several(servers) => {
                let schedule = nodes_schedule(kind, servers.nodes());
                round::run_nodes(environment, servers, &schedule, random, number).await
            }
        }
    }
}

/// Identifies a round.
struct RoundId {
    seed: u64,
    number: u64,
    kind: RoundKind,
}

async fn one_round(
    environment: &Environment<'_>,
    servers: &mut Servers,
    arguments: &Arguments,
    totals: &mut Totals,
    round: RoundId,
) -> Result<()> {
    let RoundId { seed, number, kind } = round;
    let mut random = Random::new(seed).split(number + 1);
    let outcome = servers
        .run(environment, kind, number, &mut random)
        .await
        .with_context(|| format!("round {number} ({}) of seed {seed}", kind.name()))?;
    let summary = totals.add(&outcome);
    let name = kind.name();
    let verdict = if outcome.violations.is_empty() { "kept" } else { "BROKEN" };
    println!("round {number:>3} {name:<8} {verdict}: {summary}");
    if !outcome.violations.is_empty() {
        let replay = format!(
            "{} --duet {}{} --seed {seed} --from {number} --rounds 1 --lasts {}{}",
            program(),
            arguments.duet.display(),
            nodes_of(arguments),
            lasts(arguments),
            only(&arguments.only)
        );
        let directory = arguments.directory.join(seed.to_string()).join(number.to_string());
        report::write_files(&directory, &outcome, &replay)?;
    }
    Ok(())
}

fn verdict(totals: &Totals, expect: Option<Invariant>) -> ExitCode {
    let is_success = match expect {
        None => totals.is_success(),
        Some(expected) => {
            let is_found = totals.broken(expected) > 0;
            println!("{expected:?} was {}found to be violated", if is_found { "" } else { "not " });
            is_found
        }
    };
    if is_success { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Returns the requested kinds of rounds that are possible on this machine. Prints the skipped
/// ones.
fn kinds(arguments: &Arguments, has_shim: bool) -> Result<Vec<RoundKind>> {
    let all = if arguments.nodes.is_some() { &RoundKind::NODES[..] } else { &RoundKind::ONE[..] };
    let only = &arguments.only;
    if let Some(kind) = only.iter().find(|kind| !all.contains(kind)) {
        let names: Vec<&str> = all.iter().map(|kind| kind.name()).collect();
        bail!("--only {} is not available here; available: {}", kind.name(), names.join(", "));
    }
    let requested = if only.is_empty() { all } else { only };
    let possible = |kind: &RoundKind| match kind {
        RoundKind::Full => disk::has_own_mounts(),
        RoundKind::Eio | RoundKind::Clocks => has_shim,
        RoundKind::Ruin => disk::has_own_mounts() && has_shim,
        _ => true,
    };
    let (kinds, skipped): (Vec<RoundKind>, Vec<RoundKind>) =
        requested.iter().partition(|kind| possible(kind));
    for kind in skipped {
        println!(
            "SKIPPED {}: this user may not mount a file system, or there is no C compiler",
            kind.name()
        );
    }
    Ok(if kinds.is_empty() { vec![RoundKind::Calm] } else { kinds })
}

fn lasts(arguments: &Arguments) -> u64 {
    let default = if arguments.nodes.is_some() { 12_000 } else { 6_000 };
    arguments.lasts.unwrap_or(default)
}

fn nodes_of(arguments: &Arguments) -> String {
    let nodes = arguments.nodes.map(|nodes| format!(" --nodes {nodes}"));
    let old = arguments.old_duet.as_ref().map(|old| format!(" --old-duet {}", old.display()));
    [nodes, old].into_iter().flatten().collect()
}

fn only(kinds: &[RoundKind]) -> String {
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
