//! `duet-bench`: measures Duet and two minimal baseline servers ("ceilings") on the same machine in
//! one run.
//!
//! Called by `make bench`.

use std::path::PathBuf;

use anyhow::{Result, bail};
use bench::ceiling;
use bench::schedule::Schedule;
use clap::{Parser, Subcommand};
use tokio::signal::unix::{SignalKind, signal};

#[derive(Parser)]
#[command(
    name = "duet-bench",
    version,
    about = "Measures Duet next to minimal baseline servers on this machine."
)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run the measurements.
    Run(Schedule),
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
        Command::Run(schedule) => {
            let mut terminate = signal(SignalKind::terminate())?;
            tokio::select! {
                done = schedule.run() => done,
                // Returning drops and thereby kills the started servers.
                _ = terminate.recv() => bail!("terminated before the end of the measurements"),
            }
        }
        Command::Ceiling { which: Which::Relay, .. } => ceiling::serve(None).await,
        Command::Ceiling { which: Which::Store, data } => ceiling::serve(Some(&data)).await,
    }
}
