//! The report: one line per round, the totals, and a directory for each failed round.

use std::collections::{BTreeMap, HashSet};
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;
use std::time::Duration;

use anyhow::Result;
use protocol::ClientId;

use crate::checker::{Invariant, Violation, abridged};
use crate::client_log::Observation;
use crate::round::Outcome;

/// Debug text of close code 1013 in the reason why a connection ended.
const TOO_SLOW: &str = "code: Again";

/// Totals over all rounds.
#[derive(Default)]
pub(crate) struct Totals {
    rounds: u64,
    failed: u64,
    messages: u64,
    attempts: u64,
    acknowledged: u64,
    refusals: u64,
    unknown: u64,
    pages: u64,
    disconnects: u64,
    too_slow: u64,
    faults: BTreeMap<String, u64>,
    broken: BTreeMap<Invariant, u64>,
    slowest_start: Duration,
    slowest_settling: Duration,
}

impl Totals {
    /// Adds a round and returns its summary.
    pub(crate) fn add(&mut self, outcome: &Outcome) -> String {
        let (mut attempted, mut acknowledged) =
            (HashSet::<ClientId>::new(), HashSet::<ClientId>::new());
        for event in &outcome.events {
            match &event.observation {
                Observation::Attempted { id, .. } => {
                    self.attempts += 1;
                    attempted.insert(*id);
                }
                Observation::Acknowledged { id, .. } => {
                    acknowledged.insert(*id);
                }
                Observation::Refused { .. } => self.refusals += 1,
                Observation::Unknown { .. } => self.unknown += 1,
                Observation::HistoryPage { .. } => self.pages += 1,
                Observation::Disconnected(why) => {
                    self.disconnects += 1;
                    self.too_slow += u64::from(why.contains(TOO_SLOW));
                }
                _ => {}
            }
        }
        self.rounds += 1;
        self.failed += u64::from(!outcome.violations.is_empty());
        self.messages += count(attempted.len());
        self.acknowledged += count(acknowledged.len());
        let mut faults = 0;
        for (fault, times) in &outcome.faults {
            *self.faults.entry(fault.clone()).or_default() += times;
            faults += times;
        }
        for violation in &outcome.violations {
            *self.broken.entry(violation.invariant).or_default() += 1;
        }
        self.slowest_start = self.slowest_start.max(outcome.slowest_start);
        self.slowest_settling = self.slowest_settling.max(outcome.settled.unwrap_or_default());
        let settled = match outcome.settled {
            Some(time) => format!("settled in {} ms", time.as_millis()),
            None => "did not settle".to_owned(),
        };
        format!("{} messages, {faults} faults, {settled}", attempted.len())
    }

    pub(crate) fn is_success(&self) -> bool {
        self.failed == 0 && self.rounds > 0
    }

    /// Number of violations of this invariant.
    pub(crate) fn broken(&self, invariant: Invariant) -> u64 {
        self.broken.get(&invariant).copied().unwrap_or_default()
    }

    /// Formats the totals.
    pub(crate) fn text(&self) -> String {
        let mut text = format!(
            "rounds {}, of which {} failed\nmessages {} ({} attempts): {} acknowledged, \
             {} refusals, {} answers lost, {} pages read\nconnections lost or refused {}, {} closed as too slow\n",
            self.rounds,
            self.failed,
            self.messages,
            self.attempts,
            self.acknowledged,
            self.refusals,
            self.unknown,
            self.pages,
            self.disconnects,
            self.too_slow
        );
        let faults: Vec<String> =
            self.faults.iter().map(|(fault, times)| format!("{fault} {times}")).collect();
        let total: u64 = self.faults.values().sum();
        // Writing to a `String` cannot fail.
        let _ = writeln!(text, "faults {total}: {}", faults.join(", "));
        let _ = writeln!(
            text,
            "longest start {} ms, longest until all screens were equal {} ms",
            self.slowest_start.as_millis(),
            self.slowest_settling.as_millis()
        );
        let _ = writeln!(
            text,
            "lost {}, duplicated {}, reordered {}",
            self.broken(Invariant::I1),
            self.broken(Invariant::I3),
            self.broken(Invariant::I4) + self.broken(Invariant::I7)
        );
        for (invariant, times) in &self.broken {
            let _ = writeln!(text, "BROKEN {invariant:?}: {times} times");
        }
        text
    }
}

fn count(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}

/// Writes the files of a failed round: the clients' log, the servers' log, and the violations.
///
/// # Errors
/// Fails if the files cannot be written.
pub(crate) fn write_files(directory: &Path, outcome: &Outcome, replay: &str) -> Result<()> {
    std::fs::create_dir_all(directory)?;
    let mut events = std::io::BufWriter::new(std::fs::File::create(directory.join("log.jsonl"))?);
    for event in &outcome.events {
        serde_json::to_writer(&mut events, event)?;
        events.write_all(b"\n")?;
    }
    events.flush()?;
    std::fs::write(directory.join("server.log"), outcome.server_log.join("\n"))?;
    let broken: Vec<String> = outcome.violations.iter().map(Violation::to_string).collect();
    let text = format!("{}\n\nreplay: {replay}\n", broken.join("\n"));
    std::fs::write(directory.join("violations.txt"), text)?;
    for line in abridged(&outcome.violations) {
        eprintln!("  {line}");
    }
    eprintln!("  kept in {}\n  replay: {replay}", directory.display());
    Ok(())
}
