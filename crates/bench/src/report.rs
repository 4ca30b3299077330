//! The figures of a run: a row per measurement, a table per scenario, and one JSON file.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use anyhow::Result;
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::latency::Latency;
use crate::targets::{Disk, MAX_NODES, Target};

/// Number of refusals by error code.
pub type Refusals = BTreeMap<String, u64>;

/// A measured system, as the tables show it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct System {
    pub name: &'static str,
    /// Whether the system flushes data to disk, and whether it does so before it acknowledges.
    pub fsynced: &'static str,
}

/// One measurement.
#[derive(Clone, Debug)]
pub struct Row {
    pub scenario: &'static str,
    /// The setting, such as "50 pairs".
    pub setting: String,
    pub system: System,
    pub disk: Disk,
    /// Names, including units, and values.
    pub figures: Vec<(&'static str, f64)>,
    /// The figure to compare with that of the store ceiling.
    pub compared: Option<&'static str>,
    pub refused: Refusals,
}

impl Row {
    /// Creates a row without figures.
    pub fn new(
        scenario: &'static str,
        setting: String,
        system: impl Into<System>,
        disk: &Disk,
    ) -> Self {
        let (system, disk, figures) = (system.into(), disk.clone(), Vec::new());
        let (compared, refused) = (None, Refusals::new());
        Self { scenario, setting, system, disk, figures, compared, refused }
    }

    /// Sets the figure to compare with that of the store ceiling.
    #[must_use]
    pub fn comparing(mut self, name: &'static str) -> Self {
        self.compared = Some(name);
        self
    }

    pub fn figure(&self, name: &str) -> Option<f64> {
        self.figures.iter().find(|(other, _)| *other == name).map(|(_, value)| *value)
    }

    #[must_use]
    pub fn with(mut self, name: &'static str, value: f64) -> Self {
        self.figures.push((name, value));
        self
    }

