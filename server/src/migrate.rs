//! `duet migrate`: creates or updates the tables of a store. `chat` defines the tables; `main`
//! calls this module.

use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;
use clap::Args;

use crate::config::{SecretUrl, parse_database};

#[derive(Args, Clone, Debug)]
pub struct Migrate {
    /// Directory of the SQLite store; created if missing.
    #[arg(long, env = "DUET_DATA", default_value = "data")]
    data: PathBuf,

    /// URL of the store, instead of a directory, with a role that may create tables:
    /// `postgres://OWNER:PASSWORD@HOST/DATABASE?sslmode=verify-full`. Prefer the variable to the
    /// flag, because the process list shows flags.
    #[arg(long, env = "DUET_DATABASE_URL", hide_env_values = true)]
    database_url: Option<SecretUrl>,

    /// Seconds to wait for a Postgres that is not reachable yet.
    #[arg(long, env = "DUET_DATABASE_WAIT", default_value_t = 300)]
    database_wait: u64,
}

/// Updates the store and confirms it on standard output.
///
/// # Errors
/// Fails with a one-line message that tells the operator what to change.
pub async fn run(arguments: &Migrate) -> Result<()> {
    let store = match &arguments.database_url {
        None => arguments.data.join("duet.db").into(),
        Some(url) => parse_database(url, 1, "DUET_DATABASE_URL")?,
    };
    let database_wait = Duration::from_secs(arguments.database_wait);
    chat::migrate(&chat::Config { database_wait, ..chat::Config::new(store) }).await?;
    // The tables are up to date even if standard output is closed.
    let _ = writeln!(std::io::stdout(), "The tables are up to date.");
    Ok(())
}
