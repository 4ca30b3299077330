//! The measured systems and the disks below them.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Result, bail};
use harness::{Running, duet};
use tempfile::TempDir;
use tokio::process::Command;

use crate::peer::Peer;

/// A measured system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum System {
    /// One Duet server on SQLite.
    Duet,
    /// This many Duet nodes on one Postgres.
    Nodes(u8),
    /// A relay without a store: the cost of the sockets alone.
    Relay,
    /// The same relay with a group-committing SQLite writer: the additional cost of durability.
    Store,
    /// Another chat server.
    Peer(Peer),
}

impl System {
    /// The name in the tables.
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

    /// Whether the system is Duet, with one node or several.
    pub fn is_duet(self) -> bool {
        matches!(self, Self::Duet | Self::Nodes(_))
    }

    /// Whether the system flushes data to disk, and whether it does so before it acknowledges.
    pub fn fsynced(self) -> &'static str {
        match self {
            Self::Duet | Self::Nodes(_) | Self::Store | Self::Peer(Peer::EjabberdPostgres) => "yes",
            Self::Relay => "no",
            // Observed to acknowledge messages before they were stored.
            Self::Peer(Peer::EjabberdSqlite) => "later",
            Self::Peer(Peer::ProsodyFiles) => "no",
            Self::Peer(Peer::ProsodySqlite) => "yes",
        }
    }
}

/// The disk below a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Disk {
    /// This machine's disk.
    Own,
    /// This machine's disk with this additional time for each flush, and the shim that adds it.
    Slowed(Duration, PathBuf),
}

impl Disk {
    /// The name in the tables.
    pub fn label(&self) -> String {
        match self {
            Self::Own => String::new(),
            Self::Slowed(by, _) => format!(", fsync +{} ms", by.as_millis()),
        }
    }

    /// Preloads the shim into a server command, if this disk has one.
    pub fn slow(&self, command: &mut Command) {
        if let Self::Slowed(by, shim) = self {
            command.env("LD_PRELOAD", shim);
            command.env("DUET_BENCH_FSYNC_US", by.as_micros().to_string());
        }
    }

    /// Returns the microseconds added to every flush.
    pub fn added_us(&self) -> u128 {
        match self {
            Self::Own => 0,
            Self::Slowed(by, _) => by.as_micros(),
        }
    }
}

/// Paths of the binaries.
#[derive(Clone, Debug)]
pub struct Binaries {
    /// The server.
    pub duet: PathBuf,
    /// This program, which also contains the ceilings.
    pub bench: PathBuf,
}

impl Binaries {
    /// Starts a system on the given data.
    ///
    /// # Errors
    /// Fails if the system does not start.
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
