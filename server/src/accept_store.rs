//! `duet accept-store`: the operator confirms that the SQLite store on disk is the intended one.
//! `chat` implements the command; `main` calls it.

use std::io::Write;
use std::path::PathBuf;

use anyhow::{Result, bail};
use chat::Database;
use clap::Args;

use crate::config::{SecretUrl, parse_database};

#[derive(Args, Clone, Debug)]
pub struct AcceptStore {
    /// Directory of the SQLite store, the same as for the server.
    #[arg(long, env = "DUET_DATA", default_value = "data")]
    data: PathBuf,

    /// SQLite file as a URL, instead of a directory: sqlite:PATH.
    #[arg(long, env = "DUET_DATABASE_URL", hide_env_values = true)]
    database_url: Option<SecretUrl>,
}

/// Accepts the store and prints the effect on the next start.
///
/// # Errors
/// Fails with a one-line message that tells the operator what to change.
pub fn run(arguments: &AcceptStore) -> Result<()> {
    let file = match &arguments.database_url {
        None => arguments.data.join("duet.db"),
        Some(url) => match parse_database(url, 1, "DUET_DATABASE_URL")? {
            Database::Sqlite(file) => file,
            Database::Postgres { .. } => {
                bail!("accept-store is for SQLite only: a Postgres store needs no confirmation")
            }
        },
    };
    let effect = chat::accept_store(&file)?;
    // The store is accepted even if standard output is closed.
    let _ = writeln!(std::io::stdout(), "{effect}");
    Ok(())
}
