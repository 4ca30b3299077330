//! A private NATS: a free port on loopback, a token, gone with whoever started it. For the tests of
//! nodes that pass events to each other; it keeps nothing, so it needs no directory.
//!
//! A shell guards the server as it does Postgres: it waits for a line, or for the end of its input,
//! which comes however the process that started it ends, and kills the server.

use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::postgres::{free_port, run};

/// No secret: the server listens on loopback alone and lives as long as a test.
const TOKEN: &str = "only-Loopback-4222";
/// A server that does not listen by then will not.
const READY_WITHIN: Duration = Duration::from_secs(10);
/// Between finding a free port and listening on it somebody else may take it.
const ATTEMPTS: usize = 3;

/// `$1` is the program, `$2` the port, `$3` the token.
const GUARD: &str = r#"
"$1" -a 127.0.0.1 -p "$2" --auth "$3" >/dev/null 2>&1 &
server=$!
echo "$server"
read -r _
kill -KILL "$server" 2>/dev/null
wait "$server" 2>/dev/null
"#;

/// See the module.
pub struct Nats {
    program: PathBuf,
    port: u16,
    running: Option<Running>,
}

struct Running {
    guard: Child,
    pid: u32,
}

impl Nats {
    /// Starts one.
    ///
    /// # Errors
    /// There is no NATS on this machine, with the line that installs it; or it does not start.
    pub fn start() -> Result<Self> {
        let program = find()?;
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
        let mut guard = Command::new("sh")
            .args(["-c", GUARD, "guard"])
            .arg(&self.program)
            .args([&self.port.to_string(), TOKEN])
            .current_dir("/")
            // What is meant for the test in the foreground, such as Ctrl+C, must not reach it.
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .context("cannot start a shell")?;
        let mut said = String::new();
        BufReader::new(guard.stdout.take().context("no output")?).read_line(&mut said)?;
        let pid = said.trim().parse().context("the guard did not start NATS")?;
        self.running = Some(Running { guard, pid });
        let began = Instant::now();
        while TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).is_err() {
            if began.elapsed() > READY_WITHIN {
                self.crash()?;
                bail!("NATS does not listen on port {}", self.port);
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(())
    }

    /// Kills it: nobody is told.
    ///
    /// # Errors
    /// It is not running.
    pub fn crash(&mut self) -> Result<()> {
        let Running { mut guard, .. } = self.running.take().context("it is not running")?;
        let mut orders = guard.stdin.take().context("no input")?;
        // One that has ended by itself takes none.
        let _ = writeln!(orders, "end");
        drop(orders);
        guard.wait()?;
        Ok(())
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
        run(Command::new("kill").args([signal, &running.pid.to_string()])).map(drop)
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
}

impl Drop for Nats {
    fn drop(&mut self) {
        // A server that does not stop is not worth a second panic.
        let _ = self.crash();
    }
}

fn find() -> Result<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    // Debian's is where only root looks.
    let places = std::env::split_paths(&path).chain([PathBuf::from("/usr/sbin")]);
    let found = places.map(|directory| directory.join("nats-server")).find(|file| file.is_file());
    found.context(
        "there is no NATS server on this machine, which this needs: \
         apt-get install nats-server (or scripts/setup servers)",
    )
}
