//! Compares several nodes with one node, and Postgres with SQLite: the cost of a shared store, the
//! gain of more nodes, and the extra latency of messages from another node.
//!
//! Nodes, database and load generator share the same cores. The results therefore show the cost of
//! coordination, and not the gain of more machines.

use std::sync::Arc;

use anyhow::{Context, Result};

use crate::report::{self, Row};
use crate::scenario::paced::{self, Pace};
use crate::scenario::{Bench, RECEIVED, idle, pairs};
use crate::system::{Disk, System};

/// Divisor of the peak rate: latencies are compared at a third of the peak.
const UNHURRIED: f64 = 3.0;
/// Number of measurements per system. Systems take turns, because the machine's speed changes from
/// minute to minute.
const TURNS: usize = 3;

/// Number of idle connections in the measurement of memory per connection. With a broker, nodes
/// hold a subscription for each user.
pub const HELD: usize = 1_000;

/// Runs the measurements and prints tables and ratios.
///
/// # Errors
/// Fails if a measurement fails.
pub async fn run(bench: &Arc<Bench>, nodes: u8, counts: &[usize]) -> Result<Vec<Row>> {
    let systems = [System::Duet, System::Nodes(1), System::Nodes(nodes)];
    let mut rows = Vec::new();
    for &count in counts {
        let mut of_count = Vec::new();
        for turn in 1..=TURNS {
            for system in systems {
                eprintln!("pairs: {count}, {}, turn {turn}", system.name());
                of_count.push(pairs::run(bench, system, &Disk::Own, count).await?);
            }
        }
        println!("{}", report::table(&of_count));
        let most = |system| median(&of_count, system, pairs::MESSAGES);
        let (sqlite, one, several) = (most(systems[0])?, most(systems[1])?, most(systems[2])?);
        println!("{count} pairs, medians: one Postgres node {:.2} of SQLite's", one / sqlite);
        println!("{count} pairs, medians: {nodes} nodes {:.2} of one's", several / one);
        let rate = (one.min(several) / UNHURRIED).round();
        let pace = Pace { rate, label: format!("a third of the peak ({rate}/s)") };
        let mut paced = Vec::new();
        for turn in 1..=TURNS {
            for system in systems {
                eprintln!("paced: {}, {}, turn {turn}", pace.label, system.name());
                paced.push(paced::run(bench, system, count, &pace).await?);
            }
        }
        println!("{}", report::table(&paced));
        let received = |system| median(&paced, system, RECEIVED[0]);
        let (one, several) = (received(systems[1])?, received(systems[2])?);
        println!("{count} pairs, medians: {nodes} nodes are {:.2} ms later", several - one);
        rows.extend(of_count);
        rows.extend(paced);
    }
    let mut held = Vec::new();
    for system in [System::Nodes(1), System::Nodes(nodes)] {
        eprintln!("idle: {HELD} connections, {}", system.name());
        held.push(idle::of_nodes(bench, system, HELD).await?);
    }
    println!("{}", report::table(&held));
    rows.extend(held);
    Ok(rows)
}

fn median(rows: &[Row], system: System, name: &str) -> Result<f64> {
    let of_system = rows.iter().filter(|row| row.system == system);
    let mut figures: Vec<f64> = of_system.filter_map(|row| row.figure(name)).collect();
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().context("nothing was measured")
}
