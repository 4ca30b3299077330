//! Several nodes beside one, and Postgres beside SQLite: what sharing a store costs, what nodes add,
//! and how much later one hears what was said at another node.
//!
//! All of it on the same cores, the database and the load as well: nodes that share two cores with
//! their database show what they cost each other, not what more machines would bring.

use std::sync::Arc;

use anyhow::{Context, Result};

use crate::report::{self, Row};
use crate::scenario::paced::{self, Pace};
use crate::scenario::{Bench, RECEIVED, idle, pairs};
use crate::system::{Disk, System};

/// The part of the peak at which times are compared.
const UNHURRIED: f64 = 3.0;
/// Each is measured so often, in turns: the machine is not the same from one minute to the next.
const TURNS: usize = 3;

/// People whose connections are held, to see what one costs where nodes listen to a broker for each.
pub const HELD: usize = 1_000;

/// Measures, and prints tables and ratios.
///
/// # Errors
/// What could not be measured, and why.
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
