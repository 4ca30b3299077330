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
//! - `log`: what clients wrote down; `store`: what is stored; `checker`: decides
//! - `report`: figures, and what is kept of a failure

mod chance;
mod checker;
mod disk;
mod log;
mod page;
mod plan;
mod proxy;
mod report;
mod round;
mod site;
mod store;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};
use clap::Parser;
use harness::Town;

use chance::Chance;
use checker::Invariant;
use plan::{Kind, plan};
use report::Sum;
use round::{Ground, PEOPLE};

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
    /// Milliseconds for which people write in each round.
    #[arg(long, default_value_t = 6_000)]
    lasts: u64,
    /// The server is broken on purpose: succeed if and only if this is found to be broken.
    #[arg(long, ignore_case = true)]
    expect: Option<Invariant>,
}

fn main() -> Result<ExitCode> {
    let arguments = Arguments::parse();
    disk::alone();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(torture(arguments))
}

async fn torture(arguments: Arguments) -> Result<ExitCode> {
    std::fs::create_dir_all(&arguments.directory)?;
    let duet = arguments.duet.canonicalize().context("no server: run `make torture`")?;
    let town = Town::of(PEOPLE, &arguments.directory, &duet).await?;
    let shim = disk::shim(&arguments.directory)
        .inspect_err(|error| eprintln!("no rounds with failing flushes: {error:#}"))
        .ok();
    let kinds = kinds(&arguments.only, shim.is_some());
    let seed = arguments.seed.unwrap_or_else(any_seed);
    println!("seed {seed}");
    let ground = Ground {
        binary: &duet,
        town: &town,
        shim: shim.as_deref(),
        lasts: Duration::from_millis(arguments.lasts),
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
        one_round(&ground, &arguments, &mut sum, Place { seed, number, kind }).await?;
        if arguments.expect.is_some_and(|expected| sum.broken(expected) > 0) {
            break;
        }
    }
    print!("{}", sum.text());
    Ok(verdict(&sum, arguments.expect))
}

/// Which round.
struct Place {
    seed: u64,
    number: u64,
    kind: Kind,
}

async fn one_round(
    ground: &Ground<'_>,
    arguments: &Arguments,
    sum: &mut Sum,
    place: Place,
) -> Result<()> {
    let Place { seed, number, kind } = place;
    let mut chance = Chance::new(seed).split(number + 1);
    let plan = plan(kind, &mut chance);
    let outcome = round::run(ground, &plan, &chance)
        .await
        .with_context(|| format!("round {number} ({}) of seed {seed}", kind.name()))?;
    let words = sum.add(&outcome);
    let name = kind.name();
    let verdict = if outcome.violations.is_empty() { "kept" } else { "BROKEN" };
    println!("round {number:>3} {name:<8} {verdict}: {words}");
    if !outcome.violations.is_empty() {
        let replay = format!(
            "{} --duet {} --seed {seed} --from {number} --rounds 1 --lasts {}{}",
            program(),
            arguments.duet.display(),
            arguments.lasts,
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
fn kinds(only: &[Kind], has_shim: bool) -> Vec<Kind> {
    let asked = if only.is_empty() { &Kind::ALL[..] } else { only };
    let possible = |kind: &Kind| match kind {
        Kind::Full => disk::is_alone(),
        Kind::Eio => has_shim,
        Kind::Ruin => disk::is_alone() && has_shim,
        _ => true,
    };
    let (kinds, left): (Vec<Kind>, Vec<Kind>) = asked.iter().partition(|kind| possible(kind));
    for kind in left {
        println!("SKIPPED {}: this user may not mount, or there is no C compiler", kind.name());
    }
    if kinds.is_empty() { vec![Kind::Calm] } else { kinds }
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
