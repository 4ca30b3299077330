//! A private Postgres for measurements and for the tests of the store, on a free port of loopback.
//! Its data is in a temporary directory, or in a named directory that is kept. The module never
//! touches the machine's own cluster and does not depend on Duet's schema.
//!
//! The server has the default durability (`fsync` is on). Its default collation does not sort by
//! bytes, as on most servers, so a table that needs byte order must declare it.
//!
//! A shell guards the server by reading its input. After a line the shell stops the server. At the
//! end of the input, which comes however this process ends, the shell also deletes the temporary
//! directory. Calls block, because tests on different async runtimes share one server.

mod programs;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, bail, ensure};
use tempfile::TempDir;

use crate::{cpu_time, tls};
pub use programs::PostgresPrograms;

/// The superuser's name.
const USER: &str = "postgres";
/// Not a secret: the server listens on loopback only and lives as long as a test.
const PASSWORD: &str = "only-Loopback-15";
/// Another process may take a free port before the server listens on it.
const ATTEMPTS: usize = 3;

/// `$1` is the directory of the programs, `$2` the temporary directory, `$3` the data directory,
/// `$4` the server's options, `$5` the stop mode to use when this process has ended.
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
/// The stop mode of a crash: the server recovers at the next start.
const IMMEDIATE: &str = "immediate";
/// The stop mode of a clean shutdown, for data that is kept.
const FAST: &str = "fast";

/// A private Postgres server. Stopped on drop.
pub struct Postgres {
    programs: PostgresPrograms,
    directory: TempDir,
    /// The data directory, inside `directory` unless it is kept.
    data: PathBuf,
    /// The stop mode on drop.
    end: &'static str,
    port: u16,
    tls: bool,
    guard: Option<Child>,
}

impl Postgres {
    /// Creates a cluster and starts it.
    ///
    /// # Errors
    /// Postgres is not installed (the error names the package), or does not start.
    pub fn start() -> Result<Self> {
        Self::make(None, false)
    }

    /// Starts the cluster in a directory that is kept. Creates the cluster if there is none.
    ///
    /// # Errors
    /// As [`Self::start`], or the directory cannot be used.
    pub fn start_in(directory: &Path) -> Result<Self> {
        std::fs::create_dir_all(directory)
            .with_context(|| format!("cannot create {}", directory.display()))?;
        Self::make(Some(directory.canonicalize()?), false)
    }

    /// Like [`Self::start`], with a certificate for 127.0.0.1 and `localhost`; see
    /// [`Self::authority`].
    ///
    /// # Errors
    /// As [`Self::start`], or `openssl` is not installed.
    pub fn start_with_tls() -> Result<Self> {
        Self::make(None, true)
    }

    fn make(kept: Option<PathBuf>, tls: bool) -> Result<Self> {
        let programs = PostgresPrograms::find()?;
        let directory = tempfile::Builder::new().prefix("duet-postgres-").tempdir()?;
        programs.chown_to_server(directory.path())?;
        let end = if kept.is_some() { FAST } else { IMMEDIATE };
        let data = kept.unwrap_or_else(|| directory.path().join("data"));
        if !data.join("PG_VERSION").exists() {
            create_cluster(&programs, directory.path(), &data)?;
        }
        if tls {
            tls::make_certificates(directory.path())?;
            for file in [tls::CERTIFICATE, tls::KEY] {
                programs.chown_to_server(&directory.path().join(file))?;
            }
        }
        let mut postgres = Self { programs, directory, data, end, port: 0, tls, guard: None };
        start_on_free_port(|port| {
            postgres.port = port;
            postgres.start_again()
        })?;
        Ok(postgres)
    }

