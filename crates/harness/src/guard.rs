//! A server of somebody else's that must not outlive whoever started it.
//!
//! A shell guards it: it waits for a line, or for the end of its input, which comes however the
//! process that started it ends, and kills the server. Used by [`crate::Nats`] and
//! [`crate::Haproxy`].

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

/// A server that does not listen by then will not.
const READY_WITHIN: Duration = Duration::from_secs(10);

const GUARD: &str = r#"
"$@" >/dev/null 2>&1 &
server=$!
echo "$server"
read -r _
kill -KILL "$server" 2>/dev/null
wait "$server" 2>/dev/null
"#;

/// See the module.
pub(crate) struct Guarded {
    guard: Child,
    pid: u32,
}

impl Guarded {
    /// Starts a program that listens on this port, and waits until it does.
    pub(crate) fn start(
        program: &PathBuf,
        arguments: &[impl AsRef<OsStr>],
        port: u16,
    ) -> Result<Self> {
        let mut guard = Command::new("sh")
            .args(["-c", GUARD, "guard"])
            .arg(program)
            .args(arguments)
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
        let pid = said.trim().parse().context("the guard started nothing")?;
        let guarded = Self { guard, pid };
        let began = Instant::now();
        while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
            if began.elapsed() > READY_WITHIN {
                guarded.kill()?;
                bail!("{} does not listen on port {port}", program.display());
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(guarded)
    }

    /// Kills it: nobody is told.
    pub(crate) fn kill(mut self) -> Result<()> {
        let mut orders = self.guard.stdin.take().context("no input")?;
        // One that has ended by itself takes none.
        let _ = writeln!(orders, "end");
        drop(orders);
        self.guard.wait()?;
        Ok(())
    }

    pub(crate) fn pid(&self) -> u32 {
        self.pid
    }
}

/// Where a program is, or what installs it.
pub(crate) fn find(program: &str, package: &str) -> Result<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    // Debian's servers are where only root looks.
    let places = std::env::split_paths(&path).chain([PathBuf::from("/usr/sbin")]);
    let found = places.map(|directory| directory.join(program)).find(|file| file.is_file());
    found.with_context(|| {
        format!(
            "there is no {program} on this machine, which this needs: \
             apt-get install {package} (or scripts/setup servers)"
        )
    })
}
