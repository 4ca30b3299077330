//! A private NATS: a free port on loopback, a token or credentials, gone with whoever started it. For
//! nodes that pass events to each other; it keeps nothing.
//!
//! - `credentials`: who may come in, where that is said by keys

mod credentials;

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use tempfile::TempDir;

use crate::guard::{Guarded, find};
use crate::postgres::{free_port, run};
use crate::{processor, tls};

/// No secret: the server listens on loopback alone and lives as long as a test.
const TOKEN: &str = "only-Loopback-4222";
/// Between finding a free port and listening on it somebody else may take it.
const ATTEMPTS: usize = 3;

/// See the module.
pub struct Nats {
    program: PathBuf,
    port: u16,
    running: Option<Guarded>,
    /// Of one that wants TLS and credentials: its certificates and keys.
    secured: Option<TempDir>,
}

impl Nats {
    /// Starts one.
    ///
    /// # Errors
    /// There is no NATS on this machine, with the line that installs it; or it does not start.
    pub fn start() -> Result<Self> {
        Self::make(None)
    }

    /// Starts one that speaks TLS alone and wants credentials: see [`Self::authority`] and
    /// [`Self::credentials`].
    ///
    /// # Errors
    /// As above, or there is no `openssl`.
    pub fn start_secured() -> Result<Self> {
        let directory = tempfile::Builder::new().prefix("duet-nats-").tempdir()?;
        tls::make_certificates(directory.path())?;
        credentials::make(directory.path())?;
        Self::make(Some(directory))
    }

    fn make(secured: Option<TempDir>) -> Result<Self> {
        let program = find("nats-server", "nats-server")?;
        let mut nats = Self { program, port: 0, running: None, secured };
        for _ in 1..ATTEMPTS {
            nats.port = free_port()?;
            if nats.start_again().is_ok() {
                return Ok(nats);
            }
        }
        nats.port = free_port()?;
        nats.start_again()?;
        Ok(nats)
    }

    /// Starts it after a crash, on the port that it had.
    ///
    /// # Errors
    /// It does not start.
    pub fn start_again(&mut self) -> Result<()> {
        let mut command = Command::new(&self.program);
        command.args(["-a", "127.0.0.1", "-p", &self.port.to_string()]);
        match &self.secured {
            None => command.args(["--auth", TOKEN]),
            Some(directory) => command.arg("-c").arg(directory.path().join(credentials::SERVER)),
        };
        let running = Guarded::start(command, self.port, None);
        self.running = Some(running.context("NATS does not start")?);
        Ok(())
    }

    /// Kills it: nobody is told.
    ///
    /// # Errors
    /// It is not running.
    pub fn crash(&mut self) -> Result<()> {
        self.running.take().context("it is not running").map(drop)
    }

    /// Lets it do nothing at all, while its connections stay as they are.
    ///
    /// # Errors
    /// It is not running.
    pub fn freeze(&self) -> Result<()> {
        self.signal("-STOP")
    }

    /// Lets it go on.
    ///
    /// # Errors
    /// It is not running.
    pub fn thaw(&self) -> Result<()> {
        self.signal("-CONT")
    }

    fn signal(&self, signal: &str) -> Result<()> {
        let running = self.running.as_ref().context("it is not running")?;
        run(Command::new("kill").args([signal, &running.pid().to_string()])).map(drop)
    }

    /// Where it is, with the token if it wants one.
    pub fn url(&self) -> String {
        match self.secured {
            None => self.url_by(self.port),
            Some(_) => format!("tls://127.0.0.1:{}", self.port),
        }
    }

    /// Of one that is secured: the certificate of who signed its own.
    pub fn authority(&self) -> Option<PathBuf> {
        self.file(tls::AUTHORITY)
    }

    /// Of one that is secured: what it lets in.
    pub fn credentials(&self) -> Option<PathBuf> {
        self.file(credentials::NODE)
    }

    /// Of one that is secured: credentials that look like it, of an account it does not know.
    pub fn credentials_of_a_stranger(&self) -> Option<PathBuf> {
        self.file(credentials::STRANGER)
    }

    fn file(&self, name: &str) -> Option<PathBuf> {
        self.secured.as_ref().map(|directory| Path::join(directory.path(), name))
    }

    /// The same by way of another port of this machine.
    pub fn url_by(&self, port: u16) -> String {
        format!("nats://{TOKEN}@127.0.0.1:{port}")
    }

    /// Where it listens on loopback.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Processor time so far, in seconds.
    ///
    /// # Errors
    /// It is not running.
    pub fn cpu_seconds(&self) -> Result<f64> {
        processor::seconds(self.running.as_ref().context("it is not running")?.pid())
    }
}
