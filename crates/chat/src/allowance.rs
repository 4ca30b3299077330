//! A token bucket of one connection. [`crate::throttle`] has the limits that hold for a user over all
//! connections. Called by [`crate::Connection`] only.

use std::time::Instant;

/// A bucket that is full at first.
pub(crate) struct TokenBucket {
    tokens: f64,
    refilled: Instant,
}

impl TokenBucket {
    pub(crate) fn full(now: Instant) -> Self {
        Self { tokens: f64::INFINITY, refilled: now }
    }

    /// Takes one token, if there is one. The bucket gains `per_second` tokens up to `most`.
    pub(crate) fn take(&mut self, now: Instant, per_second: f64, most: f64) -> bool {
        let gained = now.duration_since(self.refilled).as_secs_f64() * per_second;
        self.tokens = (self.tokens + gained).min(most);
        self.refilled = now;
        let may = self.tokens >= 1.0;
        if may {
            self.tokens -= 1.0;
        }
        may
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_bucket_allows_its_burst_and_refills_with_time() {
        let start = Instant::now();
        let mut bucket = TokenBucket::full(start);
        let mut taken = |now| (0..9).filter(|_| bucket.take(now, 2.0, 4.0)).count();
        assert_eq!(taken(start), 4);
        assert_eq!(taken(start + Duration::from_millis(500)), 1);
        assert_eq!(taken(start + Duration::from_secs(60)), 4);
    }
}
