//! The binary `duet`: reads the configuration and serves until a shutdown signal, or runs a
//! subcommand. Contains only what a test must not do to its own process: exit codes, signals, the
//! panic hook and the log.

use std::io;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result};
use server::config::{Command, Config};
use server::telemetry::{self, LogQueue};
use server::{
    Failed, accept_store, core_dumps, error_chain, migrate, moving, replace_secret, reports, run,
    signals, turn_off_two_step,
};
use tokio::net::TcpListener;

/// Exit code after an internal failure. A supervisor may restart the process without any change.
const FAILED: u8 = 70;
/// Time limit at exit for work on other threads.
const END_WITHIN: Duration = Duration::from_secs(1);

fn main() -> ExitCode {
    // Before secrets are read from the environment.
    let without_dumps = core_dumps::forbid();
    let config = Config::read();
    let log = LogQueue::start();
    telemetry::log_panics();
    let served = serve(config, &log, without_dumps);
    let code = match &served {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            log.put(format!("duet: {}\n", error_chain::one_line(error)).into_bytes());
            if error.is::<Failed>() { ExitCode::from(FAILED) } else { ExitCode::FAILURE }
        }
    };
    log.flush();
    code
}

fn serve(config: Config, log: &LogQueue, without_dumps: io::Result<()>) -> Result<()> {
    telemetry::start(&config, log)?;
    if let Err(error) = without_dumps {
        tracing::warn!(%error, "could not forbid core dumps, which contain messages and secrets");
    }
    Config::warn_of_unknown_variables();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("cannot start the threads of the server")?;
    let done = runtime.block_on(async {
        match &config.command {
            Some(Command::Move(arguments)) => moving::run(arguments).await,
            Some(Command::Migrate(arguments)) => migrate::run(arguments).await,
            Some(Command::AcceptStore(arguments)) => accept_store::run(arguments),
            Some(Command::ReplaceSecret(arguments)) => replace_secret::run(arguments).await,
            Some(Command::Reports(arguments)) => reports::run(arguments).await,
            Some(Command::TurnOffTwoStep(arguments)) => turn_off_two_step::run(arguments).await,
            None => listen(config).await,
        }
    });
    runtime.shutdown_timeout(END_WITHIN);
    done
}

async fn listen(config: Config) -> Result<()> {
    let listener = TcpListener::bind(config.listen).await.with_context(|| {
        format!("cannot listen on {}; choose another with DUET_LISTEN or --listen", config.listen)
    })?;
    let shutdown = signals::stop()?;
    run(config, listener, shutdown).await
}
