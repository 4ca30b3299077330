//! Reproducible random numbers: the seed of a round determines its faults and its users' behaviour.

use std::ops::Range;
use std::time::Duration;

/// A `SplitMix64` generator. Sufficient for choices, not for cryptography.
#[derive(Clone, Debug)]
pub struct Chance(u64);

impl Chance {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Returns an independent generator, so that draws elsewhere do not change its sequence.
    pub fn split(&self, whose: u64) -> Self {
        let mut own = Self(self.0 ^ whose.wrapping_mul(0xD6E8_FEB8_6659_FD93));
        own.next();
        own
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// Returns a number in the range, which must not be empty.
    pub fn within(&mut self, range: Range<u64>) -> u64 {
        range.start + self.next() % (range.end - range.start).max(1)
    }

    /// Returns true in `percent` of a hundred cases.
    pub fn percent(&mut self, percent: u64) -> bool {
        self.within(0..100) < percent
    }

    /// Returns a duration with a number of milliseconds in the range.
    pub fn millis(&mut self, range: Range<u64>) -> Duration {
        Duration::from_millis(self.within(range))
    }

    /// Returns an index into a list of this length, which must not be empty.
    pub fn index(&mut self, length: usize) -> usize {
        let length = u64::try_from(length).unwrap_or(u64::MAX);
        usize::try_from(self.within(0..length)).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_chooses_the_same() {
        let draw = |mut chance: Chance| -> Vec<u64> { (0..9).map(|_| chance.next()).collect() };
        assert_eq!(draw(Chance::new(7)), draw(Chance::new(7)));
        assert_ne!(draw(Chance::new(7)), draw(Chance::new(8)));
        assert_ne!(draw(Chance::new(7).split(1)), draw(Chance::new(7).split(2)));
    }
}
