//! A run: which scenarios, in which order, with which settings.
//!
//! Measures nothing itself. What costs most comes first where a later scenario needs its figures;
//! each scenario's table is printed when it is done, and every figure so far is in the file then.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use clap::ValueEnum;
use harness::Town;
use serde_json::{Value, json};

use crate::nodes;
use crate::peer::Peer;
use crate::report::{self, Row};
use crate::scenario::paced::Pace;
use crate::scenario::page::Of;
use crate::scenario::{BODY_BYTES, Bench, herd, idle, paced, page, pairs, returning};
use crate::server::Nodes;
use crate::system::{Binaries, Disk, System};

/// Pairs that *paced* takes, and whose peak it goes by.
const PACED_PAIRS: usize = 50;

/// Whoever acknowledges less than this part of what is said has more to do than it can.
const SATURATED: f64 = 0.95;

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Scenario {
    /// Each sends when the last was acknowledged.
    Pairs,
    /// Fixed rates.
    Paced,
    /// Memory of a connection.
    Idle,
    /// Messages that wait.
    Return,
    /// Reading, as what is read grows.
    Page,
    /// Everybody coming back at once.
    Herd,
}

/// What Duet stands on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Store {
    /// Inside the process.
    Sqlite,
    /// Shared by nodes.
    Postgres,
}

/// What a run does.
#[derive(clap::Args)]
pub struct Plan {
    /// The server to measure.
    #[arg(long, default_value = "target/release/duet")]
    duet: PathBuf,
    /// Where people and results are kept.
    #[arg(long, default_value = "target/bench")]
    directory: PathBuf,
    /// Only these scenarios.
    #[arg(long, value_delimiter = ',')]
    only: Vec<Scenario>,
    /// Seconds of each load.
    #[arg(long, default_value_t = 8)]
    seconds: u64,
    /// pairs: how many.
    #[arg(long, value_delimiter = ',', default_values_t = [1, 50, 200])]
    pairs: Vec<usize>,
    /// Milliseconds that are added to each fsync for the measurements on a slow disk.
    #[arg(long, default_value_t = 4)]
    slow_disk_ms: u64,
    /// pairs: the peers too, those that are installed (`make bench-peers`).
    #[arg(long)]
    peers: bool,
    /// paced: messages a second. Once, twice and more of the peak follow, where pairs has found it.
    #[arg(long, value_delimiter = ',', default_values_t = [100, 1_000, 5_000])]
    rates: Vec<u32>,
    /// idle: connections, growing.
    #[arg(long, value_delimiter = ',', default_values_t = [1_000, 5_000, 9_000])]
    connections: Vec<usize>,
    /// return: messages that wait.
    #[arg(long, value_delimiter = ',', default_values_t = [1_000, 10_000])]
    waiting: Vec<u32>,
    /// page: a conversation of ten million messages too (minutes and gigabytes, once).
    #[arg(long)]
    huge: bool,
    /// With postgres: several nodes beside one, on Postgres and on SQLite (pairs and paced alone).
    #[arg(long, default_value = "sqlite")]
    store: Store,
    /// With `--store postgres`: how many nodes.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u8).range(1..=3))]
    nodes: u8,
    /// herd: connections that are cut at once.
    #[arg(long, default_value_t = 5_000)]
    herd: usize,
}

impl Plan {
    /// Measures all of it.
    ///
    /// # Errors
    /// What could not be measured, and why; the figures before it are in the file.
    pub async fn run(self) -> Result<()> {
        std::fs::create_dir_all(&self.directory)?;
        let binaries = Binaries {
            duet: self.duet.canonicalize().context("no server: run `make bench`")?,
            bench: std::env::current_exe()?,
        };
        let people = 2 * self.pairs.iter().copied().max().unwrap_or(1).max(PACED_PAIRS);
        let town = Town::of(people, &self.directory, &binaries.duet).await?;
        let lasts = Duration::from_secs(self.seconds);
        let nodes = match self.store {
            Store::Sqlite => None,
            Store::Postgres => {
                let people = people.max(nodes::HELD);
                Some(Nodes::prepare(&binaries.duet, self.nodes, people).await?)
            }
        };
        let bench = Arc::new(Bench { binaries, town, nodes, lasts, base: Instant::now() });
        if self.store == Store::Postgres {
            let rows = nodes::run(&bench, self.nodes, &self.pairs).await?;
            return report::write(&self.directory.join("nodes.json"), &rows, &self.settings());
        }
        let mut rows = Vec::new();
        for scenario in Scenario::value_variants() {
            if !self.only.is_empty() && !self.only.contains(scenario) {
                continue;
            }
            let measured = match scenario {
                Scenario::Pairs => self.pairs(&bench).await?,
                Scenario::Paced => self.paced(&bench, &rows).await?,
                Scenario::Idle => self.idle(&bench).await?,
                Scenario::Return => self.returning(&bench).await?,
                Scenario::Page => self.page(&bench).await?,
                Scenario::Herd => {
                    eprintln!("herd: {} connections", self.herd);
                    vec![herd::run(&bench, self.herd).await?]
                }
            };
            println!("{}", report::table(&measured));
            rows.extend(measured);
            report::write(&self.directory.join("latest.json"), &rows, &self.settings())?;
        }
        Ok(())
    }

