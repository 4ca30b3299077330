//! The site under torture: one server with its data, and the network before it.
//!
//! The server is a process as an operator starts it, and comes and goes; the address that clients know
//! stays, because it is the proxy's. Used by the storms of a round, one at a time.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use harness::{Http, Running, duet};

use crate::disk::Disk;
use crate::log::Log;
use crate::proxy::Proxy;

/// A server that was killed is ready again within this.
const READY_WITHIN: Duration = Duration::from_secs(10);

/// What clients need to know of a site.
#[derive(Clone)]
pub struct Address {
    /// Where the network begins.
    pub proxy: SocketAddr,
    /// The servers themselves, for those who must not be disturbed; changes with each start.
    direct: Arc<Mutex<Vec<SocketAddr>>>,
    turn: Arc<AtomicUsize>,
}

impl Address {
    /// No server is there yet.
    pub fn new(proxy: SocketAddr) -> Self {
        Self { proxy, direct: Arc::default(), turn: Arc::default() }
    }

    /// What browsers say they came from.
    pub fn origin(&self) -> String {
        format!("http://{}", self.proxy)
    }

    /// The server itself, if there is one; another one each time if there are several.
    pub fn direct(&self) -> Option<SocketAddr> {
        let servers = self.direct.lock().unwrap_or_else(PoisonError::into_inner);
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        turn.checked_rem(servers.len()).and_then(|turn| servers.get(turn)).copied()
    }

    /// From now on these are the servers.
    pub fn lead_to(&self, servers: &[SocketAddr]) {
        servers.clone_into(&mut self.direct.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// Calls that no fault of the network touches.
    ///
    /// # Errors
    /// There is no server.
    pub fn http(&self) -> Result<Http> {
        Http::at(self.direct().context("there is no server")?, self.origin())
    }
}

/// See the module.
pub struct Site {
    /// For clients.
    pub address: Address,
    /// The network.
    pub proxy: Proxy,
    /// What the data lies on.
    pub disk: Disk,
    /// The longest that a start has taken.
    pub slowest_start: Duration,
    binary: PathBuf,
    server: Option<Running>,
    log: Log,
    last_words: Vec<String>,
}

impl Site {
    /// Starts the server on this disk.
    ///
    /// # Errors
    /// It does not start.
    pub async fn open(binary: &Path, disk: Disk, log: Log) -> Result<Self> {
        let proxy = Proxy::start().await?;
        let address = Address::new(proxy.address);
        let mut site = Self {
            address,
            proxy,
            disk,
            slowest_start: Duration::ZERO,
            binary: binary.to_owned(),
            server: None,
            log,
            last_words: Vec::new(),
        };
        site.start().await?;
        Ok(site)
    }

    /// Starts the server, if there is none.
    ///
    /// # Errors
    /// It does not start, or not in time.
    pub async fn start(&mut self) -> Result<()> {
        if self.server.is_some() {
            return Ok(());
        }
        let begun = Instant::now();
        let mut command = duet(&self.binary, self.disk.path());
        command.args(["--public-url", &self.address.origin()]);
        self.disk.prepare(&mut command);
        // The data outlives every server, so none of them is given it to keep.
        let server = Running::start("Duet", command, tempfile::tempdir()?).await?;
        let took = begun.elapsed();
        self.slowest_start = self.slowest_start.max(took);
        self.log.fault(format!("the server is ready after {} ms", took.as_millis()));
        self.lead_to(&[server.address]);
        self.server = Some(server);
        if took > READY_WITHIN {
            bail!("the server took {} ms to start", took.as_millis());
        }
        Ok(())
    }

    /// kill -9.
    ///
    /// # Errors
    /// It cannot be killed.
    pub async fn kill(&mut self) -> Result<()> {
        let Some(server) = self.take() else { return Ok(()) };
        self.log.fault("kill -9");
        server.kill().await?;
        Ok(())
    }

    /// SIGTERM, and the end in order that must follow.
    ///
    /// # Errors
    /// It does not end in order.
    pub async fn stop(&mut self) -> Result<()> {
        let Some(server) = self.take() else { return Ok(()) };
        self.log.fault("SIGTERM");
        server.stop().await?;
        self.log.fault("the server has ended");
        Ok(())
    }

    /// The last lines that the server and those before it wrote.
    pub fn server_log(&self) -> Vec<String> {
        let mut lines = self.last_words.clone();
        lines.extend(self.server.iter().flat_map(Running::log));
        lines
    }

    fn take(&mut self) -> Option<Running> {
        let server = self.server.take()?;
        self.last_words.extend(server.log());
        self.lead_to(&[]);
        Some(server)
    }

    fn lead_to(&self, servers: &[SocketAddr]) {
        self.proxy.lead_to(servers);
        self.address.lead_to(servers);
    }
}
