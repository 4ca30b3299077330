//! A private Postgres: its own data in a temporary directory, or in one that is named and kept, a free
//! port on loopback, gone with whoever started it. For the tests of the store and for measurements; it never touches the
//! machine's own cluster, and knows nothing of what is stored in it.
//!
//! It is as durable as it is shipped (`fsync` is on), and its own order of texts is not that of
//! bytes, as on most servers: a table that relies on bytes must say so.
//!
//! A shell guards the server: it waits for a line, or for the end of its input, which comes however
//! the process that started it ends, and then stops the server and removes its files. Calls block,
//! because one server serves all tests of a process, whichever runtime they are on.

mod programs;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, bail, ensure};
use tempfile::TempDir;

use crate::{processor, tls};
use programs::Programs;

/// Who one is in it.
const USER: &str = "postgres";
/// No secret: the server listens on loopback alone and lives as long as a test.
const PASSWORD: &str = "only-Loopback-15";
/// Between finding a free port and listening on it somebody else may take it.
const ATTEMPTS: usize = 3;

/// `$1` is where the programs are, `$2` the temporary directory, `$3` the data's, `$4` the server's
/// options, `$5` how it is stopped when whoever started it is no more.
const GUARD: &str = r#"
"$1/pg_ctl" start -w -s -D "$3" -l "$2/log" -o "$4" >/dev/null 2>&1 || exit 1
echo ready
if read -r mode; then
  "$1/pg_ctl" stop -w -s -D "$3" -m "$mode" >/dev/null 2>&1
else
  "$1/pg_ctl" stop -w -s -D "$3" -m "$5" >/dev/null 2>&1
  rm -rf "$2"
fi
"#;
/// A stop that finishes nothing: the log is read at the next start.
const IMMEDIATE: &str = "immediate";
/// A stop in order, for data that is kept.
const FAST: &str = "fast";

/// See the module.
pub struct Postgres {
    programs: Programs,
    directory: TempDir,
    /// The tables, in that directory or where they are kept.
    data: PathBuf,
    /// How it ends.
    end: &'static str,
    port: u16,
    tls: bool,
    guard: Option<Child>,
}

impl Postgres {
    /// Makes a cluster and starts it.
    ///
    /// # Errors
    /// There is no Postgres on this machine, with the line that installs it; or it does not start.
    pub fn start() -> Result<Self> {
        Self::make(None, false)
    }

    /// Makes a cluster in a directory that is kept, or starts the one that is there.
    ///
    /// # Errors
    /// As above, or the directory is no place for it.
    pub fn start_in(directory: &Path) -> Result<Self> {
        std::fs::create_dir_all(directory)
            .with_context(|| format!("cannot make {}", directory.display()))?;
        Self::make(Some(directory.canonicalize()?), false)
    }

    /// The same with a certificate for 127.0.0.1 and `localhost`; see [`Self::authority`].
    ///
    /// # Errors
    /// As above, or there is no `openssl`.
    pub fn start_with_tls() -> Result<Self> {
        Self::make(None, true)
    }

    fn make(kept: Option<PathBuf>, tls: bool) -> Result<Self> {
        let programs = Programs::find()?;
        let directory = tempfile::Builder::new().prefix("duet-postgres-").tempdir()?;
        programs.give(directory.path())?;
        let end = if kept.is_some() { FAST } else { IMMEDIATE };
        let data = kept.unwrap_or_else(|| directory.path().join("data"));
        if !data.join("PG_VERSION").exists() {
            make_tables(&programs, directory.path(), &data)?;
        }
        if tls {
            tls::make_certificates(directory.path())?;
            for file in [tls::CERTIFICATE, tls::KEY] {
                programs.give(&directory.path().join(file))?;
            }
        }
        let mut postgres = Self { programs, directory, data, end, port: 0, tls, guard: None };
        for _ in 1..ATTEMPTS {
            postgres.port = free_port()?;
            if postgres.start_again().is_ok() {
                return Ok(postgres);
            }
        }
        postgres.port = free_port()?;
        postgres.start_again()?;
        Ok(postgres)
    }

