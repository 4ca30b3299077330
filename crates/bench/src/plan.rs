//! The scenarios of a run, their order and their settings.
//!
//! *pairs* runs before *paced*, which uses its peak rate. After each scenario, the run prints its
//! table and writes all figures so far to the results file.

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

/// Number of pairs in *paced*, and in the *pairs* row whose peak it uses.
const PACED_PAIRS: usize = 50;

/// A system is saturated if it acknowledges less than this part of the sent messages.
const SATURATED: f64 = 0.95;

/// A measurement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Scenario {
    /// Each side sends its next message after an acknowledgement.
    Pairs,
    /// Messages at fixed rates.
    Paced,
    /// Memory per connection.
    Idle,
    /// Time to read waiting messages.
    Return,
    /// Time to read a page, for growing stores.
    Page,
    /// Simultaneous reconnection of all clients.
    Herd,
}

/// The store of the measured server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Store {
    /// SQLite inside the server process.
    Sqlite,
    /// Postgres, shared by several nodes.
    Postgres,
}

/// The options of a run.
#[derive(clap::Args)]
pub struct Plan {
    /// Path to the server binary to measure.
    #[arg(long, default_value = "target/release/duet")]
    duet: PathBuf,
    /// Directory for prepared accounts and results.
    #[arg(long, default_value = "target/bench")]
    directory: PathBuf,
    /// Run only these scenarios.
    #[arg(long, value_delimiter = ',')]
    only: Vec<Scenario>,
    /// Seconds of each load.
    #[arg(long, default_value_t = 8)]
    seconds: u64,
    /// pairs: numbers of pairs.
    #[arg(long, value_delimiter = ',', default_values_t = [1, 50, 200])]
    pairs: Vec<usize>,
    /// Milliseconds added to each fsync in the measurements on a slow disk.
    #[arg(long, default_value_t = 4)]
    slow_disk_ms: u64,
    /// pairs: also measure the installed peers (`make bench-peers`).
    #[arg(long)]
    peers: bool,
    /// paced: messages per second. Multiples of the peak follow if pairs was measured.
    #[arg(long, value_delimiter = ',', default_values_t = [100, 1_000, 5_000])]
    rates: Vec<u32>,
    /// idle: numbers of connections, in ascending order.
    #[arg(long, value_delimiter = ',', default_values_t = [1_000, 5_000, 9_000])]
    connections: Vec<usize>,
    /// return: numbers of waiting messages.
    #[arg(long, value_delimiter = ',', default_values_t = [1_000, 10_000])]
    waiting: Vec<u32>,
    /// page: also measure a conversation of ten million messages. Writing it takes minutes and
    /// gigabytes, once.
    #[arg(long)]
    huge: bool,
    /// With postgres: compare several nodes with one, and Postgres with SQLite (pairs, paced and
    /// idle only).
    #[arg(long, default_value = "sqlite")]
    store: Store,
    /// Number of nodes with `--store postgres`.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u8).range(1..=3))]
    nodes: u8,
    /// herd: number of connections that break at once.
    #[arg(long, default_value_t = 5_000)]
    herd: usize,
}

impl Plan {
    /// Runs the measurements.
    ///
    /// # Errors
    /// Fails if a measurement fails. The figures of earlier scenarios are in the results file.
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
                        // A failing peer does not prevent the other measurements.
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
        // Rates up to and beyond saturation.
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
        // A page holds 50 conversations, so the smallest list is not a full page.
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

/// Compiles the shim that delays flushes into the results directory.
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
