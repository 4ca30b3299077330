//! A private NATS: a free port on loopback, a token, gone with whoever started it. For nodes that
//! pass events to each other; it keeps nothing, so it needs no directory.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};

use crate::guard::{Guarded, find};
use crate::postgres::{free_port, run};
use crate::processor;

/// No secret: the server listens on loopback alone and lives as long as a test.
const TOKEN: &str = "only-Loopback-4222";
/// Between finding a free port and listening on it somebody else may take it.
const ATTEMPTS: usize = 3;

/// See the module.
pub struct Nats {
    program: PathBuf,
    port: u16,
    running: Option<Guarded>,
}

impl Nats {
    /// Starts one.
    ///
    /// # Errors
    /// There is no NATS on this machine, with the line that installs it; or it does not start.
    pub fn start() -> Result<Self> {
        let program = find("nats-server", "nats-server")?;
        let mut nats = Self { program, port: 0, running: None };
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
        command.args(["-a", "127.0.0.1", "-p", &self.port.to_string(), "--auth", TOKEN]);
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

    /// Where it is, with the token.
    pub fn url(&self) -> String {
        self.url_by(self.port)
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
