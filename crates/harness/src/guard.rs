//! Ensures that no started server outlives this process, however the process ends.
//!
//! A shell watches each server by reading its input. A line cancels the watch. At the end of the
//! input, which comes even if this process is killed, the shell kills the server and deletes its
//! files. Used for nodes, [`crate::Nats`], [`crate::Haproxy`] and [`crate::PgBouncer`].
//! [`crate::Postgres`] has its own guard, because it needs a stop instead of a kill.

use std::io::{Read, Seek, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

/// How long a server may take to listen on its port.
const READY_WITHIN: Duration = Duration::from_secs(120);

/// `$1` is the process to kill, `$2` the directory to delete, or empty.
const WATCH: &str = r#"
if read -r _; then exit; fi
kill -KILL "$1" 2>/dev/null
if [ -n "$2" ]; then rm -rf "$2"; fi
"#;

/// Kills a process and deletes its directory when this process ends. Dropping a watch cancels it.
pub(crate) struct Watch(Child);

impl Watch {
    /// Watches a child of this process.
    pub(crate) fn over(pid: u32, directory: Option<&Path>) -> Result<Self> {
        let shell = Command::new("sh")
            .args(["-c", WATCH, "watch", &pid.to_string()])
            .arg(directory.unwrap_or(Path::new("")))
            .current_dir("/")
            // A group of its own, so that Ctrl+C in the terminal does not reach the shell.
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        Ok(Self(shell.context("cannot start a shell")?))
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        if let Some(mut orders) = self.0.stdin.take() {
            // Writing fails if the shell has ended already.
            let _ = writeln!(orders, "let it be");
        }
        let _ = self.0.wait();
    }
}

/// A third-party server. Killed on drop.
pub(crate) struct Guarded {
    server: Child,
    _watch: Option<Watch>,
}

impl Guarded {
    /// Starts a server and waits until it listens on `port` of loopback.
    pub(crate) fn start(mut command: Command, port: u16, directory: Option<&Path>) -> Result<Self> {
        // Another process on this port would be mistaken for the server.
        TcpListener::bind((Ipv4Addr::LOCALHOST, port))
            .with_context(|| format!("port {port} is taken: choose another one"))?;
        let mut said = tempfile::tempfile()?;
        let server = command
            .current_dir("/")
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(said.try_clone()?)
            .stderr(said.try_clone()?)
            .spawn()?;
        let mut guarded = Self { server, _watch: None };
        guarded._watch = Some(Watch::over(guarded.pid(), directory)?);
        let began = Instant::now();
        while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
            if let Some(status) = guarded.server.try_wait()? {
                let mut text = String::new();
                said.rewind()?;
                said.read_to_string(&mut text)?;
                bail!("it ended with {status}: {}", text.trim());
            }
            if began.elapsed() > READY_WITHIN {
                bail!("it does not listen on port {port}");
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(guarded)
    }

    pub(crate) fn pid(&self) -> u32 {
        self.server.id()
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        // A server that has ended by itself cannot be killed.
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

/// Finds a program. The error names the package that installs it.
pub(crate) fn find(program: &str, package: &str) -> Result<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    // Debian installs servers in a directory that only root has in PATH.
    let places = std::env::split_paths(&path).chain([PathBuf::from("/usr/sbin")]);
    let found = places.map(|directory| directory.join(program)).find(|file| file.is_file());
    found.with_context(|| {
        format!(
            "there is no {program} on this machine, which this needs: \
             apt-get install {package} (or scripts/setup servers)"
        )
    })
}

#[cfg(test)]
mod tests {
    use std::process::ExitStatus;

    use super::*;

    fn sleeping() -> Child {
        Command::new("sleep").arg("20").spawn().expect("a process")
    }

    /// Ends the shell's input without a line, as a killed process does.
    fn die(mut watch: Watch) -> ExitStatus {
        drop(watch.0.stdin.take());
        watch.0.wait().expect("an end")
    }

    #[test]
    fn what_is_watched_over_ends_with_whoever_started_it() {
        let directory = tempfile::tempdir().expect("a directory");
        let mut server = sleeping();
        die(Watch::over(server.id(), Some(directory.path())).expect("a watch"));
        assert!(!server.wait().expect("an end").success());
        assert!(!directory.path().exists());
    }

    #[test]
    fn what_is_let_be_goes_on_with_its_files() {
        let directory = tempfile::tempdir().expect("a directory");
        let mut server = sleeping();
        drop(Watch::over(server.id(), Some(directory.path())).expect("a watch"));
        let ended = server.try_wait().expect("a state");
        server.kill().expect("killed");
        server.wait().expect("an end");
        assert!(ended.is_none() && directory.path().exists());
    }

    #[test]
    fn whoever_listens_already_is_not_taken_for_the_server() {
        let other = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let port = other.local_addr().expect("an address").port();
        let refused = Guarded::start(Command::new("true"), port, None).err().expect("refused");
        assert!(format!("{refused:#}").contains("taken"), "{refused:#}");
    }

    #[test]
    fn a_server_that_ends_at_once_says_why() {
        let port = crate::postgres::free_port().expect("a port");
        let mut command = Command::new("sh");
        command.args(["-c", "echo no such option >&2; exit 3"]);
        let refused = Guarded::start(command, port, None).err().expect("refused");
        assert!(format!("{refused:#}").contains("no such option"), "{refused:#}");
    }
}
