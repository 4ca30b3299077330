//! Reproducible random numbers. The seed of a round of the torture determines its faults and the
//! behaviour of its users.

use std::ops::Range;
use std::time::Duration;

/// A `SplitMix64` generator. Sufficient for choices, not for cryptography.
#[derive(Clone, Debug)]
pub struct Random(u64);

/// The increment of the generator's state.
const INCREMENT: u64 = 0x9E37_79B9_7F4A_7C15;

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Returns the generator of seed 0 after this many numbers.
    pub fn at(position: u64) -> Self {
        Self(position.wrapping_mul(INCREMENT))
    }

    /// Returns an independent generator, so that draws elsewhere do not change its sequence.
    pub fn split(&self, stream: u64) -> Self {
        let mut own = Self(self.0 ^ stream.wrapping_mul(0xD6E8_FEB8_6659_FD93));
        own.next_u64();
        own
    }

    /// Returns the next number.
    pub fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(INCREMENT);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// Returns a number in the range, which must not be empty.
    pub fn within(&mut self, range: Range<u64>) -> u64 {
        range.start + self.next_u64() % (range.end - range.start).max(1)
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
    fn the_same_seed_gives_the_same_numbers() {
        let draw = |mut random: Random| -> Vec<u64> { (0..9).map(|_| random.next_u64()).collect() };
        assert_eq!(draw(Random::new(7)), draw(Random::new(7)));
        assert_ne!(draw(Random::new(7)), draw(Random::new(8)));
        assert_ne!(draw(Random::new(7).split(1)), draw(Random::new(7).split(2)));
    }

    #[test]
    fn a_position_continues_the_sequence_of_seed_0() {
        let mut sequence = Random::new(0);
        let numbers = [0; 3].map(|_| sequence.next_u64());
        assert_eq!(Random::at(2).next_u64(), numbers[2]);
    }
}