    /// Creates a streaming standby of this server and starts it.
    ///
    /// # Errors
    /// The output of the Postgres program that failed.
    pub fn start_standby(&self) -> Result<Self> {
        let programs = PostgresPrograms::find()?;
        let directory = tempfile::Builder::new().prefix("duet-standby-").tempdir()?;
        programs.chown_to_server(directory.path())?;
        let data = directory.path().join("data");
        let mut copy = programs.command("pg_basebackup");
        copy.arg("-h").arg(self.directory.path());
        copy.args(["-p", &self.port.to_string(), "-U", USER, "-R", "-c", "fast", "-D"]).arg(&data);
        run_command(&mut copy).context("pg_basebackup")?;
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

    /// Promotes a standby to primary.
    ///
    /// # Errors
    /// The server is not a standby.
    pub fn promote(&self) -> Result<()> {
        let mut promote = self.programs.command("pg_ctl");
        run_command(promote.args(["promote", "-w", "-s", "-D"]).arg(&self.data)).map(drop)
    }

    /// A connection string for programs on this machine, without a password.
    pub(crate) fn connection_string(&self) -> String {
        format!("host={} port={} user={USER}", self.directory.path().display(), self.port)
    }

    /// A command that runs any program as the server's user.
    pub(crate) fn command_as_server_user(&self, program: &Path) -> Command {
        self.programs.as_server_user(program)
    }

    /// Makes the server's user the owner of a file or directory.
    pub(crate) fn chown_to_server(&self, path: &Path) -> Result<()> {
        self.programs.chown_to_server(path)
    }

    /// Starts the server again after a stop, with the same data and port.
    ///
    /// # Errors
    /// The server does not start; the error contains the end of its log.
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
            .as_server_user("sh")
            .args(["-c", GUARD, "guard"])
            .args([self.programs.directory(), directory, &self.data])
            .args([&options, self.end])
            .current_dir("/")
            // A group of its own, so that Ctrl+C in the terminal does not reach the shell.
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .context("cannot start a shell")?;
        let mut output = String::new();
        BufReader::new(guard.stdout.take().context("the shell has no output")?)
            .read_line(&mut output)?;
        if output.trim() != "ready" {
            guard.wait()?;
            bail!("Postgres did not start: {}", tail(&directory.join("log")));
        }
        self.guard = Some(guard);
        Ok(())
    }

    /// Stops the server as a crash would, without a checkpoint or notice to clients.
    ///
    /// # Errors
    /// The server is not running.
    pub fn crash(&mut self) -> Result<()> {
        self.stop(IMMEDIATE)
    }

    fn stop(&mut self, mode: &str) -> Result<()> {
        let mut guard = self.guard.take().context("Postgres is not running")?;
        let mut input = guard.stdin.take().context("the shell has no input")?;
        writeln!(input, "{mode}")?;
        drop(input);
        guard.wait()?;
        Ok(())
    }

    /// Creates a database, empty or as a copy of a database without connections.
    ///
    /// # Errors
    /// The output of `psql`.
    pub fn create_database(&self, name: &str, template: Option<&str>) -> Result<()> {
        let template = template.unwrap_or("template0");
        self.sql("postgres", &format!("create database {name} template {template}")).map(drop)
    }

    /// Creates a database from a `pg_dump` of another one, which may be in use, as an operator does
    /// who restores a backup beside the original.
    ///
    /// # Errors
    /// The output of `pg_dump` or `psql`.
    pub fn restore_copy(&self, name: &str, of: &str) -> Result<()> {
        self.create_database(name, None)?;
        let dump = tempfile::NamedTempFile::new()?;
        let mut pg_dump = self.client("pg_dump", of);
        run_command(pg_dump.arg("-f").arg(dump.path())).context("pg_dump")?;
        let mut psql = self.client("psql", name);
        psql.args(["-X", "-q", "-1", "-v", "ON_ERROR_STOP=1", "-f"]).arg(dump.path());
        run_command(&mut psql).map(drop)
    }

    /// Whether a database exists.
    ///
    /// # Errors
    /// The output of `psql`.
    pub fn has_database(&self, name: &str) -> Result<bool> {
        let found = format!("select 1 from pg_database where datname = '{name}'");
        Ok(!self.sql("postgres", &found)?.is_empty())
    }

