//! A server at work, a process of its own with its own data, and what the kernel says of it.

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

use crate::guard::Watch;
use crate::processor;

/// How long a server may take to be ready; the store of a long run is large.
const READY_WITHIN: Duration = Duration::from_secs(120);
/// How long it may take to end when asked to.
const END_WITHIN: Duration = Duration::from_secs(120);
/// Lines of its log that are kept.
const LOG_LINES: usize = 200;

/// A server at work; killed when dropped, and when this process is killed; its data goes with it.
pub struct Running {
    /// Where it listens.
    pub address: SocketAddr,
    child: Child,
    pid: u32,
    data: TempDir,
    log: Arc<Mutex<VecDeque<String>>>,
    _watch: Watch,
}

impl Running {
    /// Starts a server and waits until it says at which address it is ready.
    ///
    /// # Errors
    /// It did not start; with the last line it said.
    pub async fn start(name: &str, mut command: Command, data: TempDir) -> Result<Self> {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("cannot start {name}"))?;
        let pid = child.id().context("the server ended at once")?;
        let watch = Watch::over(pid, Some(data.path()))?;
        let mut lines = BufReader::new(child.stderr.take().context("no log")?).lines();
        let ready = async {
            let mut last = String::new();
            while let Some(line) = lines.next_line().await? {
                if let Some((_, url)) = line.split_once("is ready: http://") {
                    // Browsers may know it by another address than the one it listens on.
                    let own = url.split_once("listen=").map_or(url, |(_, address)| address);
                    let address = own.split_whitespace().next().unwrap_or_default();
                    return address.parse().with_context(|| format!("no address in {line:?}"));
                }
                last = line;
            }
            bail!("{name} did not start: {last}")
        };
        let address = timeout(READY_WITHIN, ready).await.context("not ready in time")??;
        let log = Arc::new(Mutex::new(VecDeque::with_capacity(LOG_LINES)));
        let kept = log.clone();
        // Read on, or the server would stop at a full pipe. Ends with the server.
        tokio::spawn(async move {
            while let Ok(Some(line)) = lines.next_line().await {
                let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
                if kept.len() == LOG_LINES {
                    kept.pop_front();
                }
                kept.push_back(line);
            }
        });
        Ok(Self { address, child, pid, data, log, _watch: watch })
    }

    /// The last lines of its log.
    pub fn log(&self) -> Vec<String> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }

    /// Ends it as a crash would, and gives its data back.
    ///
    /// # Errors
    /// It cannot be killed.
    pub async fn kill(mut self) -> Result<TempDir> {
        self.child.kill().await.context("cannot kill the server")?;
        Ok(self.data)
    }

    /// Processor time so far, of all its threads, in seconds.
    ///
    /// # Errors
    /// It is gone.
    pub fn cpu_seconds(&self) -> Result<f64> {
        processor::seconds(self.pid)
    }

    /// Resident memory in bytes.
    ///
    /// # Errors
    /// It is gone.
    pub fn resident_bytes(&self) -> Result<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kib = line.and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok());
        Ok(kib.context("no VmRSS")? * 1024)
    }

    /// Asks it to end, waits for it, and gives its data back.
    ///
    /// # Errors
    /// It did not end in time, or not well.
    pub async fn stop(mut self) -> Result<TempDir> {
        let told = Command::new("kill").args(["-TERM", &self.pid.to_string()]).status().await?;
        if !told.success() {
            bail!("cannot tell the server to end");
        }
        let status = timeout(END_WITHIN, self.child.wait()).await.context("it did not end")??;
        if !status.success() {
            bail!("the server ended with {status}");
        }
        Ok(self.data)
    }
}

/// How a Duet server is started, on a free port. Without limits on rates: it is the server that is
/// looked at, and not how it restrains people.
pub fn duet(binary: &Path, data: &Path) -> Command {
    duet_at(binary, data, "127.0.0.1:0")
}

/// The same on an address of one's choice: where another one was, say.
pub fn duet_at(binary: &Path, data: &Path, listen: &str) -> Command {
    let mut command = Command::new(binary);
    command.args(["--listen", listen, "--log", "warn,server=info", "--data"]).arg(data);
    for rate in [
        "--sign-ups-per-hour",
        "--sign-ins-per-minute",
        "--searches-per-minute",
        "--messages-per-minute",
        "--frames-per-second",
    ] {
        command.args([rate, "1000000000"]);
    }
    command.args(["--max-connections", "19000", "--max-connections-per-user", "100"]);
    command
}
