//! The scenarios of a run, their order and their settings.
//!
//! *pairs* runs before *paced*, which uses its peak rate. After each scenario, the run prints its
//! table and writes all figures so far to the results file.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use clap::ValueEnum;
use harness::Fixture;
use serde_json::{Value, json};

use crate::nodes;
use crate::report::{self, Row};
use crate::scenario::paced::Pace;
use crate::scenario::page::Subject;
use crate::scenario::pairs::{Load, Traffic};
use crate::scenario::{BODY_BYTES, Bench, herd, idle, paced, page, pairs, returning};
use crate::server::Nodes;
use crate::targets::{Binaries, Disk, MAX_NODES, Target};

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
pub struct Schedule {
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
    /// pairs: also measure this server, for example that of the build before. It must accept the
    /// database of the measured server. Only with SQLite.
    #[arg(long)]
    beside: Option<PathBuf>,
    /// pairs: number of rounds. The systems take turns, and the figures are the medians.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// Milliseconds added to each fsync in the measurements on a slow disk.
    #[arg(long, default_value_t = 4)]
    slow_disk_ms: u64,
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
    #[arg(
        long,
        default_value_t = MAX_NODES,
        value_parser = clap::value_parser!(u8).range(1..=i64::from(MAX_NODES)),
    )]
    nodes: u8,
    /// herd: number of connections that break at once.
    #[arg(long, default_value_t = 5_000)]
    herd: usize,
}

impl Schedule {
    /// Runs the measurements.
    ///
    /// # Errors
    /// Fails if a measurement fails. The figures of earlier scenarios are in the results file.
    pub async fn run(self) -> Result<()> {
        if self.store == Store::Postgres && (self.beside.is_some() || self.rounds > 1) {
            bail!("--beside and --rounds need --store sqlite");
        }
        std::fs::create_dir_all(&self.directory)?;
        let binaries = Binaries::find(&self.duet, self.beside.as_deref())?;
        let users = 2 * self.pairs.iter().copied().max().unwrap_or(1).max(PACED_PAIRS);
        let fixture = Fixture::prepare(users, &self.directory, &binaries.duet).await?;
        let duration = Duration::from_secs(self.seconds);
        let nodes = match self.store {
            Store::Sqlite => None,
            Store::Postgres => {
                let users = users.max(nodes::IDLE_CONNECTIONS);
                Some(Nodes::prepare(&binaries.duet, self.nodes, users).await?)
            }
        };
        let bench = Arc::new(Bench { binaries, fixture, nodes, duration, base: Instant::now() });
        if self.store == Store::Postgres {
            let rows = nodes::run(&bench, self.nodes, &self.pairs).await?;
            return self.write("nodes.json", &rows);
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
            self.write("latest.json", &rows)?;
        }
        Ok(())
    }

    fn write(&self, file: &str, rows: &[Row]) -> Result<()> {
        report::write(&self.directory.join(file), &report::json(rows, &self.settings()))
    }

    fn settings(&self) -> Value {
        json!({
            "seconds": self.seconds,
            "body_bytes": BODY_BYTES,
            "slow_disk_ms": self.slow_disk_ms,
            "pairs": self.pairs,
            "rounds": self.rounds,
            "paced_pairs": PACED_PAIRS,
            "rates": self.rates,
            "connections": self.connections,
            "waiting": self.waiting,
            "herd": self.herd,
            "nodes": self.nodes,
        })
    }

    async fn pairs(&self, bench: &Arc<Bench>) -> Result<Vec<Row>> {
        let slow = Disk::slowed(Duration::from_millis(self.slow_disk_ms), &self.directory)?;
        let mut rows = Vec::new();
        for (disk, traffic) in [
            (&Disk::Own, Traffic::BothWays),
            (&Disk::Own, Traffic::OneWay),
            (&slow, Traffic::BothWays),
        ] {
            for &count in &self.pairs {
                rows.extend(self.rounds(bench, Load { count, traffic }, disk).await?);
            }
        }
        Ok(rows)
    }

    /// Measures all systems in turn. Returns one row per system.
    async fn rounds(&self, bench: &Arc<Bench>, load: Load, disk: &Disk) -> Result<Vec<Row>> {
        let other = self.beside.as_ref().map(|_| Target::OtherBuild);
        let targets: Vec<_> = Target::ONE_SERVER.into_iter().chain(other).collect();
        let mut measured = vec![Vec::new(); targets.len()];
        for _ in 0..self.rounds {
            for (&target, rounds) in targets.iter().zip(&mut measured) {
                rounds.push(pairs::measure(bench, target, disk, load).await?);
            }
        }
        Ok(measured.iter().filter_map(|rounds| Row::median(rounds)).collect())
    }

    async fn paced(&self, bench: &Arc<Bench>, before: &[Row]) -> Result<Vec<Row>> {
        let mut rows = Vec::new();
        for &rate in &self.rates {
            let pace = Pace { rate: rate.into(), label: format!("{rate}/s") };
            for target in Target::ONE_SERVER {
                rows.push(pace.measure(bench, target).await?);
            }
        }
        // Rates up to and beyond saturation.
        let Some(first) = pairs::peak(before, Target::Duet, PACED_PAIRS) else { return Ok(rows) };
        let mut peak = first;
        for times in [1.0_f64, 2.0, 4.0, 8.0] {
            let rate = (times * first).round();
            let pace = Pace { rate, label: format!("{times}x pairs' peak ({rate}/s)") };
            rows.push(pace.measure(bench, Target::Store).await?);
            let duet = pace.measure(bench, Target::Duet).await?;
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
        for target in Target::ONE_SERVER {
            eprintln!("idle: {:?} connections, {}", self.connections, target.name());
            rows.extend(idle::run(bench, target, &self.connections).await?);
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
        let histories = sizes.into_iter().map(Subject::Messages);
        // A page holds 50 conversations, so the smallest list is not a full page.
        let lists = [10, 50, 1_000, 10_000].map(Subject::Conversations);
        let mut rows = Vec::new();
        for sizes in [histories.collect::<Vec<_>>(), lists.to_vec()] {
            eprintln!("page: {sizes:?}");
            rows.extend(page::run(bench, &self.directory, &sizes).await?);
        }
        Ok(rows)
    }
}

impl Pace {
    async fn measure(&self, bench: &Arc<Bench>, target: Target) -> Result<Row> {
        eprintln!("paced: {}, {}", self.label, target.name());
        paced::run(bench, target, PACED_PAIRS, self).await
    }
}
