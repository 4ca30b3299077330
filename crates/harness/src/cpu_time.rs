//! CPU time from the kernel's statistics.

use anyhow::{Context, Result};

/// The unit of the kernel's counters.
const TICKS_PER_SECOND: f64 = 100.0;
/// Fields of `/proc/PID/stat`, counted after the name: the parent; user and kernel time of the
/// process; user and kernel time of its children that have ended.
const PARENT: usize = 1;
const OWN: usize = 11;
const CHILDREN: usize = 13;

/// CPU time of all threads of a process, in seconds.
pub(crate) fn seconds(pid: u32) -> Result<f64> {
    Ok(Stat::of(pid)?.seconds(OWN))
}

/// CPU time of a process and its children, including those that have ended, in seconds.
pub(crate) fn seconds_of_family(pid: u32) -> Result<f64> {
    let parent = Stat::of(pid)?;
    let mut seconds = parent.seconds(OWN) + parent.seconds(CHILDREN);
    for entry in std::fs::read_dir("/proc")?.filter_map(Result::ok) {
        let Some(other) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else {
            continue;
        };
        // A process that ended during the scan is skipped.
        if let Ok(stat) = Stat::of(other)
            && stat.field(PARENT) == Some(pid.into())
        {
            seconds += stat.seconds(OWN);
        }
    }
    Ok(seconds)
}

struct Stat(String);

impl Stat {
    fn of(pid: u32) -> Result<Self> {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
        // The name is in brackets and may contain spaces.
        Ok(Self(stat.rsplit_once(')').context("no fields")?.1.to_owned()))
    }

    fn field(&self, number: usize) -> Option<u64> {
        self.0.split_whitespace().nth(number)?.parse().ok()
    }

    /// The sum of two adjacent fields, in seconds.
    fn seconds(&self, first: usize) -> f64 {
        let ticks = [first, first + 1].map(|number| self.field(number).unwrap_or_default());
        let ticks = u32::try_from(ticks.iter().sum::<u64>()).unwrap_or(u32::MAX);
        f64::from(ticks) / TICKS_PER_SECOND
    }
}
