//! `duet-bench-peers`: measures *pairs* on Duet and the ceilings, as `duet-bench` does, and on other
//! chat servers ("reference servers"), all on the same machine in one run.
//!
//! `scripts/bench-peers` installs the reference servers; those that are not installed are skipped.
//! Called by `make bench-peers`.
//!
//! # Layout
//! - `reference_server`: the reference servers; `process`: starts them
//! - `xmpp`: a client connection; `pairs`: the load of *pairs* over XMPP

mod pairs;
mod process;
mod reference_server;
mod xmpp;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use bench::report::{self, Row, System};
use bench::scenario::pairs::{Load, announce, measure};
use bench::scenario::{BODY_BYTES, Bench};
use bench::targets::{Binaries, Disk, Target};
use clap::Parser;
use harness::Fixture;
use serde_json::{Value, json};
use tokio::signal::unix::{SignalKind, signal};

use reference_server::ReferenceServer;

#[derive(Parser)]
#[command(
    name = "duet-bench-peers",
    version,
    about = "Measures Duet next to ejabberd and Prosody on this machine."
)]
struct Arguments {
    /// Path to the Duet server to measure.
    #[arg(long, default_value = "target/release/duet")]
    duet: PathBuf,
    /// Directory for prepared accounts and results.
    #[arg(long, default_value = "target/bench")]
    directory: PathBuf,
    /// Seconds of each load.
    #[arg(long, default_value_t = 8)]
    seconds: u64,
    /// Numbers of pairs.
    #[arg(long, value_delimiter = ',', default_values_t = [50])]
    pairs: Vec<usize>,
    /// Milliseconds added to each fsync in the measurements on a slow disk.
    #[arg(long, default_value_t = 4)]
    slow_disk_ms: u64,
}

#[tokio::main]
async fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        done = arguments.run() => done,
        // Returning drops and thereby kills the started servers.
        _ = terminate.recv() => bail!("terminated before the end of the measurements"),
    }
}

impl Arguments {
    async fn run(self) -> Result<()> {
        std::fs::create_dir_all(&self.directory)?;
        let binaries = Binaries::find(&self.duet, None)?;
        let users = 2 * self.pairs.iter().copied().max().unwrap_or(1);
        let fixture = Fixture::prepare(users, &self.directory, &binaries.duet).await?;
        let duration = Duration::from_secs(self.seconds);
        let base = Instant::now();
        let bench = Arc::new(Bench { binaries, fixture, nodes: None, duration, base });
        let rows = self.measure(&bench).await?;
        println!("{}", report::table(&rows));
        let mut report = report::json(&rows, &self.settings());
        let systems = ReferenceServer::ALL.map(System::from);
        report["peers"] = report::figures_of(&rows, &systems);
        report::write(&self.directory.join("peers.json"), &report)
    }

    fn settings(&self) -> Value {
        json!({
            "seconds": self.seconds,
            "body_bytes": BODY_BYTES,
            "slow_disk_ms": self.slow_disk_ms,
            "pairs": self.pairs,
        })
    }

    async fn measure(&self, bench: &Arc<Bench>) -> Result<Vec<Row>> {
        let slow = Disk::slowed(Duration::from_millis(self.slow_disk_ms), &self.directory)?;
        let (installed, missing): (Vec<_>, Vec<_>) =
            ReferenceServer::ALL.into_iter().partition(|server| server.is_installed());
        for server in missing {
            eprintln!("pairs: {} is not installed and is skipped", server.name());
        }
        let mut rows = Vec::new();
        for disk in [Disk::Own, slow] {
            for &count in &self.pairs {
                let load = Load::both_ways(count);
                for target in Target::ONE_SERVER {
                    rows.push(measure(bench, target, &disk, load).await?);
                }
                for &server in &installed {
                    announce(server.into(), &disk, load);
                    match pairs::run(bench, server, &disk, count).await {
                        Ok(row) => rows.push(row),
                        // A failing reference server does not prevent the other measurements.
                        Err(error) => eprintln!("pairs: {} failed: {error:#}", server.name()),
                    }
                }
            }
        }
        Ok(rows)
    }
}
