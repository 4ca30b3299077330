//! Several nodes: one Postgres, one NATS, and a network that can fail between each node and either
//! of them. Clients connect to a random node.
//!
//! Postgres, NATS and the accounts last for all rounds ([`SharedServers`]). Each round has its own
//! database and new nodes on it ([`Nodes`]). Used by one round at a time.
//!
//! # Layout
//! - `shared_servers`: the servers that last for all rounds
//! - `copy`: a copy of the store, with nodes of its own

mod copy;
mod shared_servers;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::client_log::ClientLog;
use crate::proxy::{Condition, Proxy};
use crate::store::{self, Stored};
use crate::test_server::Address;
pub(crate) use copy::StoreCopy;
pub(crate) use shared_servers::SharedServers;

/// Time limit for a node to become ready after a kill, while Postgres and NATS are available.
const READY_WITHIN: Duration = Duration::from_secs(10);
/// Variable with the clock error in seconds, read by the shim.
const CLOCK: &str = "DUET_TORTURE_CLOCK";

/// The servers that a node depends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Backend {
    Broker,
    Database,
}

impl Backend {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Broker => "NATS",
            Self::Database => "Postgres",
        }
    }
}

/// The proxies between one node and its NATS and Postgres.
struct NodeLinks {
    broker: Proxy,
    database: Proxy,
}

/// The nodes of one round.
pub(crate) struct Nodes<'a> {
    /// Address for clients.
    pub address: Address,
    /// The network in front of all nodes.
    pub proxy: Proxy,
    pub slowest_start: Duration,
    servers: &'a mut SharedServers,
    database: String,
    links: Vec<NodeLinks>,
    log: ClientLog,
    last_log_lines: Vec<String>,
}