    /// Runs a statement and returns its rows as unaligned text from `psql`.
    ///
    /// # Errors
    /// The output of `psql`.
    pub fn sql(&self, database: &str, statement: &str) -> Result<String> {
        let mut psql = self.client("psql", database);
        psql.args(["-X", "-q", "-t", "-A", "-v", "ON_ERROR_STOP=1", "-c", statement]);
        Ok(run_command(&mut psql)?.trim().to_owned())
    }

    /// A command that runs a client program with one of the databases.
    fn client(&self, program: &str, database: &str) -> Command {
        let mut command = self.programs.client(program);
        command.arg("-h").arg(self.directory.path());
        command.args(["-p", &self.port.to_string(), "-U", USER, "-d", database]);
        command
    }

    /// The URL of a database, with the password.
    pub fn url(&self, database: &str) -> String {
        format!("postgres://{USER}:{PASSWORD}@127.0.0.1:{}/{database}", self.port)
    }

    /// The server's log. Each line begins with the name of a database.
    ///
    /// # Errors
    /// The log cannot be read.
    pub fn log(&self) -> Result<String> {
        Ok(std::fs::read_to_string(self.directory.path().join("log"))?)
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// CPU time of all processes of the server so far, in seconds.
    ///
    /// # Errors
    /// The server is not running.
    pub fn cpu_seconds(&self) -> Result<f64> {
        let file = std::fs::read_to_string(self.data.join("postmaster.pid"))?;
        let pid = file.lines().next().and_then(|line| line.parse().ok());
        cpu_time::seconds_of_family(pid.context("postmaster.pid contains no process id")?)
    }

    /// The path of the CA certificate of a server with TLS.
    pub fn authority(&self) -> PathBuf {
        self.directory.path().join(tls::AUTHORITY)
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // A failed stop must not cause a second panic.
        let _ = self.stop(self.end);
    }
}

/// Creates a cluster without databases of Duet.
fn create_cluster(programs: &PostgresPrograms, temporary: &Path, data: &Path) -> Result<()> {
    let secret = temporary.join("password");
    std::fs::write(&secret, PASSWORD)?;
    programs.chown_to_server(&secret)?;
    if data.exists() {
        programs.chown_to_server(data)?;
    }
    let mut initdb = programs.command("initdb");
    initdb
        .args(["--no-sync", "-E", "UTF8", "--locale=C.UTF-8", "--locale-provider=icu"])
        .args(["--icu-locale=en", "--auth-local=trust", "--auth-host=scram-sha-256"])
        .args(["-U", USER, "--pwfile"])
        .arg(&secret)
        .arg("-D")
        .arg(data);
    run_command(&mut initdb).context("initdb").map(drop)
}

/// Calls `start` with a free port, and again with another one if it fails.
pub(crate) fn start_on_free_port(mut start: impl FnMut(u16) -> Result<()>) -> Result<()> {
    for _ in 1..ATTEMPTS {
        if start(free_port()?).is_ok() {
            return Ok(());
        }
    }
    start(free_port()?)
}

/// Returns a port of loopback on which no process listens now.
///
/// # Errors
/// No port is available.
pub fn free_port() -> Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}

/// Runs a program and returns its output. A failed program's stderr is the error.
///
/// # Errors
/// The program does not start, or exits with an error.
pub fn run_command(command: &mut Command) -> Result<String> {
    let output = command.stdin(Stdio::null()).output().with_context(|| format!("{command:?}"))?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr).trim());
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn tail(file: &Path) -> String {
    let mut text = String::new();
    if let Ok(mut file) = std::fs::File::open(file) {
        // Without a readable log the message is empty.
        let _ = file.read_to_string(&mut text);
    }
    let lines: Vec<&str> = text.lines().rev().take(3).collect();
    lines.into_iter().rev().collect::<Vec<_>>().join(" | ")
}