    /// Adds the percentiles of a latency, in milliseconds.
    #[must_use]
    pub fn with_latency(mut self, names: [&'static str; 4], latency: &Latency) -> Self {
        self.figures.extend(names.into_iter().zip(latency.percentiles_ms()));
        self
    }

    /// Returns a row with the median of each figure and the sum of the refusals; `None` without a
    /// measurement.
    pub fn median(rounds: &[Self]) -> Option<Self> {
        let mut median = rounds.first()?.clone();
        for (name, value) in &mut median.figures {
            let mut values: Vec<f64> =
                rounds.iter().filter_map(|round| round.figure(name)).collect();
            values.sort_by(f64::total_cmp);
            // For an even number, the mean of the two in the middle.
            *value = f64::midpoint(values[(values.len() - 1) / 2], values[values.len() / 2]);
        }
        for (code, times) in rounds[1..].iter().flat_map(|round| &round.refused) {
            *median.refused.entry(code.clone()).or_default() += times;
        }
        Some(median)
    }

    fn json(&self) -> Value {
        let figures: Map<String, Value> =
            self.figures.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect();
        json!({
            "scenario": self.scenario,
            "setting": self.setting,
            "system": self.system.name,
            "fsynced": self.system.fsynced,
            "fsync_added_us": self.disk.added_us(),
            "figures": figures,
            "refused": self.refused,
        })
    }
}

/// The machine of the measurements.
#[derive(Debug, Serialize)]
pub struct Machine {
    cores: usize,
    processor: String,
    memory_mib: u64,
    kernel: String,
    measured_at: u64,
}

impl Machine {
    /// Describes this machine at this time.
    pub fn here() -> Self {
        let line = |file: &str, name: &str| {
            let text = std::fs::read_to_string(file).unwrap_or_default();
            let line = text.lines().find(|line| line.starts_with(name)).unwrap_or_default();
            line.split_once(':').map(|(_, value)| value.trim().to_owned()).unwrap_or_default()
        };
        let memory = line("/proc/meminfo", "MemTotal");
        let memory = memory.split_whitespace().next().and_then(|kib| kib.parse::<u64>().ok());
        let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        Self {
            cores: std::thread::available_parallelism().map_or(0, usize::from),
            processor: line("/proc/cpuinfo", "model name"),
            memory_mib: memory.unwrap_or_default() / 1024,
            kernel: kernel.trim().to_owned(),
            measured_at: now.map(|now| now.as_secs()).unwrap_or_default(),
        }
    }
}

/// Returns the figures of some systems as JSON.
pub fn figures_of(rows: &[Row], systems: &[System]) -> Value {
    rows.iter().filter(|row| systems.contains(&row.system)).map(Row::json).collect()
}

/// Returns all figures of the bench's targets as JSON, grouped by kind of system.
pub fn json(rows: &[Row], settings: &Value) -> Value {
    let of = |target: Target| figures_of(rows, &[target.into()]);
    let nodes: Vec<System> = (1..=MAX_NODES).map(|count| Target::Nodes(count).into()).collect();
    json!({
        "machine": Machine::here(),
        "settings": settings,
        "ceiling": { "relay": of(Target::Relay), "store": of(Target::Store) },
        "duet": of(Target::Duet),
        "other_build": of(Target::OtherBuild),
        "nodes": figures_of(rows, &nodes),
    })
}

/// Writes a report to a file.
///
/// # Errors
/// Fails if the file cannot be written.
pub fn write(file: &Path, report: &Value) -> Result<()> {
    Ok(std::fs::write(file, serde_json::to_vec_pretty(report)?)?)
}

/// Formats one scenario as a Markdown table. The last figure is Duet's value divided by the store
/// ceiling's value in the same setting.
pub fn table(rows: &[Row]) -> String {
    let Some(first) = rows.first() else { return String::new() };
    let mut names: Vec<&str> = Vec::new();
    for (name, _) in rows.iter().flat_map(|row| &row.figures) {
        if !names.contains(name) {
            names.push(name);
        }
    }
    let compared = rows.iter().find(|row| row.system == Target::Store.into()).and(first.compared);
    let ratio_head = compared.map(|name| format!(" {name}, of the ceiling's |"));
    let mut table = format!("\n### {}\n| | system | fsynced |", first.scenario);
    for name in &names {
        _ = write!(table, " {name} |");
    }
    _ = writeln!(table, "{} refused |", ratio_head.unwrap_or_default());
    let columns = names.len() + 4 + usize::from(compared.is_some());
    _ = writeln!(table, "|{}", "---|".repeat(columns));
    for row in rows {
        let (name, fsynced) = (row.system.name, row.system.fsynced);
        _ = write!(table, "| {} | {name} | {fsynced} |", row.setting);
        for name in &names {
            _ = write!(table, " {} |", row.figure(name).map(short).unwrap_or_default());
        }
        if compared.is_some() {
            _ = write!(table, " {} |", of_ceiling(row, rows));
        }
        let refused: Vec<_> =
            row.refused.iter().map(|(code, times)| format!("{code} {times}")).collect();
        _ = writeln!(table, " {} |", refused.join(", "));
    }
    table
}

fn of_ceiling(row: &Row, rows: &[Row]) -> String {
    let ceiling = rows.iter().find(|other| {
        other.system == Target::Store.into()
            && other.setting == row.setting
            && other.disk == row.disk
    });
    let compared = |row: &Row| row.compared.and_then(|name| row.figure(name));
    match (compared(row), ceiling.and_then(compared)) {
        (Some(mine), Some(most))
            if most > 0.0
                && [Target::Duet, Target::OtherBuild].map(System::from).contains(&row.system) =>
        {
            format!("{:.2}", mine / most)
        }
        _ => String::new(),
    }
}

/// Rounds to three digits, because more would only show the machine's noise.
fn short(value: f64) -> String {
    match value.abs() {
        ..10.0 => format!("{value:.2}"),
        10.0..100.0 => format!("{value:.1}"),
        _ => format!("{value:.0}"),
    }
}