    /// Makes a standby of this server, which follows it, and starts it.
    ///
    /// # Errors
    /// What Postgres says.
    pub fn start_standby(&self) -> Result<Self> {
        let programs = Programs::find()?;
        let directory = tempfile::Builder::new().prefix("duet-standby-").tempdir()?;
        programs.give(directory.path())?;
        let data = directory.path().join("data");
        let mut copy = programs.command("pg_basebackup");
        copy.arg("-h").arg(self.directory.path());
        copy.args(["-p", &self.port.to_string(), "-U", USER, "-R", "-c", "fast", "-D"]).arg(&data);
        run(&mut copy).context("pg_basebackup")?;
        let mut standby = Self {
            programs,
            directory,
            data,
            end: IMMEDIATE,
            port: free_port()?,
            tls: false,
            guard: None,
        };
        standby.start_again()?;
        Ok(standby)
    }

    /// Makes a standby the primary.
    ///
    /// # Errors
    /// It is none.
    pub fn promote(&self) -> Result<()> {
        let mut promote = self.programs.command("pg_ctl");
        run(promote.args(["promote", "-w", "-s", "-D"]).arg(&self.data)).map(drop)
    }

    /// How a program on this machine comes to it without a password.
    pub(crate) fn connection_string(&self) -> String {
        format!("host={} port={} user={USER}", self.directory.path().display(), self.port)
    }

    /// A program of any kind, as the user that the server runs as.
    pub(crate) fn as_its_user(&self, program: &Path) -> Command {
        self.programs.as_server(program)
    }

    /// Makes that user own a file or directory.
    pub(crate) fn give(&self, path: &Path) -> Result<()> {
        self.programs.give(path)
    }

    /// Starts it after a stop, with the data and on the port that it had.
    ///
    /// # Errors
    /// It does not start; with the end of its log.
    pub fn start_again(&mut self) -> Result<()> {
        let directory = self.directory.path();
        let mut options = format!(
            "-p {} -c listen_addresses={} -c unix_socket_directories='{}' \
             -c max_connections=200 -c log_line_prefix='%d '",
            self.port,
            if self.tls { tls::ADDRESSES } else { "127.0.0.1" },
            directory.display()
        );
        if self.tls {
            let file = |name| directory.join(name).display().to_string();
            options += &format!(
                " -c ssl=on -c ssl_cert_file='{}' -c ssl_key_file='{}'",
                file(tls::CERTIFICATE),
                file(tls::KEY)
            );
        }
        let mut guard = self
            .programs
            .as_server("sh")
            .args(["-c", GUARD, "guard"])
            .args([self.programs.directory(), directory, &self.data])
            .args([&options, self.end])
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
        if said.trim() != "ready" {
            guard.wait()?;
            bail!("Postgres did not start: {}", tail(&directory.join("log")));
        }
        self.guard = Some(guard);
        Ok(())
    }

    /// Stops it as a crash would: nothing is finished, nobody is told.
    ///
    /// # Errors
    /// It is not running.
    pub fn crash(&mut self) -> Result<()> {
        self.stop(IMMEDIATE)
    }

    fn stop(&mut self, mode: &str) -> Result<()> {
        let mut guard = self.guard.take().context("it is not running")?;
        let mut orders = guard.stdin.take().context("no input")?;
        writeln!(orders, "{mode}")?;
        drop(orders);
        guard.wait()?;
        Ok(())
    }

    /// Makes a database, empty or as a copy of another one that nobody is connected to.
    ///
    /// # Errors
    /// What Postgres says.
    pub fn create_database(&self, name: &str, template: Option<&str>) -> Result<()> {
        let template = template.unwrap_or("template0");
        self.sql("postgres", &format!("create database {name} template {template}")).map(drop)
    }

