//! Latencies, reported as percentiles.

use std::time::Duration;

use hdrhistogram::Histogram;

/// Upper bound in microseconds. Longer latencies count as this value.
const LONGEST_US: u64 = 120_000_000;
/// Significant digits. Two are finer than the noise of any machine, and keep one histogram per
/// connection small.
const DIGITS: u8 = 2;

/// A histogram of latencies.
#[derive(Clone, Debug)]
pub struct Latency(Histogram<u32>);

impl Default for Latency {
    fn default() -> Self {
        let histogram = Histogram::new_with_bounds(1, LONGEST_US, DIGITS);
        Self(histogram.expect("constant bounds that the library takes"))
    }
}

impl Latency {
    pub fn record(&mut self, time: Duration) {
        let us = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        self.0.saturating_record(us.clamp(1, LONGEST_US));
    }

    /// Adds all latencies of another histogram.
    pub fn add(&mut self, other: &Self) {
        // Cannot fail, because both have the same bounds.
        _ = self.0.add(&other.0);
    }

    pub fn count(&self) -> u64 {
        self.0.len()
    }

    /// Returns the 50th, 95th, 99th and 99.9th percentile in milliseconds.
    pub fn percentiles_ms(&self) -> [f64; 4] {
        [0.5, 0.95, 0.99, 0.999].map(|quantile| {
            let us = u32::try_from(self.0.value_at_quantile(quantile)).unwrap_or(u32::MAX);
            f64::from(us) / 1_000.0
        })
    }
}
