//! One server with its data, and the network in front of it.
//!
//! The server is a process as an operator starts it, and is restarted during a round. The address
//! for clients stays the same, because it belongs to the proxy. Used by one round at a time.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use harness::{HttpClient, ServerProcess, duet_command};

use crate::client_log::ClientLog;
use crate::disk::Disk;
use crate::proxy::Proxy;

/// Time limit for a server to become ready after a kill.
const READY_WITHIN: Duration = Duration::from_secs(10);

/// The addresses of a server and of its proxy.
#[derive(Clone)]
pub(crate) struct Address {
    /// The proxy.
    pub proxy: SocketAddr,
    /// The servers themselves, for requests without network faults. Changes with each start.
    direct: Arc<Mutex<Vec<SocketAddr>>>,
    turn: Arc<AtomicUsize>,
}

impl Address {
    /// Creates an address without a server behind it.
    pub(crate) fn new(proxy: SocketAddr) -> Self {
        Self { proxy, direct: Arc::default(), turn: Arc::default() }
    }

    /// The value of the header `Origin`.
    pub(crate) fn origin(&self) -> String {
        format!("http://{}", self.proxy)
    }

    /// Returns a server's own address, alternating between several servers.
    pub(crate) fn direct(&self) -> Option<SocketAddr> {
        let servers = self.direct.lock().unwrap_or_else(PoisonError::into_inner);
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        turn.checked_rem(servers.len()).and_then(|turn| servers.get(turn)).copied()
    }

    /// Sets the servers' own addresses.
    pub(crate) fn set_upstreams(&self, servers: &[SocketAddr]) {
        servers.clone_into(&mut self.direct.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// Returns a client that bypasses the proxy and its faults.
    ///
    /// # Errors
    /// Fails if no server runs.
    pub(crate) fn http(&self) -> Result<HttpClient> {
        HttpClient::at(self.direct().context("no server is running")?, self.origin())
    }
}

/// One server and its environment.
pub(crate) struct TestServer {
    /// Address for clients.
    pub address: Address,
    pub proxy: Proxy,
    pub disk: Disk,
    pub slowest_start: Duration,
    binary: PathBuf,
    server: Option<ServerProcess>,
    log: ClientLog,
    last_log_lines: Vec<String>,
}

impl TestServer {
    /// Starts the server on this disk.
    ///
    /// # Errors
    /// Fails if the server does not start.
    pub(crate) async fn open(binary: &Path, disk: Disk, log: ClientLog) -> Result<Self> {
        let proxy = Proxy::start().await?;
        let address = Address::new(proxy.address);
        let mut server = Self {
            address,
            proxy,
            disk,
            slowest_start: Duration::ZERO,
            binary: binary.to_owned(),
            server: None,
            log,
            last_log_lines: Vec::new(),
        };
        server.start().await?;
        Ok(server)
    }

    /// Starts the server unless it runs.
    ///
    /// # Errors
    /// Fails if the server does not start, or not in time.
    pub(crate) async fn start(&mut self) -> Result<()> {
        if self.server.is_some() {
            return Ok(());
        }
        let started = Instant::now();
        let mut command = duet_command(&self.binary, self.disk.path());
        command.args(["--public-url", &self.address.origin()]);
        self.disk.preload_shim(&mut command);
        // The data outlives each server process, so the process owns only an empty directory.
        let server = ServerProcess::start("Duet", command, tempfile::tempdir()?).await?;
        let took = started.elapsed();
        self.slowest_start = self.slowest_start.max(took);
        self.log.note(format!("the server is ready after {} ms", took.as_millis()));
        self.set_upstreams(&[server.address]);
        self.server = Some(server);
        if took > READY_WITHIN {
            bail!("the server took {} ms to start", took.as_millis());
        }
        Ok(())
    }

    /// Kills the server with SIGKILL.
    ///
    /// # Errors
    /// Fails if the server cannot be killed.
    pub(crate) async fn kill(&mut self) -> Result<()> {
        let Some(server) = self.take() else { return Ok(()) };
        self.log.fault("kill -9");
        server.kill().await?;
        Ok(())
    }

    /// Stops the server with SIGTERM and waits for its orderly shutdown.
    ///
    /// # Errors
    /// Fails if the server does not shut down in order.
    pub(crate) async fn stop(&mut self) -> Result<()> {
        let Some(server) = self.take() else { return Ok(()) };
        self.log.fault("SIGTERM");
        server.stop().await?;
        self.log.note("the server has exited");
        Ok(())
    }

    /// Returns the last log lines of this server and of its predecessors.
    pub(crate) fn server_log(&self) -> Vec<String> {
        let mut lines = self.last_log_lines.clone();
        lines.extend(self.server.iter().flat_map(ServerProcess::log));
        lines
    }

    fn take(&mut self) -> Option<ServerProcess> {
        let server = self.server.take()?;
        self.last_log_lines.extend(server.log());
        self.set_upstreams(&[]);
        Some(server)
    }

    fn set_upstreams(&self, servers: &[SocketAddr]) {
        self.proxy.set_upstreams(servers);
        self.address.set_upstreams(servers);
    }
}
