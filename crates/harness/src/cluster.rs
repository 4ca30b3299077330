//! Several nodes as an operator runs them: one Postgres, one NATS, and a load balancer before them.
//! All of it private and on loopback, gone with whoever started it.
//!
//! A node keeps its address over all its lives. Used by `duet-cluster`, the bench and the torture.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use tokio::process::Command;

use crate::postgres::free_port;
use crate::process::{Running, duet_at};
use crate::{Haproxy, Nats, Postgres};

/// The database of all nodes.
pub const DATABASE: &str = "duet";

/// What is started.
pub struct Plan {
    /// The server.
    pub binary: PathBuf,
    /// The built site, when it is not beside the binary.
    pub site: Option<PathBuf>,
    /// How many.
    pub nodes: usize,
    /// Where the load balancer listens; on a free port if not given.
    pub port: Option<u16>,
    /// Where the database is kept; in a temporary directory if not given.
    pub data: Option<PathBuf>,
}

impl Plan {
    /// Of so many nodes.
    pub fn of(binary: &Path, nodes: usize) -> Self {
        Self { binary: binary.to_owned(), site: None, nodes, port: None, data: None }
    }
}

/// See the module. What stands first ends first.
pub struct Cluster {
    /// The nodes.
    pub nodes: Vec<Node>,
    /// Before them.
    pub haproxy: Haproxy,
    /// Between them.
    pub nats: Nats,
    /// Below them.
    pub postgres: Postgres,
}

/// One of the nodes.
pub struct Node {
    /// Where it listens.
    pub address: SocketAddr,
    /// What starts it; another one when another version takes its place.
    pub binary: PathBuf,
    /// What it is told besides: another way to its database or broker, say.
    pub settings: Vec<(String, String)>,
    site: Option<PathBuf>,
    running: Option<Running>,
}

impl Cluster {
    /// Starts everything.
    ///
    /// # Errors
    /// A server is missing, with the line that installs it, or does not start.
    pub async fn start(plan: &Plan) -> Result<Self> {
        let mut cluster = Self::prepare(plan)?;
        for node in &mut cluster.nodes {
            node.start().await?;
        }
        Ok(cluster)
    }

    /// Starts everything but the nodes.
    ///
    /// # Errors
    /// As above.
    pub fn prepare(plan: &Plan) -> Result<Self> {
        let postgres = match &plan.data {
            Some(directory) => Postgres::start_in(directory)?,
            None => Postgres::start()?,
        };
        if !postgres.has_database(DATABASE)? {
            postgres.create_database(DATABASE, None)?;
        }
        let nats = Nats::start()?;
        let addresses = (0..plan.nodes)
            .map(|_| Ok(SocketAddr::from(([127, 0, 0, 1], free_port()?))))
            .collect::<Result<Vec<_>>>()?;
        let haproxy = Haproxy::start(plan.port, &addresses)?;
        let settings = [
            ("DUET_DATABASE_URL", postgres.url(DATABASE)),
            ("DUET_NATS_URL", nats.url()),
            ("DUET_PUBLIC_URL", format!("http://{}", haproxy.address)),
            ("DUET_TRUSTED_PROXIES", "127.0.0.1".to_owned()),
        ];
        let settings: Vec<_> =
            settings.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        let node = |address| Node {
            address,
            binary: plan.binary.clone(),
            settings: settings.clone(),
            site: plan.site.clone(),
            running: None,
        };
        let nodes = addresses.into_iter().map(node).collect();
        Ok(Self { nodes, haproxy, nats, postgres })
    }

    /// What browsers say they came from.
    pub fn origin(&self) -> String {
        format!("http://{}", self.haproxy.address)
    }
}

impl Node {
    /// Starts it where it was.
    ///
    /// # Errors
    /// It does not start; with the last line it said.
    pub async fn start(&mut self) -> Result<()> {
        let nothing = tempfile::tempdir()?;
        let mut command: Command = duet_at(&self.binary, nothing.path(), &self.address.to_string());
        command.envs(self.settings.iter().map(|(name, value)| (name, value)));
        if let Some(site) = &self.site {
            command.arg("--site").arg(site);
        }
        self.running = Some(Running::start("a node", command, nothing).await?);
        Ok(())
    }

    /// Sets or replaces what it is told, from its next start on.
    pub fn set(&mut self, name: &str, value: String) {
        self.unset(name);
        self.settings.push((name.to_owned(), value));
    }

    /// Does not tell it that any more, from its next start on.
    pub fn unset(&mut self, name: &str) {
        self.settings.retain(|(known, _)| known != name);
    }

    /// The process, while there is one.
    pub fn running(&self) -> Option<&Running> {
        self.running.as_ref()
    }

    /// Ends it as a crash would.
    ///
    /// # Errors
    /// It is not running.
    pub async fn kill(&mut self) -> Result<()> {
        self.running.take().context("it is not running")?.kill().await.map(drop)
    }

    /// Asks it to end, and waits for it.
    ///
    /// # Errors
    /// It is not running, or did not end well.
    pub async fn stop(&mut self) -> Result<()> {
        self.running.take().context("it is not running")?.stop().await.map(drop)
    }
}
