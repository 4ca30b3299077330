//! A copy of the store: a dump of the original, taken during use and restored into another
//! database, with nodes of its own on the same NATS. The copy contains the same durable data,
//! sessions included, so the same users can connect to it at another address. No faults are
//! injected into the copy.

use std::path::Path;

use anyhow::Result;
use harness::{ServerProcess, duet_command};

use super::Nodes;
use crate::proxy::Proxy;
use crate::store::{self, Stored};
use crate::test_server::Address;

/// One leader and one follower.
const NODES: usize = 2;

/// The copy and its nodes, which end when it is dropped.
pub(crate) struct StoreCopy {
    /// Address for clients.
    pub address: Address,
    /// Proxy between clients and nodes.
    _proxy: Proxy,
    database: String,
    nodes: Vec<ServerProcess>,
}

impl StoreCopy {
    /// Copies the store of these nodes and starts new nodes on the copy.
    ///
    /// # Errors
    /// Fails if the copy cannot be restored or a node does not start.
    pub(crate) async fn open(nodes: &Nodes<'_>, binary: &Path) -> Result<Self> {
        let cluster = &nodes.servers.cluster;
        let database = format!("{}_copy", nodes.database);
        cluster.postgres.restore_copy(&database, &nodes.database)?;
        let proxy = Proxy::start().await?;
        let address = Address::new(proxy.address);
        let mut running = Vec::new();
        for _ in 0..NODES {
            let nothing = tempfile::tempdir()?;
            let mut command = duet_command(binary, nothing.path());
            command
                .env("DUET_DATABASE_URL", cluster.postgres.url(&database))
                .env("DUET_NATS_URL", cluster.nats.url())
                .env("DUET_PUBLIC_URL", address.origin())
                .env("DUET_TRUSTED_PROXIES", "127.0.0.1");
            running.push(ServerProcess::start("a node of the copy", command, nothing).await?);
        }
        let addresses: Vec<_> = running.iter().map(|node| node.address).collect();
        proxy.set_upstreams(&addresses);
        address.set_upstreams(&addresses);
        Ok(Self { address, _proxy: proxy, database, nodes: running })
    }

    /// Returns the last log lines of the nodes.
    pub(crate) fn server_log(&self) -> Vec<String> {
        let of = |node: &ServerProcess| node.log().into_iter().map(|line| format!("copy: {line}"));
        self.nodes.iter().flat_map(of).collect()
    }

    /// Stops the nodes in order and reads the store.
    ///
    /// # Errors
    /// Fails if the store cannot be read. A node that does not shut down in order is passed to
    /// `report_violation`.
    pub(crate) async fn end(
        self,
        nodes: &Nodes<'_>,
        report_violation: &mut impl FnMut(String),
    ) -> Result<Stored> {
        for node in self.nodes {
            if let Err(error) = node.stop().await {
                report_violation(format!("a node of the copy: {error:#}"));
            }
        }
        let stored = store::read_postgres(&nodes.servers.cluster.postgres, &self.database);
        nodes.servers.drop_database(&self.database)?;
        stored
    }
}
