//! `duet-bench`: measures Duet beside the ceilings of the machine it runs on, in one run.
//!
//! Speaks the protocol and knows nothing else of Duet: it starts the server as an operator would,
//! as a process of its own with its own data. `make bench` calls it.
//!
//! # Layout
//! - `plan`: what a run does, in which order
//! - `system`: the servers that are measured; `ceiling`: those that only show what is possible;
//!   `peer`: others that do this job
//! - `server`: one of them at work, or several nodes
//! - `nodes`: several nodes beside one
//! - `scenario`: what is measured; `seed`: rows written before a server starts
//! - `call`: one HTTP connection, as bare as can be
//! - `latency`, `report`: figures and tables

mod call;
mod ceiling;
mod latency;
mod nodes;
mod peer;
mod plan;
mod report;
mod scenario;
mod seed;
mod server;
mod system;

use std::path::PathBuf;

use anyhow::{Result, bail};
use clap::{Parser, Subcommand};
use tokio::signal::unix::{SignalKind, signal};

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
    Run(plan::Plan),
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

#[tokio::main]
async fn main() -> Result<()> {
    match Arguments::parse().command {
        Order::Run(plan) => {
            let mut end = signal(SignalKind::terminate())?;
            tokio::select! {
                done = plan.run() => done,
                // What was started ends with the run.
                _ = end.recv() => bail!("told to end before all was measured"),
            }
        }
        Order::Ceiling { which: Which::Relay, .. } => ceiling::serve(None).await,
        Order::Ceiling { which: Which::Store, data } => ceiling::serve(Some(&data)).await,
    }
}
