//! Several nodes: one Postgres, one NATS, and a network that can fail between each node and either
//! of them. Clients connect to a random node.
//!
//! Postgres, NATS and the accounts last for all rounds ([`Machines`]). Each round has its own
//! database and new nodes on it ([`Nodes`]). Used by one round at a time.
//!
//! # Layout
//! - `machines`: the servers that last for all rounds
//! - `copy`: a copy of the store, with nodes of its own

mod copy;
mod machines;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::log::Log;
use crate::proxy::{Proxy, Weather};
use crate::site::Address;
use crate::store::{self, Stored};
pub use copy::Copy;
pub use machines::Machines;

/// Time limit for a node to become ready after a kill, while Postgres and NATS are available.
const READY_WITHIN: Duration = Duration::from_secs(10);
/// Variable with the clock error in seconds, read by the shim.
const CLOCK: &str = "DUET_TORTURE_CLOCK";

/// The servers that a node depends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Behind {
    Broker,
    Database,
}

impl Behind {
    pub fn name(self) -> &'static str {
        match self {
            Self::Broker => "NATS",
            Self::Database => "Postgres",
        }
    }
}

/// The proxies between one node and its NATS and Postgres.
struct Ways {
    broker: Proxy,
    database: Proxy,
}

/// The nodes of one round.
pub struct Nodes<'a> {
    /// Address for clients.
    pub address: Address,
    /// The network in front of all nodes.
    pub proxy: Proxy,
    pub slowest_start: Duration,
    machines: &'a mut Machines,
    database: String,
    ways: Vec<Ways>,
    log: Log,
    last_words: Vec<String>,
}

/// The settings of a round's nodes.
pub struct Wishes<'a> {
    /// The binary that all nodes run at first.
    pub binary: &'a Path,
    /// The clock shim, and the clock error of each node in seconds.
    pub clocks: Option<(&'a Path, &'a [i64])>,
}

impl<'a> Nodes<'a> {
    /// Starts all nodes on a new database that contains the accounts.
    ///
    /// # Errors
    /// Fails if a server or node does not start.
    pub async fn open(
        machines: &'a mut Machines,
        wishes: &Wishes<'_>,
        round: u64,
        log: Log,
    ) -> Result<Self> {
        let database = machines.new_database(round)?;
        let proxy = Proxy::start().await?;
        let address = Address::new(proxy.address);
        let mut ways = Vec::new();
        let cluster = &mut machines.cluster;
        let (postgres, nats) = (cluster.postgres.port(), cluster.nats.port());
        for (number, node) in cluster.nodes.iter_mut().enumerate() {
            let way = Ways { broker: lead_to(nats).await?, database: lead_to(postgres).await? };
            let own = way.database.address.port();
            let url = cluster
                .postgres
                .url(&database)
                .replace(&format!(":{postgres}/"), &format!(":{own}/"));
            node.set("DUET_DATABASE_URL", url);
            node.set("DUET_NATS_URL", cluster.nats.url_by(way.broker.address.port()));
            node.set("DUET_PUBLIC_URL", address.origin());
            wishes.binary.clone_into(&mut node.binary);
            node.unset("LD_PRELOAD");
            if let Some((shim, seconds)) = wishes.clocks {
                node.set("LD_PRELOAD", shim.display().to_string());
                let own = seconds.get(number).copied().unwrap_or_default();
                node.set(CLOCK, own.to_string());
            }
            ways.push(way);
        }
        let mut nodes = Self {
            address,
            proxy,
            slowest_start: Duration::ZERO,
            machines,
            database,
            ways,
            log,
            last_words: Vec::new(),
        };
        nodes.start_all().await?;
        Ok(nodes)
    }

    pub fn count(&self) -> usize {
        self.ways.len()
    }

    /// Starts a node unless it runs. Restores its path to Postgres first, because it cannot start
    /// without one.
    ///
    /// # Errors
    /// Fails if the node does not start, or not in time.
    pub async fn start(&mut self, which: usize) -> Result<()> {
        let node = self.machines.cluster.nodes.get_mut(which).context("no such node")?;
        if node.running().is_some() {
            return Ok(());
        }
        self.ways[which].database.clear(false);
        let begun = Instant::now();
        node.start().await.with_context(|| format!("node {which}"))?;
        let took = begun.elapsed();
        self.slowest_start = self.slowest_start.max(took);
        self.log.fault(format!("the node {which} is ready after {} ms", took.as_millis()));
        self.lead_clients();
        if took > READY_WITHIN {
            bail!("node {which} took {} ms to start", took.as_millis());
        }
        Ok(())
    }

    /// Starts all nodes that do not run.
    ///
    /// # Errors
    /// Fails if a node does not start, or not in time.
    pub async fn start_all(&mut self) -> Result<()> {
        for which in 0..self.count() {
            self.start(which).await?;
        }
        Ok(())
    }

