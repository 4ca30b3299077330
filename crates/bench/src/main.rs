//! `duet-bench`: measures Duet beside the ceilings of the machine it runs on, in one run.
//!
//! Speaks the protocol and knows nothing else of Duet: it starts the server as an operator would,
//! as a process of its own with its own data. `make bench` calls it.
//!
//! # Layout
//! - `system`: the servers that are measured; `ceiling`: those that only show what is possible
//! - `scenario`: what is measured
//! - `latency`, `report`: figures and tables

mod ceiling;
mod latency;
mod report;
mod scenario;
mod system;

use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use clap::{Parser, Subcommand};
use serde_json::json;

use harness::Town;
use scenario::{BODY_BYTES, Bench, pairs};
use system::{Binaries, Disk, System};

#[derive(Parser)]
#[command(
    name = "duet-bench",
    version,
    about = "Measures Duet beside the ceilings of this machine."
)]
struct Arguments {
    #[command(subcommand)]
    command: Order,
}

#[derive(Subcommand)]
enum Order {
    /// Measure.
    Run(RunArguments),
    /// Be a ceiling. The measurements start these themselves.
    Ceiling {
        /// relay or store.
        which: Which,
        /// Where the store's file goes.
        #[arg(long)]
        data: PathBuf,
    },
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum Which {
    Relay,
    Store,
}

#[derive(clap::Args)]
struct RunArguments {
    /// The server to measure.
    #[arg(long, default_value = "target/release/duet")]
    duet: PathBuf,
    /// Where people and results are kept.
    #[arg(long, default_value = "target/bench")]
    directory: PathBuf,
    /// Seconds of each load.
    #[arg(long, default_value_t = 8)]
    seconds: u64,
    /// How many pairs.
    #[arg(long, value_delimiter = ',', default_values_t = [1, 50, 200])]
    pairs: Vec<usize>,
    /// Milliseconds that are added to each fsync for the measurements on a slow disk.
    #[arg(long, default_value_t = 4)]
    slow_disk_ms: u64,
}

#[tokio::main]
async fn main() -> Result<()> {
    match Arguments::parse().command {
        Order::Run(arguments) => run(arguments).await,
        Order::Ceiling { which: Which::Relay, .. } => ceiling::serve(None).await,
        Order::Ceiling { which: Which::Store, data } => ceiling::serve(Some(&data)).await,
    }
}

async fn run(arguments: RunArguments) -> Result<()> {
    std::fs::create_dir_all(&arguments.directory)?;
    let binaries = Binaries {
        duet: arguments.duet.canonicalize().context("no server: run `make bench`")?,
        bench: std::env::current_exe()?,
    };
    let people = 2 * arguments.pairs.iter().copied().max().unwrap_or(1);
    let town = Town::of(people, &arguments.directory, &binaries.duet).await?;
    let lasts = Duration::from_secs(arguments.seconds);
    let bench = Arc::new(Bench { binaries, town, lasts, base: Instant::now() });
    let slow = Disk::Slowed(
        Duration::from_millis(arguments.slow_disk_ms),
        slow_disk(&arguments.directory)?,
    );
    let settings = json!({ "seconds": arguments.seconds, "body_bytes": BODY_BYTES });
    let mut rows = Vec::new();
    for disk in [Disk::Own, slow] {
        for &count in &arguments.pairs {
            for system in [System::Relay, System::Store, System::Duet] {
                eprintln!("pairs: {count}{}, {}", disk.label(), system.name());
                rows.push(pairs::run(&bench, system, &disk, count).await?);
            }
        }
    }
    println!("{}", report::table(&rows));
    report::write(&arguments.directory.join("latest.json"), &rows, &settings)
}

/// Compiles the shim that slows a disk down, next to the results.
fn slow_disk(directory: &std::path::Path) -> Result<PathBuf> {
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
    Ok(shim)
}
