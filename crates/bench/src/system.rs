//! What is measured, and on which disk.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Result, bail};
use harness::{Running, duet};
use tempfile::TempDir;
use tokio::process::Command;

use crate::peer::Peer;

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum System {
    /// The product.
    Duet,
    /// So many nodes of it on one Postgres.
    Nodes(u8),
    /// A relay without a store: what sockets alone cost.
    Relay,
    /// The same with a group-committing SQLite writer: what durability costs on top.
    Store,
    /// Somebody else's server.
    Peer(Peer),
}

impl System {
    /// As the tables name it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Duet => "Duet",
            Self::Nodes(1) => "Duet, Postgres",
            Self::Nodes(2) => "Duet, 2 nodes",
            Self::Nodes(3) => "Duet, 3 nodes",
            Self::Nodes(_) => "Duet, more nodes",
            Self::Relay => "ceiling: relay",
            Self::Store => "ceiling: relay+SQLite",
            Self::Peer(peer) => peer.name(),
        }
    }

    /// Whether it is the product, however many of it.
    pub fn is_duet(self) -> bool {
        matches!(self, Self::Duet | Self::Nodes(_))
    }

    /// Whether data is fsynced, and whether that is waited for.
    pub fn fsynced(self) -> &'static str {
        match self {
            Self::Duet | Self::Nodes(_) | Self::Store | Self::Peer(Peer::EjabberdPostgres) => "yes",
            Self::Relay => "no",
            // Its acknowledgements were seen to run ahead of its store.
            Self::Peer(Peer::EjabberdSqlite) => "later",
            Self::Peer(Peer::ProsodyFiles) => "no",
            Self::Peer(Peer::ProsodySqlite) => "yes",
        }
    }
}

/// The disk below a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Disk {
    /// This machine's.
    Own,
    /// This machine's, with so much more time for each fsync.
    Slowed(Duration, PathBuf),
}

impl Disk {
    /// As the tables name it.
    pub fn label(&self) -> String {
        match self {
            Self::Own => String::new(),
            Self::Slowed(by, _) => format!(", fsync +{} ms", by.as_millis()),
        }
    }

    /// Puts it below a server that is to be started.
    pub fn slow(&self, command: &mut Command) {
        if let Self::Slowed(by, shim) = self {
            command.env("LD_PRELOAD", shim);
            command.env("DUET_BENCH_FSYNC_US", by.as_micros().to_string());
        }
    }

    /// Microseconds of every fsync that are added.
    pub fn added_us(&self) -> u128 {
        match self {
            Self::Own => 0,
            Self::Slowed(by, _) => by.as_micros(),
        }
    }
}

/// Where the binaries are.
#[derive(Clone, Debug)]
pub struct Binaries {
    /// The product.
    pub duet: PathBuf,
    /// This program, which is the ceilings too.
    pub bench: PathBuf,
}

impl Binaries {
    /// Starts a system on some data.
    ///
    /// # Errors
    /// It does not start.
    pub async fn start(&self, system: System, disk: &Disk, data: TempDir) -> Result<Running> {
        let mut command = match system {
            System::Duet => duet(&self.duet, data.path()),
            System::Relay => ceiling(&self.bench, "relay", data.path()),
            System::Store => ceiling(&self.bench, "store", data.path()),
            System::Nodes(_) => bail!("nodes are not started alone"),
            System::Peer(peer) => bail!("{} speaks no Duet", peer.name()),
        };
        disk.slow(&mut command);
        Running::start(system.name(), command, data).await
    }
}

fn ceiling(binary: &Path, which: &str, data: &Path) -> Command {
    let mut command = Command::new(binary);
    command.args(["ceiling", which, "--data"]).arg(data);
    command
}
