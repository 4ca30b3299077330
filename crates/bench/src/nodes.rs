//! Compares several nodes with one node, and Postgres with SQLite: the cost of a shared store, the
//! gain of more nodes, and the extra latency of messages from another node.
//!
//! Nodes, database and load generator share the same cores. The results therefore show the cost of
//! coordination, and not the gain of more machines.

use std::sync::Arc;

use anyhow::{Context, Result};

use crate::report::{self, Row};
use crate::scenario::paced::{self, Pace};
use crate::scenario::pairs::Load;
use crate::scenario::{Bench, RECEIVED, idle, pairs};
use crate::targets::{Disk, Target};

/// Divisor of the peak rate: latencies are compared at a third of the peak.
const PEAK_DIVISOR: f64 = 3.0;
/// Number of measurements per system. Systems take turns, because the machine's speed changes from
/// minute to minute.
const TURNS: usize = 3;

/// Number of idle connections in the measurement of memory per connection. With a broker, nodes
/// hold a subscription for each user.
pub(crate) const IDLE_CONNECTIONS: usize = 1_000;

/// Runs the measurements and prints tables and ratios.
///
/// # Errors
/// Fails if a measurement fails.
pub(crate) async fn run(bench: &Arc<Bench>, nodes: u8, counts: &[usize]) -> Result<Vec<Row>> {
    let targets = [Target::Duet, Target::Nodes(1), Target::Nodes(nodes)];
    let mut rows = Vec::new();
    for &count in counts {
        let mut of_count = Vec::new();
        for turn in 1..=TURNS {
            for target in targets {
                eprintln!("pairs: {count}, {}, turn {turn}", target.name());
                of_count.push(pairs::run(bench, target, &Disk::Own, Load::both_ways(count)).await?);
            }
        }
        println!("{}", report::table(&of_count));
        let most = |target| median(&of_count, target, pairs::MESSAGES);
        let (sqlite, one, several) = (most(targets[0])?, most(targets[1])?, most(targets[2])?);
        println!(
            "{count} pairs, medians: one Postgres node has {:.2} of the rate of SQLite",
            one / sqlite
        );
        println!(
            "{count} pairs, medians: {nodes} nodes have {:.2} of the rate of one",
            several / one
        );
        let rate = (one.min(several) / PEAK_DIVISOR).round();
        let pace = Pace { rate, label: format!("a third of the peak ({rate}/s)") };
        let mut paced = Vec::new();
        for turn in 1..=TURNS {
            for target in targets {
                eprintln!("paced: {}, {}, turn {turn}", pace.label, target.name());
                paced.push(paced::run(bench, target, count, &pace).await?);
            }
        }
        println!("{}", report::table(&paced));
        let received = |target| median(&paced, target, RECEIVED[0]);
        let (one, several) = (received(targets[1])?, received(targets[2])?);
        println!(
            "{count} pairs, medians: {nodes} nodes deliver {:.2} ms later than one",
            several - one
        );
        rows.extend(of_count);
        rows.extend(paced);
    }
    let mut idle_rows = Vec::new();
    for target in [Target::Nodes(1), Target::Nodes(nodes)] {
        eprintln!("idle: {IDLE_CONNECTIONS} connections, {}", target.name());
        idle_rows.push(idle::of_nodes(bench, target, IDLE_CONNECTIONS).await?);
    }
    println!("{}", report::table(&idle_rows));
    rows.extend(idle_rows);
    Ok(rows)
}

fn median(rows: &[Row], target: Target, name: &str) -> Result<f64> {
    let of_target = rows.iter().filter(|row| row.system == target.into());
    let mut figures: Vec<f64> = of_target.filter_map(|row| row.figure(name)).collect();
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().context("the figure was not measured")
}
