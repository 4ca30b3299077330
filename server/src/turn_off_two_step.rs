//! `duet turn-off-two-step`: the operator lets a user who has lost the authenticator app and the
//! recovery codes sign in with the password alone. `chat` implements the command; `main` calls this
//! module.

use std::io::Write;
use std::path::PathBuf;

use anyhow::{Result, bail};
use chat::Database;
use clap::Args;

use crate::config::{SecretUrl, parse_database};

#[derive(Args, Clone, Debug)]
pub struct TurnOffTwoStep {
    /// Username of the account. Make sure that the account's owner asks for this.
    username: String,

    /// Directory of the SQLite store, the same as for the server, which must be stopped.
    #[arg(long, env = "DUET_DATA", default_value = "data")]
    data: PathBuf,

    /// URL of the store, instead of a directory. Nodes may serve a Postgres store meanwhile. Prefer
    /// the variable to the flag, because the process list shows flags.
    #[arg(long, env = "DUET_DATABASE_URL", hide_env_values = true)]
    database_url: Option<SecretUrl>,
}

/// Turns two-step sign-in off and confirms it on standard output.
///
/// # Errors
/// Fails with a one-line message that tells the operator what to change.
pub async fn run(arguments: &TurnOffTwoStep) -> Result<()> {
    let store = match &arguments.database_url {
        None => arguments.data.join("duet.db").into(),
        Some(url) => parse_database(url, 1, "DUET_DATABASE_URL")?,
    };
    // Opening would create the store.
    if let Database::Sqlite(file) = &store
        && !file.is_file()
    {
        bail!("there is no file {}: name the store with --data DIRECTORY", file.display());
    }
    if !chat::turn_off_two_step(&chat::Config::new(store), &arguments.username).await? {
        bail!("there is no account of this username with two-step sign-in");
    }
    // Two-step sign-in is off even if standard output is closed.
    let _ = writeln!(std::io::stdout(), "Sign-in to this account takes only its password now.");
    Ok(())
}
