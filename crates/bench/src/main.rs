//! `duet-bench`: measures Duet and two minimal baseline servers ("ceilings") on the same machine in
//! one run.
//!
//! Depends only on the protocol, except in `seed`. Starts the server as an operator would, as a
//! separate process with its own data. Called by `make bench`.
//!
//! # Layout
//! - `plan`: the scenarios of a run and their order
//! - `system`: the measured servers; `ceiling`: the baseline servers; `peer`: other chat servers
//! - `server`: a running server, or several nodes
//! - `nodes`: comparison of several nodes with one
//! - `scenario`: the measurements; `seed`: rows written before a server starts
//! - `call`: a minimal HTTP client
//! - `latency`, `report`: statistics and tables

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
    /// Run the measurements.
    Run(plan::Plan),
    /// Run a baseline server. The measurements start these themselves.
    Ceiling {
        /// The kind of baseline server.
        which: Which,
        /// Directory for the store's file.
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
                // Returning drops and thereby kills the started servers.
                _ = end.recv() => bail!("told to end before all was measured"),
            }
        }
        Order::Ceiling { which: Which::Relay, .. } => ceiling::serve(None).await,
        Order::Ceiling { which: Which::Store, data } => ceiling::serve(Some(&data)).await,
    }
}