/// The settings of a round's nodes.
pub(crate) struct NodeSettings<'a> {
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
    pub(crate) async fn open(
        servers: &'a mut SharedServers,
        settings: &NodeSettings<'_>,
        round: u64,
        log: ClientLog,
    ) -> Result<Self> {
        let database = servers.new_database(round)?;
        let proxy = Proxy::start().await?;
        let address = Address::new(proxy.address);
        let mut links = Vec::new();
        let cluster = &mut servers.cluster;
        let (postgres, nats) = (cluster.postgres.port(), cluster.nats.port());
        for (number, node) in cluster.nodes.iter_mut().enumerate() {
            let link =
                NodeLinks { broker: proxy_to(nats).await?, database: proxy_to(postgres).await? };
            let own = link.database.address.port();
            let url = cluster
                .postgres
                .url(&database)
                .replace(&format!(":{postgres}/"), &format!(":{own}/"));
            node.set("DUET_DATABASE_URL", url);
            node.set("DUET_NATS_URL", cluster.nats.url_through_port(link.broker.address.port()));
            node.set("DUET_PUBLIC_URL", address.origin());
            settings.binary.clone_into(&mut node.binary);
            node.unset("LD_PRELOAD");
            if let Some((shim, seconds)) = settings.clocks {
                node.set("LD_PRELOAD", shim.display().to_string());
                let own = seconds.get(number).copied().unwrap_or_default();
                node.set(CLOCK, own.to_string());
            }
            links.push(link);
        }
        let mut nodes = Self {
            address,
            proxy,
            slowest_start: Duration::ZERO,
            servers,
            database,
            links,
            log,
            last_log_lines: Vec::new(),
        };
        nodes.start_all().await?;
        Ok(nodes)
    }

    pub(crate) fn count(&self) -> usize {
        self.links.len()
    }

    /// Starts a node unless it runs. Restores its path to Postgres first, because it cannot start
    /// without one.
    ///
    /// # Errors
    /// Fails if the node does not start, or not in time.
    pub(crate) async fn start(&mut self, which: usize) -> Result<()> {
        let node = self.servers.cluster.nodes.get_mut(which).context("there is no such node")?;
        if node.running().is_some() {
            return Ok(());
        }
        self.links[which].database.repair(false);
        let started = Instant::now();
        node.start().await.with_context(|| format!("node {which}"))?;
        let took = started.elapsed();
        self.slowest_start = self.slowest_start.max(took);
        self.log.note(format!("node {which} is ready after {} ms", took.as_millis()));
        self.route_clients();
        if took > READY_WITHIN {
            bail!("node {which} took {} ms to start", took.as_millis());
        }
        Ok(())
    }

    /// Starts all nodes that do not run.
    ///
    /// # Errors
    /// Fails if a node does not start, or not in time.
    pub(crate) async fn start_all(&mut self) -> Result<()> {
        for which in 0..self.count() {
            self.start(which).await?;
        }
        Ok(())
    }

    /// Kills a node with SIGKILL.
    ///
    /// # Errors
    /// Fails if the node cannot be killed.
    pub(crate) async fn kill(&mut self, which: usize) -> Result<()> {
        self.collect_log(which);
        let node = &mut self.servers.cluster.nodes[which];
        if node.running().is_some() {
            self.log.fault("kill -9 of a node");
            self.log.note(format!("node {which} is killed"));
            node.kill().await?;
        }
        self.route_clients();
        Ok(())
    }

    /// Stops a node with SIGTERM and waits for its orderly shutdown. Removes the node from the load
    /// balancing first.
    ///
    /// # Errors
    /// Fails if the node does not shut down in order.
    pub(crate) async fn stop(&mut self, which: usize) -> Result<()> {
        self.collect_log(which);
        let others: Vec<_> = (0..self.count()).filter(|other| *other != which).collect();
        self.route_clients_to(&others);
        let node = &mut self.servers.cluster.nodes[which];
        if node.running().is_some() {
            self.log.fault("SIGTERM of a node");
            self.log.note(format!("node {which} receives SIGTERM"));
            let stopped = node.stop().await;
            stopped.with_context(|| format!("node {which}"))?;
            self.log.note(format!("node {which} has exited"));
        }
        Ok(())
    }

    /// Sets the binary for the next start of a node.
    pub(crate) fn set_binary(&mut self, which: usize, binary: &Path) {
        let node: &mut PathBuf = &mut self.servers.cluster.nodes[which].binary;
        binary.clone_into(node);
    }

    /// Sets the network condition between a node and a server behind it.
    pub(crate) fn set_condition(&self, which: usize, backend: Backend, condition: Condition) {
        self.link(which, backend).set_all(condition);
    }

    /// Repairs the network between a node and a server behind it. Delayed data arrives, unless
    /// `cut` closes the connections.
    pub(crate) fn repair_link(&self, which: usize, backend: Backend, cut: bool) {
        self.link(which, backend).repair(cut);
    }

    fn link(&self, which: usize, backend: Backend) -> &Proxy {
        match backend {
            Backend::Broker => &self.links[which].broker,
            Backend::Database => &self.links[which].database,
        }
    }

    /// Postgres and NATS, for faults.
    pub(crate) fn servers(&mut self) -> &mut SharedServers {
        self.servers
    }

    /// Terminates `percent` of the database connections, as an operator would. Returns their
    /// number.
    ///
    /// # Errors
    /// Fails if Postgres is not available.
    pub(crate) fn terminate_connections(&self, percent: u64) -> Result<u64> {
        let terminated = self.servers.cluster.postgres.sql(
            "postgres",
            &format!(
                "select count(pg_terminate_backend(pid)) from pg_stat_activity \
                 where datname = '{}' and random() * 100 < {percent}",
                self.database
            ),
        )?;
        Ok(terminated.parse()?)
    }

    /// Repairs every network and restarts everything that does not run.
    ///
    /// # Errors
    /// Fails if a server or node does not start.
    pub(crate) async fn repair(&mut self) -> Result<()> {
        self.proxy.repair(false);
        for which in 0..self.count() {
            self.repair_link(which, Backend::Broker, false);
            self.repair_link(which, Backend::Database, false);
        }
        self.servers.repair()?;
        self.start_all().await
    }

    /// Stops all nodes in order and reads the store.
    ///
    /// # Errors
    /// Fails if the store cannot be read. A node that does not shut down in order is passed to
    /// `report_violation`.
    pub(crate) async fn end(
        &mut self,
        report_violation: &mut impl FnMut(String),
    ) -> Result<Stored> {
        for which in 0..self.count() {
            if let Err(error) = self.stop(which).await {
                report_violation(format!("{error:#}"));
            }
        }
        let stored = store::read_postgres(&self.servers.cluster.postgres, &self.database);
        self.servers.drop_database(&self.database)?;
        stored
    }

    /// Returns the last log lines of the nodes.
    pub(crate) fn server_log(&mut self) -> Vec<String> {
        for which in 0..self.count() {
            self.collect_log(which);
        }
        std::mem::take(&mut self.last_log_lines)
    }

    fn collect_log(&mut self, which: usize) {
        let Some(node) = self.servers.cluster.nodes[which].running() else { return };
        let lines = node.log().into_iter().map(|line| format!("node {which}: {line}"));
        self.last_log_lines.extend(lines);
    }

    fn route_clients(&self) {
        let all: Vec<_> = (0..self.count()).collect();
        self.route_clients_to(&all);
    }

    /// Directs clients to those of these nodes that run.
    fn route_clients_to(&self, nodes: &[usize]) {
        let run = nodes.iter().filter_map(|which| {
            let node = self.servers.cluster.nodes.get(*which)?;
            node.running().map(|_| node.address)
        });
        let run: Vec<_> = run.collect();
        self.proxy.set_upstreams(&run);
        self.address.set_upstreams(&run);
    }
}

async fn proxy_to(port: u16) -> Result<Proxy> {
    let proxy = Proxy::start().await?;
    proxy.set_upstreams(&[([127, 0, 0, 1], port).into()]);
    Ok(proxy)
}
