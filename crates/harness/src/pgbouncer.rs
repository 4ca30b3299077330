//! A private pgbouncer before a private Postgres: a free port on loopback, gone with whoever started
//! it. All that is not asked for is as pgbouncer is installed.

use anyhow::{Context, Result};
use tempfile::TempDir;

use crate::Postgres;
use crate::guard::{Guarded, find};
use crate::postgres::free_port;

/// For how long a client has a connection to the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PoolMode {
    /// As long as it is connected.
    Session,
    /// For each transaction.
    Transaction,
    /// For each statement.
    Statement,
}

/// See the module.
pub struct PgBouncer {
    port: u16,
    _running: Guarded,
    _directory: TempDir,
}

impl PgBouncer {
    /// Starts one.
    ///
    /// # Errors
    /// There is none on this machine, with the line that installs it; or it does not start.
    pub fn start(postgres: &Postgres, mode: PoolMode) -> Result<Self> {
        let program = find("pgbouncer", "pgbouncer")?;
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
        // It refuses to be root.
        let mut command = postgres.as_its_user(&program);
        postgres.give(directory.path())?;
        postgres.give(&file)?;
        command.arg(&file);
        let running = Guarded::start(command, port, None).context("pgbouncer does not start")?;
        Ok(Self { port, _running: running, _directory: directory })
    }

    /// Where a database is by this way.
    pub fn url(&self, database: &str) -> String {
        format!("postgres://anybody@127.0.0.1:{}/{database}", self.port)
    }
}
