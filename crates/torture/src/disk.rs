//! The disk under the data: the machine's own disk, a small one that can be filled, or one whose
//! flushes can fail.
//!
//! The small disk is a tmpfs in a mount namespace of this process ([`enter_own_mounts`]), so the
//! kernel removes the mount when the process ends. For failing flushes, a shim is preloaded into
//! the server; its `fsync` returns EIO while a certain file exists.

use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, bail};
use harness::{copy_files, run_command};
use tempfile::TempDir;

/// Size of the small disk: the store of a round and a write-ahead log of up to 16 MiB.
const SMALL: &str = "size=96m";
/// Variable that marks a process with its own mount namespace.
const NAMESPACED: &str = "DUET_TORTURE_ALONE";
/// Variable with the path of the file that makes flushes fail.
const SHIM_FILE: &str = "DUET_TORTURE_EIO";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DiskKind {
    /// The machine's own disk, without faults.
    Own,
    /// A small disk that can be filled.
    Small,
    /// The machine's own disk, with flushes that can fail.
    Failing,
}

/// A data directory and its fault switch.
pub(crate) struct Disk {
    kind: DiskKind,
    directory: TempDir,
    shim: Option<PathBuf>,
    switch_directory: TempDir,
}

impl Disk {
    /// Creates a disk with a copy of these files.
    ///
    /// # Errors
    /// Fails if a directory cannot be created, or if this process may not mount a small disk.
    pub(crate) fn create(kind: DiskKind, files: &TempDir, shim: Option<&Path>) -> Result<Self> {
        let directory = tempfile::tempdir()?;
        let disk = Self {
            kind,
            directory,
            shim: shim.filter(|_| kind == DiskKind::Failing).map(Path::to_owned),
            switch_directory: tempfile::tempdir()?,
        };
        if kind == DiskKind::Small {
            run_command(
                Command::new("mount")
                    .args(["-t", "tmpfs", "-o", SMALL, "duet-torture"])
                    .arg(disk.path()),
            )?;
        }
        copy_files(files.path(), disk.path())?;
        Ok(disk)
    }

    /// The data directory.
    pub(crate) fn path(&self) -> &Path {
        self.directory.path()
    }

    pub(crate) fn kind(&self) -> DiskKind {
        self.kind
    }

    /// Preloads the shim into a server command, if this disk has one.
    pub(crate) fn preload_shim(&self, server: &mut tokio::process::Command) {
        if let Some(shim) = &self.shim {
            server.env("LD_PRELOAD", shim).env(SHIM_FILE, self.failure_switch());
        }
    }

    /// Makes the disk fail: fills it, or makes every flush return an error.
    ///
    /// # Errors
    /// Fails if the disk has no fault, or if the file cannot be written.
    pub(crate) fn fail(&self) -> Result<()> {
        match self.kind {
            DiskKind::Own => bail!("this disk cannot fail"),
            DiskKind::Failing => Ok(std::fs::write(self.failure_switch(), "")?),
            DiskKind::Small => {
                let mut filler =
                    std::fs::OpenOptions::new().create(true).append(true).open(self.filler())?;
                // Fills the last byte, so that even a small write fails.
                for size in [1024 * 1024, 4 * 1024, 1] {
                    while filler.write(&vec![0; size]).is_ok_and(|written| written > 0) {}
                }
                Ok(())
            }
        }
    }

    /// Repairs the disk.
    ///
    /// # Errors
    /// Fails if the file cannot be removed.
    pub(crate) fn repair(&self) -> Result<()> {
        let file = match self.kind {
            DiskKind::Own => return Ok(()),
            DiskKind::Failing => self.failure_switch(),
            DiskKind::Small => self.filler(),
        };
        match std::fs::remove_file(file) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error.into()),
            _ => Ok(()),
        }
    }

    fn failure_switch(&self) -> PathBuf {
        self.switch_directory.path().join("fails")
    }

    fn filler(&self) -> PathBuf {
        self.path().join("filler")
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        if self.kind == DiskKind::Small {
            // Lazy unmount: a process with an open file keeps the disk until it closes the file.
            let _ = Command::new("umount").arg("-l").arg(self.path()).status();
        }
    }
}

/// Whether this process has its own mount namespace.
pub(crate) fn has_own_mounts() -> bool {
    std::env::var_os(NAMESPACED).is_some()
}

/// Replaces this process with the same program in a mount namespace of its own. Returns if that is
/// not possible; small disks are then unavailable.
pub(crate) fn enter_own_mounts() {
    if has_own_mounts() {
        return;
    }
    let Ok(program) = std::env::current_exe() else { return };
    for options in [&["--mount", "--propagation", "private"][..], &["--map-root-user", "--mount"]] {
        let allowed = Command::new("unshare").args(options).arg("true").output();
        if allowed.is_ok_and(|output| output.status.success()) {
            let arguments = std::env::args_os().skip(1);
            let mut unshare = Command::new("unshare");
            unshare.args(options).arg(&program).args(arguments).env(NAMESPACED, "1");
            eprintln!("cannot start in a mount namespace: {}", unshare.exec());
            return;
        }
    }
}
