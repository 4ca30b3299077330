//! The faults of a round: their schedule, and their injection over time.
//!
//! # Layout
//! - `schedule`: kinds of rounds, and their faults and client behaviour, from a seed
//! - `server`: injects the faults of one server; `disk`: a failing disk
//! - `nodes`: injects the faults of several nodes
//! - `network`: injects faults of the network between clients and servers

mod disk;
mod network;
pub(crate) mod nodes;
pub(crate) mod schedule;
pub(crate) mod server;

use std::ops::Range;
use std::time::{Duration, Instant};

use harness::Random;

/// Returns a random pause of `between` milliseconds before the next fault, which ends at `until` at
/// the latest; `None` if that time has come.
fn next_pause(until: Instant, between: &Range<u64>, random: &mut Random) -> Option<Duration> {
    let left = until.saturating_duration_since(Instant::now());
    (!left.is_zero()).then(|| random.millis(between.clone()).min(left))
}

/// Returns one of the possible faults; `None` if there are none.
fn choose<F: Copy>(faults: &[F], random: &mut Random) -> Option<F> {
    (!faults.is_empty()).then(|| faults[random.index(faults.len())])
}
