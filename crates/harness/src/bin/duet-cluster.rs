//! `duet-cluster` runs several nodes with their own Postgres, NATS and `HAProxy` on loopback of one
//! machine, for trying out. Called by `make cluster` and by the browser tests, which also let it
//! kill, stop and start nodes.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use clap::Parser;
use harness::{Cluster, Node, Plan};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::signal::unix::{SignalKind, signal};

#[derive(Parser)]
#[command(
    name = "duet-cluster",
    version,
    about = "Several Duet nodes on one Postgres and one NATS, behind HAProxy, to be tried."
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
    let plan = Plan {
        binary: arguments.duet,
        site: arguments.site,
        nodes: arguments.nodes.into(),
        port: arguments.port,
        data: arguments.data,
    };
    let mut cluster = tokio::select! {
        cluster = Cluster::start(&plan) => cluster?,
        _ = interrupt.recv() => return Ok(()),
        _ = terminate.recv() => return Ok(()),
    };
    println!("Duet is ready: {}", cluster.origin());
    for (number, address) in cluster.haproxy.each.iter().enumerate() {
        println!("node {} alone: http://{address}", number + 1);
    }
    if !arguments.obey {
        println!("{}", what_is_kept(plan.data.as_deref()));
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

fn what_is_kept(data: Option<&Path>) -> String {
    match data {
        Some(directory) => {
            format!("Ctrl+C ends it; what is said is kept in {}.", directory.display())
        }
        None => "Everything is in temporary directories and goes with Ctrl+C.".to_owned(),
    }
}

async fn obey(cluster: &mut Cluster) -> Result<()> {
    let mut orders = BufReader::new(tokio::io::stdin()).lines();
    while let Some(order) = orders.next_line().await? {
        match carry_out(cluster, &order).await {
            Ok(()) => println!("done"),
            Err(error) => println!("not done: {error:#}"),
        }
    }
    Ok(())
}

async fn carry_out(cluster: &mut Cluster, order: &str) -> Result<()> {
    let (verb, what) = order.split_once(' ').context("say what to do and with which node")?;
    let number: usize = what.trim().parse().context("say the number of a node")?;
    let node: Option<&mut Node> =
        number.checked_sub(1).and_then(|index| cluster.nodes.get_mut(index));
    let node = node.with_context(|| format!("there is no node {number}"))?;
    match verb {
        "kill" => node.kill().await,
        "stop" => node.stop().await,
        "start" => node.start().await,
        _ => bail!("{verb} is none of kill, stop, start"),
    }
}
