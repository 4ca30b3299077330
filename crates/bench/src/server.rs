//! What a load runs against: one server, or several nodes on one Postgres and one NATS.
//!
//! The nodes' people sign up once a run; each measurement has its own copy of their database, in the
//! same Postgres. A load goes to the nodes themselves, without a load balancer between: the two of a
//! pair to different ones, wherever there are two.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use futures::stream::{self, StreamExt, TryStreamExt};
use harness::{Cluster, DATABASE, Http, Person, Running, Town};
use tokio::sync::{Mutex, OwnedMutexGuard};

/// The database that each measurement copies.
const TOWN: &str = "town";
/// Calls under way at once while people sign up.
const AT_ONCE: usize = 16;

/// Nodes that are started for a measurement, and their people.
pub struct Nodes {
    cluster: Arc<Mutex<Cluster>>,
    people: Vec<Person>,
}

impl Nodes {
    /// Makes everything but the nodes, and so many people.
    ///
    /// # Errors
    /// A server is missing, with the line that installs it, or does not start.
    pub async fn prepare(duet: &Path, most: u8, people: usize) -> Result<Self> {
        eprintln!("signing up {people} people on Postgres (about {} s)", people / 40 + 1);
        let mut cluster = Cluster::prepare(&harness::Plan::of(duet, most.into()))?;
        let origin = cluster.origin();
        let first = cluster.nodes.first_mut().context("no node")?;
        first.start().await?;
        let http = Http::at(first.address, origin)?;
        let people = stream::iter(0..people)
            .map(|number| http.sign_up(Town::username(number)))
            .buffered(AT_ONCE)
            .try_collect()
            .await?;
        first.stop().await?;
        cluster.postgres.create_database(TOWN, Some(DATABASE))?;
        Ok(Self { cluster: Arc::new(Mutex::new(cluster)), people })
    }

    /// Their people.
    pub fn people(&self) -> &[Person] {
        &self.people
    }

    /// Starts so many of them on a database of their own. One alone needs no NATS.
    ///
    /// # Errors
    /// One does not start, or those of the measurement before have not ended.
    pub async fn start(&self, count: u8) -> Result<Server> {
        let mut cluster = self.cluster.clone().lock_owned().await;
        cluster.postgres.sql("postgres", &format!("drop database {DATABASE}"))?;
        cluster.postgres.create_database(DATABASE, Some(TOWN))?;
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

/// See the module.
pub enum Server {
    /// On data of its own.
    One(Box<Running>),
    /// Those that run.
    Several(OwnedMutexGuard<Cluster>),
}

impl Server {
    /// The processes, with where each is reached.
    fn processes(&self) -> Vec<(SocketAddr, &Running)> {
        match self {
            Self::One(running) => vec![(running.address, running)],
            Self::Several(cluster) => {
                let nodes = cluster.nodes.iter();
                nodes.filter_map(|node| Some((node.address, node.running()?))).collect()
            }
        }
    }

    /// Where somebody goes: neighbours to different nodes, as far as there are any.
    ///
    /// # Errors
    /// Nothing runs.
    pub fn address_of(&self, number: usize) -> Result<SocketAddr> {
        let processes = self.processes();
        if processes.is_empty() {
            bail!("nothing runs");
        }
        Ok(processes[number % processes.len()].0)
    }

    /// What browsers say they came from.
    ///
    /// # Errors
    /// Nothing runs.
    pub fn origin(&self) -> Result<String> {
        Ok(match self {
            Self::One(_) => format!("http://{}", self.address_of(0)?),
            Self::Several(cluster) => cluster.origin(),
        })
    }

    /// Calls.
    ///
    /// # Errors
    /// Nothing runs.
    pub fn http(&self) -> Result<Http> {
        Http::at(self.address_of(0)?, self.origin()?)
    }

    /// Processor time so far, in seconds; of all nodes, and of nothing below them.
    ///
    /// # Errors
    /// One is gone.
    pub fn cpu_seconds(&self) -> Result<f64> {
        self.processes().iter().map(|(_, running)| running.cpu_seconds()).sum()
    }

    /// Resident memory in bytes, likewise.
    ///
    /// # Errors
    /// One is gone.
    pub fn resident_bytes(&self) -> Result<u64> {
        self.processes().iter().map(|(_, running)| running.resident_bytes()).sum()
    }

    /// Asks all to end, and waits for them.
    ///
    /// # Errors
    /// One did not end well.
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
