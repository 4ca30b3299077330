//! A private pgbouncer in front of a private Postgres, on a free port of loopback. Ends with the
//! process that started it. Settings not listed here have pgbouncer's defaults.

use anyhow::{Context, Result};
use tempfile::TempDir;

use crate::Postgres;
use crate::postgres::free_port;
use crate::process_guard::{GuardedServer, find_program};

/// How long a client keeps its connection to Postgres.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PoolMode {
    /// Until the client disconnects.
    Session,
    /// For one transaction.
    Transaction,
    /// For one statement.
    Statement,
}

/// A running pgbouncer. Killed on drop.
pub struct PgBouncer {
    port: u16,
    _running: GuardedServer,
    _directory: TempDir,
}

impl PgBouncer {
    /// Starts pgbouncer.
    ///
    /// # Errors
    /// pgbouncer is not installed (the error names the package), or does not start.
    pub fn start(postgres: &Postgres, mode: PoolMode) -> Result<Self> {
        let program = find_program("pgbouncer", "pgbouncer")?;
        let directory = tempfile::Builder::new().prefix("duet-pgbouncer-").tempdir()?;
        let port = free_port()?;
        let mode = match mode {
            PoolMode::Session => "session",
            PoolMode::Transaction => "transaction",
            PoolMode::Statement => "statement",
        };
        let file = directory.path().join("pgbouncer.ini");
        let settings = format!(
            "[databases]\n* = {}\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\n\
             unix_socket_dir =\nauth_type = any\npool_mode = {mode}\n",
            postgres.connection_string()
        );
        std::fs::write(&file, settings)?;
        // pgbouncer refuses to run as root.
        let mut command = postgres.command_as_server_user(&program);
        postgres.chown_to_server(directory.path())?;
        postgres.chown_to_server(&file)?;
        command.arg(&file);
        let running =
            GuardedServer::start(command, port, None).context("pgbouncer does not start")?;
        Ok(Self { port, _running: running, _directory: directory })
    }

    /// The URL of a database through pgbouncer.
    pub fn url(&self, database: &str) -> String {
        format!("postgres://anybody@127.0.0.1:{}/{database}", self.port)
    }
}
