//! `duet accept-store`: the operator's decision that the store that is there is the right one. What
//! that means is `chat`'s.

use std::io::Write;
use std::path::PathBuf;

use anyhow::{Result, bail};
use chat::Database;
use clap::Args;

use crate::config::{SecretUrl, database};

/// Which store.
#[derive(Args, Clone, Debug)]
pub struct AcceptStore {
    /// Directory of the SQLite store, as it is served.
    #[arg(long, env = "DUET_DATA", default_value = "data")]
    data: PathBuf,

    /// The SQLite store as a file instead: sqlite:PATH.
    #[arg(long, env = "DUET_DATABASE_URL", hide_env_values = true)]
    database_url: Option<SecretUrl>,
}

/// Accepts what is there, and says what the next start does.
///
/// # Errors
/// One line that tells the operator what to change.
pub fn run(what: &AcceptStore) -> Result<()> {
    let file = match &what.database_url {
        None => what.data.join("duet.db"),
        Some(url) => match database(url, 1, "DUET_DATABASE_URL")? {
            Database::Sqlite(file) => file,
            Database::Postgres { .. } => bail!("a Postgres is served as it is: nothing to accept"),
        },
    };
    let done = chat::accept_store(&file)?;
    // It is done, whether or not somebody reads it.
    let _ = writeln!(std::io::stdout(), "{done}");
    Ok(())
}
