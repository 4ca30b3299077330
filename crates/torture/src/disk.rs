//! What the data lies on: the machine's own disk, a small one that can be filled, or one whose
//! flushes can be made to fail.
//!
//! The small disk is a tmpfs, mounted in a mount namespace of this process alone ([`alone`]): when
//! the process ends, however it ends, no mount is left. Failing flushes are a shim, preloaded into
//! the server, that answers EIO while a file exists.

use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, bail};
use tempfile::TempDir;

/// What the small disk holds: the store of a round, with a log that grows to 16 MiB.
const SMALL: &str = "size=96m";
/// Set in the process that has a mount namespace of its own.
const ALONE: &str = "DUET_TORTURE_ALONE";
/// Where the shim looks for the file.
const SHIM_FILE: &str = "DUET_TORTURE_EIO";

/// What a disk can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The machine's own.
    Own,
    /// Small, and can be filled.
    Small,
    /// The machine's own, with flushes that can fail.
    Failing,
}

/// See the module.
pub struct Disk {
    kind: Kind,
    directory: TempDir,
    shim: Option<PathBuf>,
    beside: TempDir,
}

impl Disk {
    /// A disk with a copy of these files.
    ///
    /// # Errors
    /// It cannot be made; for a small one also because this process may not mount.
    pub fn with(kind: Kind, files: &TempDir, shim: Option<&Path>) -> Result<Self> {
        let directory = tempfile::tempdir()?;
        let disk = Self {
            kind,
            directory,
            shim: shim.filter(|_| kind == Kind::Failing).map(Path::to_owned),
            beside: tempfile::tempdir()?,
        };
        if kind == Kind::Small {
            run(Command::new("mount")
                .args(["-t", "tmpfs", "-o", SMALL, "duet-torture"])
                .arg(disk.path()))?;
        }
        for entry in std::fs::read_dir(files.path())? {
            let entry = entry?;
            std::fs::copy(entry.path(), disk.path().join(entry.file_name()))?;
        }
        Ok(disk)
    }

    /// Where the data is.
    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    /// Which kind it is.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Lets a server that is to be started feel this disk.
    pub fn prepare(&self, server: &mut tokio::process::Command) {
        if let Some(shim) = &self.shim {
            server.env("LD_PRELOAD", shim).env(SHIM_FILE, self.switch());
        }
    }

    /// From now on it fails: full, or every flush is an error.
    ///
    /// # Errors
    /// It cannot be made to.
    pub fn fail(&self) -> Result<()> {
        match self.kind {
            Kind::Own => bail!("this disk cannot fail"),
            Kind::Failing => Ok(std::fs::write(self.switch(), "")?),
            Kind::Small => {
                let mut ballast =
                    std::fs::OpenOptions::new().create(true).append(true).open(self.ballast())?;
                // To the last byte: until even a small write is refused.
                for size in [1024 * 1024, 4 * 1024, 1] {
                    while ballast.write(&vec![0; size]).is_ok_and(|written| written > 0) {}
                }
                Ok(())
            }
        }
    }

    /// From now on it works again.
    ///
    /// # Errors
    /// It cannot be made to.
    pub fn mend(&self) -> Result<()> {
        let file = match self.kind {
            Kind::Own => return Ok(()),
            Kind::Failing => self.switch(),
            Kind::Small => self.ballast(),
        };
        match std::fs::remove_file(file) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error.into()),
            _ => Ok(()),
        }
    }

    fn switch(&self) -> PathBuf {
        self.beside.path().join("fails")
    }

    fn ballast(&self) -> PathBuf {
        self.path().join("ballast")
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        if self.kind == Kind::Small {
            // Lazily: whoever still has a file open keeps it until the end.
            let _ = Command::new("umount").arg("-l").arg(self.path()).status();
        }
    }
}

/// Whether this process may mount, and what it mounts ends with it.
pub fn is_alone() -> bool {
    std::env::var_os(ALONE).is_some()
}

/// Starts this program again in a mount namespace of its own, in place of this process. Returns when
/// that is not possible here; then there are no small disks.
pub fn alone() {
    if is_alone() {
        return;
    }
    let Ok(program) = std::env::current_exe() else { return };
    for way in [&["--mount", "--propagation", "private"][..], &["--map-root-user", "--mount"]] {
        let may = Command::new("unshare").args(way).arg("true").output();
        if may.is_ok_and(|output| output.status.success()) {
            let arguments = std::env::args_os().skip(1);
            let mut again = Command::new("unshare");
            again.args(way).arg(&program).args(arguments).env(ALONE, "1");
            eprintln!("cannot start in a mount namespace: {}", again.exec());
            return;
        }
    }
}

pub(crate) fn run(command: &mut Command) -> Result<()> {
    let output = command.output()?;
    if !output.status.success() {
        bail!("{command:?}: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(())
}