    /// Makes a database of what `pg_dump` says of another one, which may be in use: what an operator
    /// has who restores a backup beside the original.
    ///
    /// # Errors
    /// What Postgres says.
    pub fn restore_copy(&self, name: &str, of: &str) -> Result<()> {
        self.create_database(name, None)?;
        let dump = tempfile::NamedTempFile::new()?;
        let mut pg_dump = self.client("pg_dump", of);
        run(pg_dump.arg("-f").arg(dump.path())).context("pg_dump")?;
        let mut psql = self.client("psql", name);
        psql.args(["-X", "-q", "-1", "-v", "ON_ERROR_STOP=1", "-f"]).arg(dump.path());
        run(&mut psql).map(drop)
    }

    /// Whether there is a database of this name.
    ///
    /// # Errors
    /// What Postgres says.
    pub fn has_database(&self, name: &str) -> Result<bool> {
        let found = format!("select 1 from pg_database where datname = '{name}'");
        Ok(!self.sql("postgres", &found)?.is_empty())
    }

    /// Has a statement executed and returns what `psql` prints of its rows, unadorned.
    ///
    /// # Errors
    /// What Postgres says.
    pub fn sql(&self, database: &str, statement: &str) -> Result<String> {
        let mut psql = self.client("psql", database);
        psql.args(["-X", "-q", "-t", "-A", "-v", "ON_ERROR_STOP=1", "-c", statement]);
        Ok(run(&mut psql)?.trim().to_owned())
    }

    /// A program that talks to one of its databases.
    fn client(&self, program: &str, database: &str) -> Command {
        let mut command = self.programs.client(program);
        command.arg("-h").arg(self.directory.path());
        command.args(["-p", &self.port.to_string(), "-U", USER, "-d", database]);
        command
    }

    /// Where a database is, with the password.
    pub fn url(&self, database: &str) -> String {
        format!("postgres://{USER}:{PASSWORD}@127.0.0.1:{}/{database}", self.port)
    }

    /// All that it has logged; each line begins with the database that it is about.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn log(&self) -> Result<String> {
        Ok(std::fs::read_to_string(self.directory.path().join("log"))?)
    }

    /// Where it listens on loopback.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Processor time so far, in seconds, of all its processes.
    ///
    /// # Errors
    /// It is not running.
    pub fn cpu_seconds(&self) -> Result<f64> {
        let file = std::fs::read_to_string(self.data.join("postmaster.pid"))?;
        let pid = file.lines().next().and_then(|line| line.parse().ok());
        processor::seconds_of_family(pid.context("it says no number of its process")?)
    }

    /// The certificate of the authority that a server with TLS was certified by.
    pub fn authority(&self) -> PathBuf {
        self.directory.path().join(tls::AUTHORITY)
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // A server that does not stop is not worth a second panic.
        let _ = self.stop(self.end);
    }
}

/// A cluster without databases of ours.
fn make_tables(programs: &Programs, temporary: &Path, data: &Path) -> Result<()> {
    let secret = temporary.join("password");
    std::fs::write(&secret, PASSWORD)?;
    programs.give(&secret)?;
    if data.exists() {
        programs.give(data)?;
    }
    let mut initdb = programs.command("initdb");
    initdb
        .args(["--no-sync", "-E", "UTF8", "--locale=C.UTF-8", "--locale-provider=icu"])
        .args(["--icu-locale=en", "--auth-local=trust", "--auth-host=scram-sha-256"])
        .args(["-U", USER, "--pwfile"])
        .arg(&secret)
        .arg("-D")
        .arg(data);
    run(&mut initdb).context("initdb").map(drop)
}

pub(crate) fn free_port() -> Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}

/// What a program prints, if it succeeds.
pub(crate) fn run(command: &mut Command) -> Result<String> {
    let output = command.stdin(Stdio::null()).output().with_context(|| format!("{command:?}"))?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr).trim());
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn tail(file: &Path) -> String {
    let mut text = String::new();
    if let Ok(mut file) = std::fs::File::open(file) {
        // What cannot be read is not shown.
        let _ = file.read_to_string(&mut text);
    }
    let lines: Vec<&str> = text.lines().rev().take(3).collect();
    lines.into_iter().rev().collect::<Vec<_>>().join(" | ")
}
