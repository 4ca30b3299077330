//! `duet replace-secret`: replaces the secret by which the nodes on a Postgres authenticate each
//! other. `chat` implements the command; `main` calls it.

use std::io::Write;
use std::time::Duration;

use anyhow::Result;
use clap::Args;

use crate::config::{SecretUrl, parse_database};

#[derive(Args, Clone, Debug)]
pub struct ReplaceSecret {
    /// URL of the Postgres that the nodes share, the same as for the server. Prefer the variable to
    /// the flag, because the process list shows flags.
    #[arg(long, env = "DUET_DATABASE_URL", hide_env_values = true)]
    database_url: SecretUrl,

    /// Seconds to wait for a Postgres that is not reachable yet.
    #[arg(long, env = "DUET_DATABASE_WAIT", default_value_t = 300)]
    database_wait: u64,
}

/// Replaces the secret and confirms it on standard output.
///
/// # Errors
/// Fails with a one-line message that tells the operator what to change.
pub async fn run(arguments: &ReplaceSecret) -> Result<()> {
    let store = parse_database(&arguments.database_url, 2, "DUET_DATABASE_URL")?;
    let database_wait = Duration::from_secs(arguments.database_wait);
    chat::replace_secret(&chat::Config { database_wait, ..chat::Config::new(store) }).await?;
    // The secret is replaced even if standard output is closed.
    let _ = writeln!(
        std::io::stdout(),
        "The secret is replaced. Running nodes use the new one within 15 seconds and refuse the \
         old one after 45."
    );
    Ok(())
}
