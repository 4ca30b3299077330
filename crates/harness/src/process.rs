//! A running server in its own process with its own data, and its use of resources.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::time::timeout;

use crate::cpu_time;
use crate::process_guard::ProcessGuard;

/// How long a server may take to become ready. Long, because long runs have large stores.
const READY_WITHIN: Duration = Duration::from_secs(120);
/// How long a server may take to stop.
const END_WITHIN: Duration = Duration::from_secs(120);
/// The number of log lines that are kept.
const LOG_LINES: usize = 200;

/// A running server. Killed when dropped or when this process ends; then its data is deleted.
pub struct ServerProcess {
    /// The address on which the server listens.
    pub address: SocketAddr,
    child: Child,
    pid: u32,
    data: TempDir,
    log: Arc<Mutex<VecDeque<String>>>,
    _guard: ProcessGuard,
}

impl ServerProcess {
    /// Starts a server and waits until its log reports that the server is ready.
    ///
    /// # Errors
    /// The server does not start; the error contains the last line of its log.
    pub async fn start(name: &str, mut command: Command, data: TempDir) -> Result<Self> {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("cannot start {name}"))?;
        let pid = child.id().context("the server exited at once")?;
        let guard = ProcessGuard::new(pid, Some(data.path()))?;
        let mut lines =
            BufReader::new(child.stderr.take().context("the server has no log output")?).lines();
        let ready = async {
            let mut last = String::new();
            while let Some(line) = lines.next_line().await? {
                if let Some((_, url)) = line.split_once("is ready: http://") {
                    // The public URL of the server may differ from the address on which it listens.
                    let own = url.split_once("listen=").map_or(url, |(_, address)| address);
                    let address = own.split_whitespace().next().unwrap_or_default();
                    return address
                        .parse()
                        .with_context(|| format!("there is no address in {line:?}"));
                }
                last = line;
            }
            bail!("{name} did not start: {last}")
        };
        let address =
            timeout(READY_WITHIN, ready).await.context("the server was not ready in time")??;
        let log = Arc::new(Mutex::new(VecDeque::with_capacity(LOG_LINES)));
        let kept = log.clone();
        // Reads until the server ends, because a full pipe would block the server.
        tokio::spawn(async move {
            while let Ok(Some(line)) = lines.next_line().await {
                let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
                if kept.len() == LOG_LINES {
                    kept.pop_front();
                }
                kept.push_back(line);
            }
        });
        Ok(Self { address, child, pid, data, log, _guard: guard })
    }

    /// The last lines of the server's log.
    pub fn log(&self) -> Vec<String> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }

    /// Kills the server as a crash would, and returns its data.
    ///
    /// # Errors
    /// The process cannot be killed.
    pub async fn kill(mut self) -> Result<TempDir> {
        self.child.kill().await.context("cannot kill the server")?;
        Ok(self.data)
    }

    /// CPU time of all threads so far, in seconds.
    ///
    /// # Errors
    /// The process has ended.
    pub fn cpu_seconds(&self) -> Result<f64> {
        cpu_time::seconds(self.pid)
    }

    /// Resident memory in bytes.
    ///
    /// # Errors
    /// The process has ended.
    pub fn resident_bytes(&self) -> Result<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kib = line.and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok());
        Ok(kib.context("the process has no VmRSS")? * 1024)
    }

    /// Stops the server, waits for its end, and returns its data.
    ///
    /// # Errors
    /// The server does not end in time, or exits with an error.
    pub async fn stop(mut self) -> Result<TempDir> {
        let signalled =
            Command::new("kill").args(["-TERM", &self.pid.to_string()]).status().await?;
        if !signalled.success() {
            bail!("cannot send SIGTERM to the server");
        }
        let status = timeout(END_WITHIN, self.child.wait())
            .await
            .context("the server did not exit in time")??;
        if !status.success() {
            bail!("the server exited with {status}");
        }
        Ok(self.data)
    }
}

/// The command that starts a Duet server on a free port. The rate limits are effectively off,
/// because runs test the server and not its limits.
pub fn duet_command(binary: &Path, data: &Path) -> Command {
    duet_command_at(binary, data, "127.0.0.1:0")
}

/// Like [`duet_command`], on a given address.
pub fn duet_command_at(binary: &Path, data: &Path, listen: &str) -> Command {
    let mut command = Command::new(binary);
    command.args(["--listen", listen, "--log", "warn,server=info", "--data"]).arg(data);
    for rate in [
        "--sign-ups-per-hour",
        "--sign-ins-per-minute",
        "--searches-per-minute",
        "--messages-per-minute",
        "--conversations-per-hour",
        "--reads-per-minute",
        "--frames-per-second",
    ] {
        command.args([rate, "1000000000"]);
    }
    command.args(["--max-connections", "19000", "--max-connections-per-user", "100"]);
    command
}
