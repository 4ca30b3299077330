//! The servers that last for all rounds of several nodes: Postgres, NATS, and a database with the
//! accounts, of which every round gets a copy.

use std::path::Path;

use anyhow::Result;
use harness::{Cluster, ClusterConfig, DATABASE, TestUser};

/// Postgres, NATS and the accounts.
pub(crate) struct SharedServers {
    /// Postgres, NATS and the nodes. Its load balancer is not used, because clients connect through
    /// a network that can fail.
    pub(super) cluster: Cluster,
    users: Vec<TestUser>,
    has_postgres: bool,
    has_broker: bool,
}

impl SharedServers {
    /// Starts Postgres and NATS and creates the accounts.
    ///
    /// # Errors
    /// Fails if a server does not start or is not installed; the message contains the install
    /// command.
    pub(crate) async fn start(binary: &Path, nodes: usize, users: usize) -> Result<Self> {
        let config = ClusterConfig::of(binary, nodes);
        let (cluster, users) = Cluster::prepare_with_users(&config, users).await?;
        Ok(Self { cluster, users, has_postgres: true, has_broker: true })
    }

    pub(crate) fn nodes(&self) -> usize {
        self.cluster.nodes.len()
    }

    pub(crate) fn users(&self) -> &[TestUser] {
        &self.users
    }

    /// Creates a database that contains only the accounts.
    pub(super) fn new_database(&self, round: u64) -> Result<String> {
        let name = format!("round_{round}");
        self.cluster.postgres.create_database(&name, Some(DATABASE))?;
        Ok(name)
    }

    pub(super) fn drop_database(&self, name: &str) -> Result<()> {
        let drop = format!("drop database {name} with (force)");
        self.cluster.postgres.sql("postgres", &drop).map(|_| ())
    }

    /// Stops Postgres with `stop -m immediate`.
    ///
    /// # Errors
    /// Fails if Postgres does not stop.
    pub(crate) fn crash_postgres(&mut self) -> Result<()> {
        self.has_postgres = false;
        self.cluster.postgres.crash()
    }

    /// Kills NATS with SIGKILL.
    ///
    /// # Errors
    /// Fails if NATS cannot be killed.
    pub(crate) fn crash_broker(&mut self) -> Result<()> {
        self.has_broker = false;
        self.cluster.nats.crash()
    }

    /// Pauses NATS; its connections stay open.
    ///
    /// # Errors
    /// Fails if the signal cannot be sent.
    pub(crate) fn freeze_broker(&self) -> Result<()> {
        self.cluster.nats.freeze()
    }

    /// Resumes or restarts NATS and Postgres.
    ///
    /// # Errors
    /// Fails if one of them does not start.
    pub(crate) fn repair(&mut self) -> Result<()> {
        if self.has_broker {
            self.cluster.nats.thaw()?;
        } else {
            self.cluster.nats.start_again()?;
            self.has_broker = true;
        }
        if !self.has_postgres {
            self.cluster.postgres.start_again()?;
            self.has_postgres = true;
        }
        Ok(())
    }
}
