//! A private NATS that relays events between nodes: a free port on loopback, with a token or with
//! credentials. Stores nothing, and ends with the process that started it.
//!
//! - `credentials`: the files for authentication by keys

mod credentials;

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use tempfile::TempDir;

use crate::postgres::{run_command, start_on_free_port};
use crate::process_guard::{GuardedServer, find_program};
use crate::{cpu_time, tls};

/// Not a secret: the server listens on loopback only and lives as long as a test.
const TOKEN: &str = "only-Loopback-4222";

/// A private NATS server. Killed on drop.
pub struct Nats {
    program: PathBuf,
    port: u16,
    running: Option<GuardedServer>,
    /// The certificates and keys of a server with TLS and credentials.
    secured: Option<TempDir>,
}

impl Nats {
    /// Starts a server with a token.
    ///
    /// # Errors
    /// NATS is not installed (the error names the package), or does not start.
    pub fn start() -> Result<Self> {
        Self::make(None)
    }

    /// Starts a server that requires TLS and credentials: see [`Self::authority`] and
    /// [`Self::credentials`].
    ///
    /// # Errors
    /// As [`Self::start`], or `openssl` is not installed.
    pub fn start_secured() -> Result<Self> {
        let directory = tempfile::Builder::new().prefix("duet-nats-").tempdir()?;
        tls::make_certificates(directory.path())?;
        credentials::make(directory.path())?;
        Self::make(Some(directory))
    }

    fn make(secured: Option<TempDir>) -> Result<Self> {
        let program = find_program("nats-server", "nats-server")?;
        let mut nats = Self { program, port: 0, running: None, secured };
        start_on_free_port(|port| {
            nats.port = port;
            nats.start_again()
        })?;
        Ok(nats)
    }

    /// Starts the server again on the same port after [`Self::crash`].
    ///
    /// # Errors
    /// The server does not start.
    pub fn start_again(&mut self) -> Result<()> {
        let mut command = Command::new(&self.program);
        command.args(["-a", "127.0.0.1", "-p", &self.port.to_string()]);
        match &self.secured {
            None => command.args(["--auth", TOKEN]),
            Some(directory) => command.arg("-c").arg(directory.path().join(credentials::SERVER)),
        };
        let running = GuardedServer::start(command, self.port, None);
        self.running = Some(running.context("NATS does not start")?);
        Ok(())
    }

    /// Kills the server.
    ///
    /// # Errors
    /// The server is not running.
    pub fn crash(&mut self) -> Result<()> {
        self.running.take().context("NATS is not running").map(drop)
    }

    /// Suspends the server. Its connections stay open.
    ///
    /// # Errors
    /// The server is not running.
    pub fn freeze(&self) -> Result<()> {
        self.signal("-STOP")
    }

    /// Resumes the server after [`Self::freeze`].
    ///
    /// # Errors
    /// The server is not running.
    pub fn thaw(&self) -> Result<()> {
        self.signal("-CONT")
    }

    fn signal(&self, signal: &str) -> Result<()> {
        let running = self.running.as_ref().context("NATS is not running")?;
        run_command(Command::new("kill").args([signal, &running.pid().to_string()])).map(drop)
    }

    /// The URL, with the token if the server uses one.
    pub fn url(&self) -> String {
        match self.secured {
            None => self.url_through_port(self.port),
            Some(_) => format!("tls://127.0.0.1:{}", self.port),
        }
    }

    /// The path of the CA certificate, if the server uses TLS.
    pub fn authority(&self) -> Option<PathBuf> {
        self.file(tls::AUTHORITY)
    }

    /// The path of valid credentials, if the server uses them.
    pub fn credentials(&self) -> Option<PathBuf> {
        self.file(credentials::NODE)
    }

    /// The path of well-formed credentials of an unknown account, if the server uses credentials.
    pub fn credentials_of_a_stranger(&self) -> Option<PathBuf> {
        self.file(credentials::STRANGER)
    }

    fn file(&self, name: &str) -> Option<PathBuf> {
        self.secured.as_ref().map(|directory| Path::join(directory.path(), name))
    }

    /// The URL with the token through another port of this machine, such as a proxy's.
    pub fn url_through_port(&self, port: u16) -> String {
        format!("nats://{TOKEN}@127.0.0.1:{port}")
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// CPU time so far, in seconds.
    ///
    /// # Errors
    /// The server is not running.
    pub fn cpu_seconds(&self) -> Result<f64> {
        cpu_time::seconds(self.running.as_ref().context("NATS is not running")?.pid())
    }
}
