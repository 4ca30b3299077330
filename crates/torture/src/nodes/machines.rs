//! What lasts over all rounds of several nodes: Postgres, NATS, and a database with the people, of
//! which every round gets a copy.

use std::path::Path;

use anyhow::{Context, Result};
use harness::{Cluster, DATABASE, Http, Person, Plan, Town};

/// See the module.
pub struct Machines {
    /// Postgres, NATS, and where nodes are started. Its load balancer is not used: clients come by
    /// a network that can be broken.
    pub(super) cluster: Cluster,
    people: Vec<Person>,
    has_postgres: bool,
    has_broker: bool,
}

impl Machines {
    /// Starts Postgres and NATS, and signs people up.
    ///
    /// # Errors
    /// A server is missing, with the line that installs it, or does not start.
    pub async fn start(binary: &Path, nodes: usize, people: usize) -> Result<Self> {
        let mut cluster = Cluster::prepare(&Plan::of(binary, nodes))?;
        let origin = cluster.origin();
        let first = cluster.nodes.first_mut().context("no nodes")?;
        first.start().await?;
        let http = Http::at(first.address, origin)?;
        let mut signed_up = Vec::new();
        for number in 0..people {
            signed_up.push(http.sign_up(Town::username(number)).await?);
        }
        first.stop().await?;
        Ok(Self { cluster, people: signed_up, has_postgres: true, has_broker: true })
    }

    /// How many nodes.
    pub fn nodes(&self) -> usize {
        self.cluster.nodes.len()
    }

    /// Who has signed up.
    pub fn people(&self) -> &[Person] {
        &self.people
    }

    /// A database that holds the people and nothing else.
    pub(super) fn new_database(&self, round: u64) -> Result<String> {
        let name = format!("round_{round}");
        self.cluster.postgres.create_database(&name, Some(DATABASE))?;
        Ok(name)
    }

    pub(super) fn drop_database(&self, name: &str) -> Result<()> {
        let drop = format!("drop database {name} with (force)");
        self.cluster.postgres.sql("postgres", &drop).map(|_| ())
    }

    /// `stop -m immediate`.
    ///
    /// # Errors
    /// It does not stop.
    pub fn crash_postgres(&mut self) -> Result<()> {
        self.has_postgres = false;
        self.cluster.postgres.crash()
    }

    /// kill -9 of NATS.
    ///
    /// # Errors
    /// It cannot be killed.
    pub fn crash_broker(&mut self) -> Result<()> {
        self.has_broker = false;
        self.cluster.nats.crash()
    }

    /// NATS stands still, its connections as they are.
    ///
    /// # Errors
    /// It cannot be told.
    pub fn freeze_broker(&self) -> Result<()> {
        self.cluster.nats.freeze()
    }

    /// Both run again.
    ///
    /// # Errors
    /// One of them does not start.
    pub fn mend(&mut self) -> Result<()> {
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
