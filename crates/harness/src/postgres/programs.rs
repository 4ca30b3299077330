//! Finds the Postgres programs and the user to run them as.

use std::os::unix::fs::{MetadataExt, chown};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::run_command;

/// Debian's directory of Postgres versions, which is not on PATH.
const DEBIAN: &str = "/usr/lib/postgresql";
/// The user for the server if this process is root, because Postgres refuses to run as root.
const SERVER_USER: &str = "postgres";

/// The installed Postgres programs, and the user to run them as.
pub struct PostgresPrograms {
    directory: PathBuf,
    /// The user and group to switch to, if this process is root.
    become_user: Option<(u32, u32)>,
}

impl PostgresPrograms {
    /// Finds the newest installed version.
    ///
    /// # Errors
    /// Postgres is not installed (the error names the package), or its user does not exist.
    pub fn find() -> Result<Self> {
        let Some(directory) = newest_of_debian().or_else(on_path) else {
            bail!(
                "a Postgres server is required but not installed: \
                 apt-get install postgresql (or scripts/setup servers)"
            );
        };
        let is_root = std::fs::metadata("/proc/self")?.uid() == 0;
        let become_user = if is_root { Some(server_user()?) } else { None };
        Ok(Self { directory, become_user })
    }

    pub(super) fn directory(&self) -> &Path {
        &self.directory
    }

    /// A command that runs any program as the server's user.
    pub(super) fn as_server_user(&self, program: impl AsRef<Path>) -> Command {
        let mut command = match self.become_user {
            None => Command::new(program.as_ref()),
            Some((user, group)) => {
                let mut command = Command::new("setpriv");
                command
                    .args(["--reuid", &user.to_string(), "--regid", &group.to_string()])
                    .args(["--clear-groups", "--"])
                    .arg(program.as_ref());
                command
            }
        };
        command.current_dir("/");
        command
    }

    /// A command that runs a Postgres program as the server's user.
    pub fn command(&self, name: &str) -> Command {
        self.as_server_user(self.directory.join(name))
    }

    /// A command that runs a client program as the current user.
    pub fn client(&self, name: &str) -> Command {
        let beside = self.directory.join(name);
        if beside.exists() { Command::new(beside) } else { Command::new(name) }
    }

    /// Makes the server's user the owner of a file or directory.
    ///
    /// # Errors
    /// The owner cannot be changed.
    pub fn chown_to_server(&self, path: &Path) -> Result<()> {
        if let Some((user, group)) = self.become_user {
            chown(path, Some(user), Some(group))?;
        }
        Ok(())
    }
}

fn newest_of_debian() -> Option<PathBuf> {
    let versions = std::fs::read_dir(DEBIAN).ok()?.filter_map(Result::ok);
    let numbered = versions.filter_map(|entry| {
        let version: u32 = entry.file_name().to_str()?.parse().ok()?;
        let directory = entry.path().join("bin");
        is_complete(&directory).then_some((version, directory))
    });
    numbered.max().map(|(_, directory)| directory)
}

fn on_path() -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    // The program on PATH is often a link into the directory with all programs.
    let real = std::env::split_paths(&path)
        .filter_map(|directory| directory.join("initdb").canonicalize().ok())
        .filter_map(|initdb| Some(initdb.parent()?.to_owned()));
    real.into_iter().find(|directory| is_complete(directory))
}

fn is_complete(directory: &Path) -> bool {
    ["initdb", "pg_ctl", "postgres"].iter().all(|name| directory.join(name).exists())
}

fn server_user() -> Result<(u32, u32)> {
    let number = |option| -> Result<u32> {
        let id = run_command(Command::new("id").args([option, SERVER_USER]));
        id.context(
            "Postgres does not run as root, and the user that its package creates does not exist",
        )?
        .trim()
        .parse()
        .context("id printed no number")
    };
    Ok((number("-u")?, number("-g")?))
}