    /// Kills a node with SIGKILL.
    ///
    /// # Errors
    /// Fails if the node cannot be killed.
    pub async fn kill(&mut self, which: usize) -> Result<()> {
        self.hear_last_words(which);
        let node = &mut self.machines.cluster.nodes[which];
        if node.running().is_some() {
            self.log.fault("kill -9 of a node");
            self.log.fault(format!("the node {which} is killed"));
            node.kill().await?;
        }
        self.lead_clients();
        Ok(())
    }

    /// Stops a node with SIGTERM and waits for its orderly shutdown. Removes the node from the load
    /// balancing first.
    ///
    /// # Errors
    /// Fails if the node does not shut down in order.
    pub async fn stop(&mut self, which: usize) -> Result<()> {
        self.hear_last_words(which);
        let others: Vec<_> = (0..self.count()).filter(|other| *other != which).collect();
        self.lead_to(&others);
        let node = &mut self.machines.cluster.nodes[which];
        if node.running().is_some() {
            self.log.fault("SIGTERM of a node");
            self.log.fault(format!("the node {which} is told to end"));
            let stopped = node.stop().await;
            stopped.with_context(|| format!("node {which}"))?;
            self.log.fault(format!("the node {which} has ended"));
        }
        Ok(())
    }

    /// Sets the binary for the next start of a node.
    pub fn set_binary(&mut self, which: usize, binary: &Path) {
        let node: &mut PathBuf = &mut self.machines.cluster.nodes[which].binary;
        binary.clone_into(node);
    }

    /// Sets the network condition between a node and a server behind it.
    pub fn set_weather(&self, which: usize, behind: Behind, weather: Weather) {
        self.way(which, behind).set_all(weather);
    }

    /// Repairs the network between a node and a server behind it. Delayed data arrives, unless
    /// `cut` closes the connections.
    pub fn clear(&self, which: usize, behind: Behind, cut: bool) {
        self.way(which, behind).clear(cut);
    }

    fn way(&self, which: usize, behind: Behind) -> &Proxy {
        match behind {
            Behind::Broker => &self.ways[which].broker,
            Behind::Database => &self.ways[which].database,
        }
    }

    /// Postgres and NATS, for faults.
    pub fn machines(&mut self) -> &mut Machines {
        self.machines
    }

    /// Terminates `percent` of the database connections, as an operator would. Returns their
    /// number.
    ///
    /// # Errors
    /// Fails if Postgres is not available.
    pub fn end_backends(&self, percent: u64) -> Result<u64> {
        let ended = self.machines.cluster.postgres.sql(
            "postgres",
            &format!(
                "select count(pg_terminate_backend(pid)) from pg_stat_activity \
                 where datname = '{}' and random() * 100 < {percent}",
                self.database
            ),
        )?;
        Ok(ended.parse()?)
    }

    /// Repairs every network and restarts everything that does not run.
    ///
    /// # Errors
    /// Fails if a server or node does not start.
    pub async fn mend(&mut self) -> Result<()> {
        self.proxy.clear(false);
        for which in 0..self.count() {
            self.clear(which, Behind::Broker, false);
            self.clear(which, Behind::Database, false);
        }
        self.machines.mend()?;
        self.start_all().await
    }

    /// Stops all nodes in order and reads the store.
    ///
    /// # Errors
    /// Fails if the store cannot be read. A node that does not shut down in order is passed to
    /// `complain`.
    pub async fn end(&mut self, complain: &mut impl FnMut(String)) -> Result<Stored> {
        for which in 0..self.count() {
            if let Err(error) = self.stop(which).await {
                complain(format!("{error:#}"));
            }
        }
        let stored = store::read_postgres(&self.machines.cluster.postgres, &self.database);
        self.machines.drop_database(&self.database)?;
        stored
    }

    /// Returns the last log lines of the nodes.
    pub fn server_log(&mut self) -> Vec<String> {
        for which in 0..self.count() {
            self.hear_last_words(which);
        }
        std::mem::take(&mut self.last_words)
    }

    fn hear_last_words(&mut self, which: usize) {
        let Some(node) = self.machines.cluster.nodes[which].running() else { return };
        let words = node.log().into_iter().map(|line| format!("node {which}: {line}"));
        self.last_words.extend(words);
    }

    fn lead_clients(&self) {
        let all: Vec<_> = (0..self.count()).collect();
        self.lead_to(&all);
    }

    /// Directs clients to those of these nodes that run.
    fn lead_to(&self, nodes: &[usize]) {
        let run = nodes.iter().filter_map(|which| {
            let node = self.machines.cluster.nodes.get(*which)?;
            node.running().map(|_| node.address)
        });
        let run: Vec<_> = run.collect();
        self.proxy.lead_to(&run);
        self.address.lead_to(&run);
    }
}

async fn lead_to(port: u16) -> Result<Proxy> {
    let proxy = Proxy::start().await?;
    proxy.lead_to(&[([127, 0, 0, 1], port).into()]);
    Ok(proxy)
}
