//! Log lines that would repeat with every request: said once, or at most once in a while.
//!
//! A `static` of these beside the line decides. Called by whatever logs faults that an operator
//! has to mend and that every visitor would otherwise repeat.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Lets the first one through.
pub struct Once(AtomicBool);

impl Once {
    /// Nothing was said yet.
    #[expect(
        clippy::new_without_default,
        reason = "made in statics, where `default` cannot be called"
    )]
    pub const fn new() -> Self {
        Self(AtomicBool::new(false))
    }

    /// Whether this is the first time.
    pub fn is_first(&self) -> bool {
        !self.0.swap(true, Ordering::Relaxed)
    }
}

/// Lets one through in a span of time.
pub struct Seldom {
    every: Duration,
    /// Milliseconds since [`began`], from which the next one may pass.
    next: AtomicU64,
}

impl Seldom {
    /// At most one in this time.
    pub const fn new(every: Duration) -> Self {
        Self { every, next: AtomicU64::new(0) }
    }

    /// Whether one may pass now.
    pub fn is_due(&self) -> bool {
        let now = milliseconds(began().elapsed());
        let next = self.next.load(Ordering::Relaxed);
        let then = now.saturating_add(milliseconds(self.every));
        // Of several threads at once, one wins.
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
    fn once_is_once_and_seldom_is_once_in_a_while() {
        let once = Once::new();
        assert!(once.is_first());
        assert!(!once.is_first());
        let seldom = Seldom::new(Duration::from_secs(3_600));
        assert!(seldom.is_due());
        assert!(!seldom.is_due());
        let always = Seldom::new(Duration::ZERO);
        assert!(always.is_due() && always.is_due());
    }
}
