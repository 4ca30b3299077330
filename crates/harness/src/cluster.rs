//! Several nodes as an operator runs them: with one Postgres, one NATS, and a load balancer in
//! front. All of them are private, listen on loopback, and end with the process that started them.
//!
//! A node keeps its address across restarts. Used by `duet-cluster`, the bench and the torture.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use tokio::process::Command;

use crate::postgres::free_port;
use crate::process::{ServerProcess, duet_command_at};
use crate::{Fixture, Haproxy, HttpClient, Nats, Postgres, TestUser};

/// The name of the database that all nodes share.
pub const DATABASE: &str = "duet";

/// The parameters of a cluster.
pub struct ClusterConfig {
    /// The path of the server's binary.
    pub binary: PathBuf,
    /// The path of the built site, if it is not beside the binary.
    pub site: Option<PathBuf>,
    /// The number of nodes.
    pub nodes: usize,
    /// The port of the load balancer; a free port if `None`.
    pub port: Option<u16>,
    /// The directory of the database; a temporary directory if `None`.
    pub data: Option<PathBuf>,
}

impl ClusterConfig {
    pub fn of(binary: &Path, nodes: usize) -> Self {
        Self { binary: binary.to_owned(), site: None, nodes, port: None, data: None }
    }
}

/// A running cluster. The fields are dropped in their order, the nodes first.
pub struct Cluster {
    pub nodes: Vec<Node>,
    pub haproxy: Haproxy,
    pub nats: Nats,
    pub postgres: Postgres,
}

pub struct Node {
    /// The address on which the node listens.
    pub address: SocketAddr,
    /// The path of the server's binary. Replaced to start another version.
    pub binary: PathBuf,
    /// Environment variables, for example another URL of the database or of NATS.
    pub settings: Vec<(String, String)>,
    site: Option<PathBuf>,
    running: Option<ServerProcess>,
}

impl Cluster {
    /// Starts all servers and nodes.
    ///
    /// # Errors
    /// A program is missing (the error names the package to install), or does not start.
    pub async fn start(config: &ClusterConfig) -> Result<Self> {
        let mut cluster = Self::prepare(config)?;
        for node in &mut cluster.nodes {
            node.start().await?;
        }
        Ok(cluster)
    }

    /// Starts the servers but not the nodes.
    ///
    /// # Errors
    /// As [`Self::start`].
    pub fn prepare(config: &ClusterConfig) -> Result<Self> {
        let postgres = match &config.data {
            Some(directory) => Postgres::start_in(directory)?,
            None => Postgres::start()?,
        };
        if !postgres.has_database(DATABASE)? {
            postgres.create_database(DATABASE, None)?;
        }
        let nats = Nats::start()?;
        let addresses = (0..config.nodes)
            .map(|_| Ok(SocketAddr::from(([127, 0, 0, 1], free_port()?))))
            .collect::<Result<Vec<_>>>()?;
        let haproxy = Haproxy::start(config.port, &addresses)?;
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
            binary: config.binary.clone(),
            settings: settings.clone(),
            site: config.site.clone(),
            running: None,
        };
        let nodes = addresses.into_iter().map(node).collect();
        Ok(Self { nodes, haproxy, nats, postgres })
    }

    /// Starts the servers, creates accounts, and stops the node that created them.
    ///
    /// # Errors
    /// As [`Self::start`], or the server refuses a sign-up.
    pub async fn prepare_with_users(
        config: &ClusterConfig,
        count: usize,
    ) -> Result<(Self, Vec<TestUser>)> {
        let mut cluster = Self::prepare(config)?;
        let origin = cluster.origin();
        let first = cluster.nodes.first_mut().context("the cluster has no nodes")?;
        first.start().await?;
        let users = Fixture::sign_up(&HttpClient::at(first.address, origin)?, count).await?;
        first.stop().await?;
        Ok((cluster, users))
    }

    /// The origin that browsers send: the address of the load balancer.
    pub fn origin(&self) -> String {
        format!("http://{}", self.haproxy.address)
    }
}

impl Node {
    /// Starts the node on its address.
    ///
    /// # Errors
    /// The node does not start; the error contains the last line of its log.
    pub async fn start(&mut self) -> Result<()> {
        let nothing = tempfile::tempdir()?;
        let mut command: Command =
            duet_command_at(&self.binary, nothing.path(), &self.address.to_string());
        command.envs(self.settings.iter().map(|(name, value)| (name, value)));
        if let Some(site) = &self.site {
            command.arg("--site").arg(site);
        }
        self.running = Some(ServerProcess::start("a node", command, nothing).await?);
        Ok(())
    }

    /// Sets an environment variable from the next start on.
    pub fn set(&mut self, name: &str, value: String) {
        self.unset(name);
        self.settings.push((name.to_owned(), value));
    }

    /// Removes an environment variable from the next start on.
    pub fn unset(&mut self, name: &str) {
        self.settings.retain(|(existing, _)| existing != name);
    }

    /// The process, if the node is running.
    pub fn running(&self) -> Option<&ServerProcess> {
        self.running.as_ref()
    }

    /// Kills the node as a crash would.
    ///
    /// # Errors
    /// The node is not running.
    pub async fn kill(&mut self) -> Result<()> {
        self.running.take().context("the node is not running")?.kill().await.map(drop)
    }

    /// Stops the node and waits for its end.
    ///
    /// # Errors
    /// The node is not running, or exits with an error.
    pub async fn stop(&mut self) -> Result<()> {
        self.running.take().context("the node is not running")?.stop().await.map(drop)
    }
}
