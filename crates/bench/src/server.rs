//! The target of a load: one server, or several nodes on one Postgres and one NATS.
//!
//! Accounts for the nodes are created once per run. Each measurement has its own copy of the
//! database in the same Postgres. Clients connect to the nodes directly, without a load balancer;
//! the two users of a pair connect to different nodes if there are several.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Result, bail};
use harness::{Cluster, ClusterConfig, DATABASE, HttpClient, ServerProcess, TestUser};
use tokio::sync::{Mutex, OwnedMutexGuard};

/// The database that each measurement copies.
const FIXTURE: &str = "fixture";

/// A cluster and its accounts.
pub struct Nodes {
    cluster: Arc<Mutex<Cluster>>,
    users: Vec<TestUser>,
}

impl Nodes {
    /// Starts Postgres and NATS and creates the accounts. The nodes start with each measurement.
    ///
    /// # Errors
    /// Fails if a server does not start or is not installed; the message contains the install
    /// command.
    pub async fn prepare(duet: &Path, most: u8, users: usize) -> Result<Self> {
        eprintln!("creating {users} accounts on Postgres (about {} s)", users / 40 + 1);
        let config = ClusterConfig::of(duet, most.into());
        let (cluster, users) = Cluster::prepare_with_users(&config, users).await?;
        cluster.postgres.create_database(FIXTURE, Some(DATABASE))?;
        Ok(Self { cluster: Arc::new(Mutex::new(cluster)), users })
    }

    pub fn users(&self) -> &[TestUser] {
        &self.users
    }

    /// Starts this many nodes on a new copy of the database. A single node runs without NATS.
    ///
    /// # Errors
    /// Fails if a node does not start, or if the nodes of the last measurement still run.
    pub async fn start(&self, count: u8) -> Result<Server> {
        let mut cluster = self.cluster.clone().lock_owned().await;
        cluster.postgres.sql("postgres", &format!("drop database {DATABASE}"))?;
        cluster.postgres.create_database(DATABASE, Some(FIXTURE))?;
        let broker = cluster.nats.url();
        for node in cluster.nodes.iter_mut().take(count.into()) {
            match count {
                1 => node.unset("DUET_NATS_URL"),
                _ => node.set("DUET_NATS_URL", broker.clone()),
            }
            node.start().await?;
        }
        Ok(Server::Several(cluster))
    }
}

/// The running servers of a measurement.
pub enum Server {
    /// One server with its own data.
    One(Box<ServerProcess>),
    /// The running nodes of a cluster.
    Several(OwnedMutexGuard<Cluster>),
}

impl Server {
    /// The processes and their addresses.
    fn processes(&self) -> Vec<(SocketAddr, &ServerProcess)> {
        match self {
            Self::One(running) => vec![(running.address, running)],
            Self::Several(cluster) => {
                let nodes = cluster.nodes.iter();
                nodes.filter_map(|node| Some((node.address, node.running()?))).collect()
            }
        }
    }

    /// Returns the address for a client. Consecutive numbers get different nodes if there are
    /// several.
    ///
    /// # Errors
    /// Fails if no server runs.
    pub fn address_of(&self, number: usize) -> Result<SocketAddr> {
        let processes = self.processes();
        if processes.is_empty() {
            bail!("no server is running");
        }
        Ok(processes[number % processes.len()].0)
    }

    /// The value of the header `Origin`.
    ///
    /// # Errors
    /// Fails if no server runs.
    pub fn origin(&self) -> Result<String> {
        Ok(match self {
            Self::One(_) => format!("http://{}", self.address_of(0)?),
            Self::Several(cluster) => cluster.origin(),
        })
    }

    /// Returns an HTTP client for the first server.
    ///
    /// # Errors
    /// Fails if no server runs.
    pub fn http(&self) -> Result<HttpClient> {
        HttpClient::at(self.address_of(0)?, self.origin()?)
    }

    /// Returns the CPU seconds of all nodes so far, without Postgres and NATS.
    ///
    /// # Errors
    /// Fails if a process has ended.
    pub fn cpu_seconds(&self) -> Result<f64> {
        self.processes().iter().map(|(_, running)| running.cpu_seconds()).sum()
    }

    /// Returns the resident memory of all nodes in bytes, without Postgres and NATS.
    ///
    /// # Errors
    /// Fails if a process has ended.
    pub fn resident_bytes(&self) -> Result<u64> {
        self.processes().iter().map(|(_, running)| running.resident_bytes()).sum()
    }

    /// Stops all servers and waits for them.
    ///
    /// # Errors
    /// Fails if a server does not shut down in order.
    pub async fn stop(self) -> Result<()> {
        match self {
            Self::One(running) => running.stop().await.map(drop),
            Self::Several(mut cluster) => {
                for node in cluster.nodes.iter_mut().filter(|node| node.running().is_some()) {
                    node.stop().await?;
                }
                Ok(())
            }
        }
    }
}
