//! The measured systems and the disks below them.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use harness::{ServerProcess, compile_shim, duet_command};
use tempfile::TempDir;
use tokio::process::Command;

use crate::report::System;

/// The maximum number of nodes that the bench measures.
pub const MAX_NODES: u8 = 3;

/// A measured system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// One Duet server on SQLite.
    Duet,
    /// One Duet server on SQLite, from the binary of another build.
    OtherBuild,
    /// This many Duet nodes on one Postgres.
    Nodes(u8),
    /// A relay without a store: the cost of the sockets alone.
    Relay,
    /// The same relay with a group-committing SQLite writer: the additional cost of durability.
    Store,
}

impl Target {
    /// The systems that run as one server, in the order in which they are measured.
    pub const ONE_SERVER: [Self; 3] = [Self::Relay, Self::Store, Self::Duet];

    /// The name in the tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Duet => "Duet",
            Self::OtherBuild => "Duet, other build",
            Self::Nodes(1) => "Duet, Postgres",
            Self::Nodes(2) => "Duet, 2 nodes",
            Self::Nodes(3) => "Duet, 3 nodes",
            Self::Nodes(_) => "Duet, more nodes",
            Self::Relay => "ceiling: relay",
            Self::Store => "ceiling: relay+SQLite",
        }
    }

    /// Whether the system is Duet, with one node or several.
    pub fn is_duet(self) -> bool {
        matches!(self, Self::Duet | Self::OtherBuild | Self::Nodes(_))
    }

    /// Whether the system flushes data to disk, and whether it does so before it acknowledges.
    pub fn fsynced(self) -> &'static str {
        match self {
            Self::Duet | Self::OtherBuild | Self::Nodes(_) | Self::Store => "yes",
            Self::Relay => "no",
        }
    }
}

impl From<Target> for System {
    fn from(target: Target) -> Self {
        Self { name: target.name(), fsynced: target.fsynced() }
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
    /// Compiles the shim that adds this time to each flush, into a directory.
    ///
    /// # Errors
    /// Fails if the shim cannot be compiled.
    pub fn slowed(by: Duration, directory: &Path) -> Result<Self> {
        let source = include_str!("../shim/slow_disk.c");
        Ok(Self::Slowed(by, compile_shim(directory, "slow_disk", source)?))
    }

    /// The name in the tables.
    pub fn label(&self) -> String {
        match self {
            Self::Own => String::new(),
            Self::Slowed(by, _) => format!(", fsync +{} ms", by.as_millis()),
        }
    }

    /// Preloads the shim into a server command, if this disk has one.
    pub fn preload_shim(&self, command: &mut Command) {
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
    /// The server of another build, to compare with.
    pub other: Option<PathBuf>,
    /// `duet-bench`, which contains the ceilings.
    pub bench: PathBuf,
}

impl Binaries {
    /// Finds the server, the other build's server if one is given, and `duet-bench` beside this
    /// program.
    ///
    /// # Errors
    /// Fails if there is no server at one of these paths.
    pub fn find(duet: &Path, other: Option<&Path>) -> Result<Self> {
        let duet = duet.canonicalize().context("the server binary is missing: run `make bench`")?;
        let other = other.map(Path::canonicalize).transpose();
        let other = other.context("the other build's server binary is missing")?;
        Ok(Self { duet, other, bench: std::env::current_exe()?.with_file_name("duet-bench") })
    }

    /// Starts a system on the given data.
    ///
    /// # Errors
    /// Fails if the system does not start.
    pub async fn start(&self, target: Target, disk: &Disk, data: TempDir) -> Result<ServerProcess> {
        let mut command = match target {
            Target::Duet => duet_command(&self.duet, data.path()),
            Target::OtherBuild => {
                let other = self.other.as_ref().context("this run has no other build")?;
                duet_command(other, data.path())
            }
            Target::Relay => ceiling(&self.bench, "relay", data.path()),
            Target::Store => ceiling(&self.bench, "store", data.path()),
            Target::Nodes(_) => bail!("several nodes are started by `Nodes`"),
        };
        disk.preload_shim(&mut command);
        ServerProcess::start(target.name(), command, data).await
    }
}

fn ceiling(binary: &Path, which: &str, data: &Path) -> Command {
    let mut command = Command::new(binary);
    command.args(["ceiling", which, "--data"]).arg(data);
    command
}
