//! `duet migrate`: makes the tables of a store, or brings them up to date. The tables are `chat`'s.

use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;
use clap::Args;

use crate::config::{SecretUrl, database};

/// Which store.
#[derive(Args, Clone, Debug)]
pub struct Migrate {
    /// Directory of the embedded store; made when absent.
    #[arg(long, env = "DUET_DATA", default_value = "data")]
    data: PathBuf,

    /// The store as a URL instead, with a user who may make tables:
    /// `postgres://OWNER:PASSWORD@HOST/DATABASE?sslmode=verify-full`. As a variable, nobody sees it in
    /// the list of processes.
    #[arg(long, env = "DUET_DATABASE_URL", hide_env_values = true)]
    database_url: Option<SecretUrl>,

    /// Seconds for which a Postgres that is not there yet is waited for.
    #[arg(long, env = "DUET_DATABASE_WAIT", default_value_t = 300)]
    database_wait: u64,
}

/// Brings the store up to date, and says so.
///
/// # Errors
/// One line that tells the operator what to change.
pub async fn run(what: &Migrate) -> Result<()> {
    let store = match &what.database_url {
        None => what.data.join("duet.db").into(),
        Some(url) => database(url, 1, "DUET_DATABASE_URL")?,
    };
    let database_wait = Duration::from_secs(what.database_wait);
    chat::migrate(&chat::Config { database_wait, ..chat::Config::new(store) }).await?;
    // They are, whether or not somebody reads it.
    let _ = writeln!(std::io::stdout(), "The tables are up to date.");
    Ok(())
}
