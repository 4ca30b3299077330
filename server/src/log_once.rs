//! Limits log lines that every request would repeat: once per process, or at most once per
//! interval.
//!
//! Keep a `static` [`Once`] or [`Throttle`] beside the log line. Used for faults that an operator
//! has to repair and that every visitor would otherwise log again.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Permits one log line in the life of the process.
pub struct Once(AtomicBool);

impl Once {
    #[expect(
        clippy::new_without_default,
        reason = "made in statics, where `default` cannot be called"
    )]
    pub const fn new() -> Self {
        Self(AtomicBool::new(false))
    }

    /// Whether this is the first call.
    pub fn is_first(&self) -> bool {
        !self.0.swap(true, Ordering::Relaxed)
    }
}

/// Permits one log line per interval.
pub struct Throttle {
    every: Duration,
    /// The next permitted time, in milliseconds since [`began`].
    next: AtomicU64,
}

impl Throttle {
    pub const fn new(every: Duration) -> Self {
        Self { every, next: AtomicU64::new(0) }
    }

    /// Whether a log line is permitted now. A call that returns `true` starts the next interval.
    pub fn is_due(&self) -> bool {
        let now = milliseconds(began().elapsed());
        let next = self.next.load(Ordering::Relaxed);
        let then = now.saturating_add(milliseconds(self.every));
        // If several threads call at once, one of them gets `true`.
        now >= next
            && self.next.compare_exchange(next, then, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }
}

fn began() -> Instant {
    static BEGAN: OnceLock<Instant> = OnceLock::new();
    *BEGAN.get_or_init(Instant::now)
}

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn once_permits_one_line_and_throttle_one_per_interval() {
        let once = Once::new();
        assert!(once.is_first());
        assert!(!once.is_first());
        let throttle = Throttle::new(Duration::from_secs(3_600));
        assert!(throttle.is_due());
        assert!(!throttle.is_due());
        let always = Throttle::new(Duration::ZERO);
        assert!(always.is_due() && always.is_due());
    }
}
