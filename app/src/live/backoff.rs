//! Computes the delay before the next connection attempt. Pure: the caller passes the clock and a
//! random number.

/// Upper bound of the first delay. It doubles with each failure.
const FIRST_MS: f64 = 500.0;
/// Lower bound of every delay, because a server that refuses connections at once must not be
/// flooded.
const SHORTEST_MS: f64 = 250.0;
/// A connection that lasted at least this long resets the failure count.
const GOOD_MS: i64 = 60_000;

/// Exponential backoff with full jitter, so that clients disconnected together do not reconnect
/// together.
#[derive(Clone, Copy, Debug, Default)]
pub struct Backoff {
    failures: u32,
    opened_at_ms: Option<i64>,
}

impl Backoff {
    /// Records that a connection is open.
    pub fn opened(&mut self, now_ms: i64) {
        self.opened_at_ms = Some(now_ms);
    }

    /// Records that a connection or an attempt ended. Returns the delay in milliseconds: a random
    /// value up to the current bound, which never exceeds `longest_ms`. `chance` is in `0..1`.
    pub fn closed(&mut self, now_ms: i64, longest_ms: f64, chance: f64) -> f64 {
        if self.opened_at_ms.take().is_some_and(|opened| now_ms - opened >= GOOD_MS) {
            self.failures = 0;
        }
        let bound = (FIRST_MS * f64::from(1_u32 << self.failures.min(16))).min(longest_ms);
        self.failures = self.failures.saturating_add(1);
        // Scale the range instead of clamping the delay: clamping would give many clients the same
        // shortest delay.
        SHORTEST_MS + (bound - SHORTEST_MS) * chance
    }

    /// Resets the failure count, because the network or the user came back.
    pub fn reset(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_grow_to_the_bound_and_restart_after_a_good_connection() {
        let mut backoff = Backoff::default();
        let delays: Vec<f64> = (0..8).map(|_| backoff.closed(0, 30e3, 1.0)).collect();
        assert_eq!(delays, [500.0, 1e3, 2e3, 4e3, 8e3, 16e3, 30e3, 30e3]);
        backoff.opened(0);
        assert_eq!(backoff.closed(59_999, 30e3, 1.0), 30e3, "a short connection is no proof");
        backoff.opened(0);
        assert_eq!(backoff.closed(60_000, 30e3, 1.0), 500.0);
    }

    #[test]
    fn a_visible_page_retries_soon_after_many_failures() {
        let mut backoff = Backoff::default();
        let delays: Vec<f64> = (0..8).map(|_| backoff.closed(0, 2e3, 1.0)).collect();
        assert_eq!(delays, [500.0, 1e3, 2e3, 2e3, 2e3, 2e3, 2e3, 2e3]);
        assert_eq!(backoff.closed(0, 30e3, 1.0), 30e3);
    }

    #[test]
    fn jitter_uses_the_whole_range() {
        let mut backoff = Backoff::default();
        assert_eq!(backoff.closed(0, 30e3, 0.1), 275.0, "a small chance is no other's delay");
        assert_eq!(backoff.closed(0, 30e3, 0.0), 250.0);
        assert_eq!(backoff.closed(0, 30e3, 0.5), 1_125.0);
    }
}