    fn settings(&self) -> Value {
        json!({
            "seconds": self.seconds,
            "body_bytes": BODY_BYTES,
            "slow_disk_ms": self.slow_disk_ms,
            "pairs": self.pairs,
            "paced_pairs": PACED_PAIRS,
            "rates": self.rates,
            "connections": self.connections,
            "waiting": self.waiting,
            "herd": self.herd,
            "nodes": self.nodes,
        })
    }

    async fn pairs(&self, bench: &Arc<Bench>) -> Result<Vec<Row>> {
        let slow = slow_disk(&self.directory, Duration::from_millis(self.slow_disk_ms))?;
        let mut systems = vec![System::Relay, System::Store, System::Duet];
        if self.peers {
            let (here, absent): (Vec<_>, Vec<_>) =
                Peer::ALL.into_iter().partition(|peer| peer.is_installed());
            for peer in absent {
                eprintln!("pairs: {} is not installed and not measured", peer.name());
            }
            systems.extend(here.into_iter().map(System::Peer));
        }
        let mut rows = Vec::new();
        for disk in [Disk::Own, slow] {
            for &count in &self.pairs {
                for &system in &systems {
                    eprintln!("pairs: {count}{}, {}", disk.label(), system.name());
                    match pairs::run(bench, system, &disk, count).await {
                        Ok(row) => rows.push(row),
                        // Nothing of ours: the others are measured all the same.
                        Err(error) if matches!(system, System::Peer(_)) => {
                            eprintln!("pairs: {} was not measured: {error:#}", system.name());
                        }
                        Err(error) => return Err(error),
                    }
                }
            }
        }
        Ok(rows)
    }

    async fn paced(&self, bench: &Arc<Bench>, before: &[Row]) -> Result<Vec<Row>> {
        let mut rows = Vec::new();
        for &rate in &self.rates {
            let pace = Pace { rate: rate.into(), label: format!("{rate}/s") };
            for system in [System::Relay, System::Store, System::Duet] {
                rows.push(pace.measure(bench, system).await?);
            }
        }
        // Then past saturation, wherever that is today.
        let Some(first) = pairs::peak(before, System::Duet, PACED_PAIRS) else { return Ok(rows) };
        let mut peak = first;
        for times in [1.0_f64, 2.0, 4.0, 8.0] {
            let rate = (times * first).round();
            let pace = Pace { rate, label: format!("{times}x pairs' peak ({rate}/s)") };
            rows.push(pace.measure(bench, System::Store).await?);
            let duet = pace.measure(bench, System::Duet).await?;
            let goodput = duet.figure(paced::GOODPUT).unwrap_or_default();
            if times >= 2.0 && goodput < SATURATED * rate {
                rows.push(duet.with("goodput of the most before", goodput / peak));
                break;
            }
            rows.push(duet);
            peak = peak.max(goodput);
        }
        Ok(rows)
    }

    async fn idle(&self, bench: &Bench) -> Result<Vec<Row>> {
        let mut rows = Vec::new();
        for system in [System::Relay, System::Store, System::Duet] {
            eprintln!("idle: {:?} connections, {}", self.connections, system.name());
            rows.extend(idle::run(bench, system, &self.connections).await?);
        }
        Ok(rows)
    }

    async fn returning(&self, bench: &Bench) -> Result<Vec<Row>> {
        let mut rows = Vec::new();
        for &waiting in &self.waiting {
            eprintln!("return: {waiting} messages waiting");
            rows.push(returning::run(bench, waiting).await?);
        }
        Ok(rows)
    }

    async fn page(&self, bench: &Bench) -> Result<Vec<Row>> {
        let mut sizes = vec![100, 10_000, 1_000_000];
        sizes.extend(self.huge.then_some(10_000_000));
        let histories = sizes.into_iter().map(Of::Messages);
        // A page holds 50: the first is no whole one.
        let lists = [10, 50, 1_000, 10_000].map(Of::Conversations);
        let mut rows = Vec::new();
        for sizes in [histories.collect::<Vec<_>>(), lists.to_vec()] {
            eprintln!("page: {sizes:?}");
            rows.extend(page::run(bench, &self.directory, &sizes).await?);
        }
        Ok(rows)
    }
}

impl Pace {
    async fn measure(&self, bench: &Arc<Bench>, system: System) -> Result<Row> {
        eprintln!("paced: {}, {}", self.label, system.name());
        paced::run(bench, system, PACED_PAIRS, self).await
    }
}

/// Compiles the shim that slows a disk down, next to the results.
fn slow_disk(directory: &Path, by: Duration) -> Result<Disk> {
    let shim = directory.canonicalize()?.join("slow_disk.so");
    let source = directory.join("slow_disk.c");
    std::fs::write(&source, include_str!("../shim/slow_disk.c"))?;
    let compiled = Command::new("cc")
        .args(["-O2", "-shared", "-fPIC", "-o"])
        .args([&shim, &source])
        .status()
        .context("a C compiler is needed: apt-get install gcc libc6-dev")?;
    if !compiled.success() {
        bail!("the slow disk could not be compiled");
    }
    Ok(Disk::Slowed(by, shim))
}
