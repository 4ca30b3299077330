//! Starts and stops a reference server on loopback, with its own data and port.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command as Program, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use bench::targets::Disk;
use harness::{PostgresPrograms, free_port, run_command};
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio::time::{sleep, timeout};

use crate::reference_server::ReferenceServer;

/// Time limit for a server to listen.
const READY_WITHIN: Duration = Duration::from_secs(60);
/// Time limit for an orderly shutdown, after which the server is killed.
const END_WITHIN: Duration = Duration::from_secs(10);
/// Debian's directory of ejabberd.
const LIBRARIES: &str = "/usr/lib/x86_64-linux-gnu";
/// The schema of ejabberd for Postgres. With SQLite, ejabberd creates its tables itself.
const TABLES: &str = "/usr/share/ejabberd/sql/pg.sql";

/// A running server and its database, if any. Both are killed on drop.
pub(crate) struct RunningServer {
    pub address: SocketAddr,
    server: Child,
    database: Option<Child>,
    _data: TempDir,
}

impl RunningServer {
    pub(crate) async fn start(reference: ReferenceServer, disk: &Disk) -> Result<Self> {
        let data = tempfile::tempdir()?;
        let address = loopback()?;
        let mut database = None;
        let command = match reference {
            ReferenceServer::EjabberdPostgres => {
                let (running, sql) = start_postgres(data.path(), disk).await?;
                database = Some(running);
                ejabberd_command(data.path(), address, &sql)?
            }
            ReferenceServer::EjabberdSqlite => {
                let file = data.path().join("ejabberd.db");
                let sql = format!("sql_type: sqlite\nsql_database: {:?}", file);
                ejabberd_command(data.path(), address, &sql)?
            }
            ReferenceServer::ProsodyFiles => {
                prosody_command(data.path(), address, "storage = \"internal\"")?
            }
            ReferenceServer::ProsodySqlite => prosody_command(
                data.path(),
                address,
                "storage = \"sql\"\nsql = { driver = \"SQLite3\", database = \"prosody.sqlite\" }",
            )?,
        };
        let server =
            spawn(command, disk).with_context(|| format!("cannot start {}", reference.name()))?;
        wait_for(address).await.with_context(|| format!("{} did not start", reference.name()))?;
        Ok(Self { address, server, database, _data: data })
    }

    pub(crate) async fn stop(mut self) -> Result<()> {
        end(&mut self.server, "TERM").await?;
        if let Some(database) = &mut self.database {
            // Fast shutdown: does not wait for clients to disconnect.
            end(database, "INT").await?;
        }
        Ok(())
    }
}

/// Returns the directory of ejabberd's modules, if installed.
pub(crate) fn ejabberd() -> Option<PathBuf> {
    let entries = std::fs::read_dir(LIBRARIES).ok()?;
    let mut found: Vec<_> = entries
        .filter_map(|entry| Some(entry.ok()?.path().join("ebin")))
        .filter(|ebin| ebin.join("ejabberd.app").exists())
        .collect();
    found.sort();
    found.pop()
}

fn ejabberd_command(data: &Path, address: SocketAddr, sql: &str) -> Result<Command> {
    let ebin = ejabberd().context("ejabberd is not installed")?;
    let config = include_str!("../../../peers/ejabberd.yml")
        .replace("{port}", &address.port().to_string())
        .replace("{sql}", sql);
    let file = data.join("ejabberd.yml");
    std::fs::write(&file, config)?;
    // Starts Erlang directly, because Debian's script requires a service user and its directories.
    let mut command = Command::new("erl");
    command
        .args(["-noinput", "+K", "true", "-pa"])
        .arg(ebin)
        .args(["-mnesia", "dir"])
        .arg(format!("{:?}", data.join("mnesia")))
        .args(["-ejabberd", "quiet", "true", "-s", "ejabberd"])
        .env("EJABBERD_CONFIG_PATH", &file)
        .env("EJABBERD_LOG_PATH", data.join("ejabberd.log"))
        .env("HOME", data)
        .current_dir(data);
    Ok(command)
}

fn prosody_command(data: &Path, address: SocketAddr, storage: &str) -> Result<Command> {
    let config = include_str!("../../../peers/prosody.cfg.lua")
        .replace("{port}", &address.port().to_string())
        .replace("{directory}", &data.display().to_string())
        .replace("{storage}", storage);
    let file = data.join("prosody.cfg.lua");
    std::fs::write(&file, config)?;
    let mut command = Command::new("prosody");
    command.args(["-F", "--config"]).arg(&file).current_dir(data);
    Ok(command)
}

/// Starts a Postgres with ejabberd's tables. Returns the process and ejabberd's settings for it.
async fn start_postgres(data: &Path, disk: &Disk) -> Result<(Child, String)> {
    let programs = PostgresPrograms::find()?;
    let directory = data.join("postgres");
    std::fs::create_dir(&directory)?;
    programs.chown_to_server(&directory)?;
    run_command(Program::new("chmod").arg("o+x").arg(data))?;
    let tables = directory.join("tables");
    let mut initdb = programs.command("initdb");
    run_command(initdb.args(["-A", "trust", "-U", "postgres", "-D"]).arg(&tables))?;
    let address = loopback()?;
    let port = address.port().to_string();
    let mut command = Command::from(programs.command("postgres"));
    command
        .args(["-c", "listen_addresses=127.0.0.1", "-p", &port, "-k"])
        .arg(&directory)
        .arg("-D")
        .arg(&tables);
    let running = spawn(command, disk)?;
    wait_for(address).await.context("Postgres did not start")?;
    let mut psql = programs.client("psql");
    psql.args(["-q", "-h", "127.0.0.1", "-p", &port, "-U", "postgres", "-f", TABLES]);
    run_command(&mut psql)?;
    let sql = format!(
        "sql_type: pgsql\nsql_server: \"127.0.0.1\"\nsql_port: {port}\n\
         sql_database: postgres\nsql_username: postgres\nsql_password: \"\""
    );
    Ok((running, sql))
}

fn spawn(mut command: Command, disk: &Disk) -> Result<Child> {
    disk.preload_shim(&mut command);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
    Ok(command.spawn()?)
}

/// Returns an address of loopback on which no process listens now.
fn loopback() -> Result<SocketAddr> {
    Ok(([127, 0, 0, 1], free_port()?).into())
}

async fn wait_for(address: SocketAddr) -> Result<()> {
    let listening = async {
        while TcpStream::connect(address).await.is_err() {
            sleep(Duration::from_millis(50)).await;
        }
    };
    timeout(READY_WITHIN, listening).await.context("the server does not listen")
}

async fn end(child: &mut Child, signal: &str) -> Result<()> {
    let Some(pid) = child.id() else { bail!("the server has exited") };
    run_command(Program::new("kill").args([&format!("-{signal}"), &pid.to_string()]))?;
    if timeout(END_WITHIN, child.wait()).await.is_err() {
        child.kill().await?;
    }
    Ok(())
}
