//! `duet`: reads its configuration, listens, and serves until it is told to stop; or moves its store.

use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::Parser;
use server::config::{Command, Config};
use server::{run, telemetry, transfer};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

#[tokio::main]
async fn main() -> ExitCode {
    match serve(Config::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("duet: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn serve(config: Config) -> Result<()> {
    telemetry::start(&config)?;
    if let Some(Command::Move(what)) = &config.command {
        return transfer::run(what).await;
    }
    let listener = TcpListener::bind(config.listen).await.with_context(|| {
        format!("cannot listen on {}; choose another with DUET_LISTEN or --listen", config.listen)
    })?;
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot listen for signals")?;
    let mut terminate = signal(SignalKind::terminate()).context("cannot listen for signals")?;
    run(config, listener, async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
    .await
}
