//! Ensures that no started server outlives this process, however the process ends.
//!
//! A shell guards each server by reading its input. A line disarms the guard. At the end of the
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
const GUARD: &str = r#"
if read -r _; then exit; fi
kill -KILL "$1" 2>/dev/null
if [ -n "$2" ]; then rm -rf "$2"; fi
"#;

/// Kills a process and deletes its directory when this process ends. Dropping the
/// guard disarms it.
pub(crate) struct ProcessGuard(Child);

impl ProcessGuard {
    /// Guards a child of this process.
    pub(crate) fn new(pid: u32, directory: Option<&Path>) -> Result<Self> {
        let shell = Command::new("sh")
            .args(["-c", GUARD, "guard", &pid.to_string()])
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

impl Drop for ProcessGuard {
    fn drop(&mut self) {
        if let Some(mut input) = self.0.stdin.take() {
            // Writing fails if the shell has ended already.
            let _ = writeln!(input, "cancel");
        }
        let _ = self.0.wait();
    }
}

/// A third-party server. Killed on drop.
pub(crate) struct GuardedServer {
    server: Child,
    _guard: Option<ProcessGuard>,
}

impl GuardedServer {
    /// Starts a server and waits until it listens on `port` of loopback.
    pub(crate) fn start(mut command: Command, port: u16, directory: Option<&Path>) -> Result<Self> {
        // Another process on this port would be mistaken for the server.
        TcpListener::bind((Ipv4Addr::LOCALHOST, port))
            .with_context(|| format!("port {port} is in use: choose another port"))?;
        let mut output = tempfile::tempfile()?;
        let server = command
            .current_dir("/")
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output.try_clone()?)
            .spawn()?;
        let mut guarded = Self { server, _guard: None };
        guarded._guard = Some(ProcessGuard::new(guarded.pid(), directory)?);
        let began = Instant::now();
        while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
            if let Some(status) = guarded.server.try_wait()? {
                let mut text = String::new();
                output.rewind()?;
                output.read_to_string(&mut text)?;
                bail!("the server exited with {status}: {}", text.trim());
            }
            if began.elapsed() > READY_WITHIN {
                bail!("the server does not listen on port {port}");
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(guarded)
    }

    pub(crate) fn pid(&self) -> u32 {
        self.server.id()
    }
}

impl Drop for GuardedServer {
    fn drop(&mut self) {
        // A server that has ended by itself cannot be killed.
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

/// Finds a program. The error names the package that installs it.
pub(crate) fn find_program(program: &str, package: &str) -> Result<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    // Debian installs servers in a directory that only root has in PATH.
    let directories = std::env::split_paths(&path).chain([PathBuf::from("/usr/sbin")]);
    let found = directories.map(|directory| directory.join(program)).find(|file| file.is_file());
    found.with_context(|| {
        format!(
            "{program} is required but not installed: \
             apt-get install {package} (or scripts/setup servers)"
        )
    })
}

#[cfg(test)]
mod tests {
    use std::process::ExitStatus;

    use super::*;

    fn sleeping_process() -> Child {
        Command::new("sleep").arg("20").spawn().expect("a process")
    }

    /// Ends the shell's input without a line, as a killed process does.
    fn end_input(mut guard: ProcessGuard) -> ExitStatus {
        drop(guard.0.stdin.take());
        guard.0.wait().expect("an end")
    }

    #[test]
    fn a_guarded_process_is_killed_when_its_starter_dies() {
        let directory = tempfile::tempdir().expect("a directory");
        let mut server = sleeping_process();
        end_input(ProcessGuard::new(server.id(), Some(directory.path())).expect("a guard"));
        assert!(!server.wait().expect("an end").success());
        assert!(!directory.path().exists());
    }

    #[test]
    fn a_process_outlives_a_dropped_guard_with_its_files() {
        let directory = tempfile::tempdir().expect("a directory");
        let mut server = sleeping_process();
        drop(ProcessGuard::new(server.id(), Some(directory.path())).expect("a guard"));
        let ended = server.try_wait().expect("a state");
        server.kill().expect("killed");
        server.wait().expect("an end");
        assert!(ended.is_none() && directory.path().exists());
    }

    #[test]
    fn another_process_on_the_port_is_not_mistaken_for_the_server() {
        let other = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let port = other.local_addr().expect("an address").port();
        let refused =
            GuardedServer::start(Command::new("true"), port, None).err().expect("refused");
        assert!(format!("{refused:#}").contains("in use"), "{refused:#}");
    }

    #[test]
    fn the_error_contains_the_output_of_a_server_that_exits_at_once() {
        let port = crate::postgres::free_port().expect("a port");
        let mut command = Command::new("sh");
        command.args(["-c", "echo no such option >&2; exit 3"]);
        let refused = GuardedServer::start(command, port, None).err().expect("refused");
        assert!(format!("{refused:#}").contains("no such option"), "{refused:#}");
    }
}
