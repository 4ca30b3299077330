//! A copy of the store beside the original: restored from a dump while the original is in use, with
//! nodes of its own on the same NATS. All that lasts is the same in both, sessions too, so the same
//! people come to it by another address. Nothing of it is broken.

use std::path::Path;

use anyhow::Result;
use harness::{Running, duet};

use super::Nodes;
use crate::proxy::Proxy;
use crate::site::Address;
use crate::store::{self, Stored};

/// Enough for one that leads and one that follows.
const NODES: usize = 2;

/// See the module. Its nodes end with it.
pub struct Copy {
    /// For clients.
    pub address: Address,
    /// Between clients and nodes.
    _proxy: Proxy,
    database: String,
    nodes: Vec<Running>,
}

impl Copy {
    /// Copies the store of these nodes, and starts others on the copy.
    ///
    /// # Errors
    /// Something does not start.
    pub async fn open(nodes: &Nodes<'_>, binary: &Path) -> Result<Self> {
        let cluster = &nodes.machines.cluster;
        let database = format!("{}_copy", nodes.database);
        cluster.postgres.restore_copy(&database, &nodes.database)?;
        let proxy = Proxy::start().await?;
        let address = Address::new(proxy.address);
        let mut running = Vec::new();
        for _ in 0..NODES {
            let nothing = tempfile::tempdir()?;
            let mut command = duet(binary, nothing.path());
            command
                .env("DUET_DATABASE_URL", cluster.postgres.url(&database))
                .env("DUET_NATS_URL", cluster.nats.url())
                .env("DUET_PUBLIC_URL", address.origin())
                .env("DUET_TRUSTED_PROXIES", "127.0.0.1");
            running.push(Running::start("a node of the copy", command, nothing).await?);
        }
        let addresses: Vec<_> = running.iter().map(|node| node.address).collect();
        proxy.lead_to(&addresses);
        address.lead_to(&addresses);
        Ok(Self { address, _proxy: proxy, database, nodes: running })
    }

    /// The last lines that its nodes wrote.
    pub fn server_log(&self) -> Vec<String> {
        let of = |node: &Running| node.log().into_iter().map(|line| format!("copy: {line}"));
        self.nodes.iter().flat_map(of).collect()
    }

    /// Ends its nodes in order, and reads what is stored.
    ///
    /// # Errors
    /// The store cannot be read; a node that does not end in order is told.
    pub async fn end(self, nodes: &Nodes<'_>, complain: &mut impl FnMut(String)) -> Result<Stored> {
        for node in self.nodes {
            if let Err(error) = node.stop().await {
                complain(format!("of the copy: {error:#}"));
            }
        }
        let stored = store::read_postgres(&nodes.machines.cluster.postgres, &self.database);
        nodes.machines.drop_database(&self.database)?;
        stored
    }
}
