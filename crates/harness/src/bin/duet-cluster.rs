//! `duet-cluster` runs several nodes with their own Postgres, NATS and `HAProxy` on loopback of one
//! machine, for trying out. Called by `make cluster` and by the browser tests, which also let it
//! kill, stop and start nodes.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use clap::Parser;
use harness::{Cluster, ClusterConfig, Node};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::signal::unix::{SignalKind, signal};

#[derive(Parser)]
#[command(
    name = "duet-cluster",
    version,
    about = "Runs several Duet nodes with Postgres, NATS and HAProxy, for trying out."
)]
struct Arguments {
    /// Path of the server's binary.
    #[arg(long, default_value = "target/release/duet")]
    duet: PathBuf,
    /// Path of the built site, if it is not beside the binary.
    #[arg(long)]
    site: Option<PathBuf>,
    /// Number of nodes.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u8).range(1..=15))]
    nodes: u8,
    /// Port of the load balancer; a free port by default.
    #[arg(long)]
    port: Option<u16>,
    /// Directory for the database; by default a temporary directory that is deleted at the end.
    #[arg(long)]
    data: Option<PathBuf>,
    /// Reads commands from standard input (kill N, stop N, start N), answers each line, and ends
    /// with the input.
    #[arg(long)]
    obey: bool,
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(Arguments::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("duet-cluster: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: Arguments) -> Result<()> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let config = ClusterConfig {
        binary: arguments.duet,
        site: arguments.site,
        nodes: arguments.nodes.into(),
        port: arguments.port,
        data: arguments.data,
    };
    let mut cluster = tokio::select! {
        cluster = Cluster::start(&config) => cluster?,
        _ = interrupt.recv() => return Ok(()),
        _ = terminate.recv() => return Ok(()),
    };
    println!("Duet is ready: {}", cluster.origin());
    for (number, address) in cluster.haproxy.each.iter().enumerate() {
        println!("node {} alone: http://{address}", number + 1);
    }
    if !arguments.obey {
        println!("{}", end_of_data(config.data.as_deref()));
    }
    tokio::select! {
        done = obey(&mut cluster), if arguments.obey => done?,
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    for node in cluster.nodes.iter_mut().filter(|node| node.running().is_some()) {
        node.stop().await?;
    }
    Ok(())
}

fn end_of_data(data: Option<&Path>) -> String {
    match data {
        Some(directory) => {
            format!("Press Ctrl+C to stop. The data stays in {}.", directory.display())
        }
        None => "Press Ctrl+C to stop. All data is temporary and is deleted then.".to_owned(),
    }
}

async fn obey(cluster: &mut Cluster) -> Result<()> {
    let mut commands = BufReader::new(tokio::io::stdin()).lines();
    while let Some(command) = commands.next_line().await? {
        match execute(cluster, &command).await {
            Ok(()) => println!("done"),
            Err(error) => println!("failed: {error:#}"),
        }
    }
    Ok(())
}

async fn execute(cluster: &mut Cluster, command: &str) -> Result<()> {
    let (verb, argument) =
        command.split_once(' ').context("the command needs a verb and the number of a node")?;
    let number: usize =
        argument.trim().parse().context("the command needs the number of a node")?;
    let node: Option<&mut Node> =
        number.checked_sub(1).and_then(|index| cluster.nodes.get_mut(index));
    let node = node.with_context(|| format!("there is no node {number}"))?;
    match verb {
        "kill" => node.kill().await,
        "stop" => node.stop().await,
        "start" => node.start().await,
        _ => bail!("unknown command {verb}: use kill, stop or start"),
    }
}
