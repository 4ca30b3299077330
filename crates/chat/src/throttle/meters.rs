//! Meters in memory: how much of its limit each key has used.
//!
//! Strangers choose most keys, so the size is fixed. A key belongs to one bucket, and a full bucket
//! drops a meter that has expired, or else the one with the fewest uses. A key is a keyed hash, so
//! a stranger can choose neither a bucket nor the neighbours of an account under attack: to drop
//! the meter of an account, the stranger needs as many uses of many other keys. Called by the other
//! parts of [`super`].

use std::sync::Mutex;
use std::time::Duration;

use tokio::time::Instant;

use crate::mutex::lock;
use crate::store::{Allowance, Pauses};

/// Buckets, and meters in each: 131,072 meters, which take 5 MiB.
const BUCKETS: usize = 8_192;
const MOST_PER_BUCKET: usize = 16;

/// The keyed hash of what is limited.
pub(super) type Key = [u8; 16];

/// The limit of a key.
#[derive(Clone, Copy)]
pub(super) enum Limit {
    Pauses(Pauses),
    Allowance(Allowance),
}

#[derive(Clone, Copy)]
struct Meter {
    key: Key,
    /// Uses that have not expired.
    uses: u32,
    /// When nothing is left of the uses: the end of [`Pauses::forget_after`] since the last use, or
    /// the time at which the allowance is full again.
    expires: Instant,
}

impl Limit {
    /// Returns how long another use has to wait. `ahead` is the time until the meter expires.
    fn wait(self, uses: u32, ahead: Duration) -> Option<Duration> {
        let wait = match self {
            Self::Pauses(pauses) => {
                let since = pauses.forget_after.saturating_sub(ahead);
                pauses.after(uses).checked_sub(since)
            }
            Self::Allowance(Allowance { each, burst }) => {
                (ahead + each).checked_sub(each.saturating_mul(burst))
            }
        };
        wait.filter(|wait| !wait.is_zero())
    }

    /// Returns the uses, and the time until the meter expires, after another use.
    fn counted(self, uses: u32, ahead: Duration) -> (u32, Duration) {
        match self {
            Self::Pauses(pauses) => (uses.saturating_add(1), pauses.forget_after),
            Self::Allowance(Allowance { each, .. }) => {
                let ahead = ahead + each;
                let uses = ahead.as_nanos().div_ceil(each.as_nanos().max(1));
                (u32::try_from(uses).unwrap_or(u32::MAX), ahead)
            }
        }
    }
}

/// The meters of one kind of key.
pub(super) struct Meters {
    /// Held for a look-up only, never across an await.
    buckets: Mutex<Vec<Vec<Meter>>>,
}

impl Meters {
    pub(super) fn new() -> Self {
        Self { buckets: Mutex::new(vec![Vec::new(); BUCKETS]) }
    }

    /// Counts a use of every key, or of none: in one step, so that concurrent callers cannot exceed
    /// a limit together.
    ///
    /// # Errors
    /// How long to wait, if a limit is used up.
    pub(super) fn take(&self, limits: &[(Key, Limit)], now: Instant) -> Result<(), Duration> {
        let mut buckets = lock(&self.buckets);
        let wait = |(key, limit): &(Key, Limit)| {
            let (uses, ahead) = used(&buckets[index(key)], key, now)?;
            limit.wait(uses, ahead)
        };
        if let Some(wait) = limits.iter().filter_map(wait).max() {
            return Err(wait);
        }
        for (key, limit) in limits {
            let bucket = &mut buckets[index(key)];
            let (uses, ahead) = used(bucket, key, now).unwrap_or_default();
            let (uses, ahead) = limit.counted(uses, ahead);
            put(bucket, Meter { key: *key, uses, expires: now + ahead }, now);
        }
        Ok(())
    }

    /// Lets the pause after the last use of a key begin now.
    pub(super) fn restart(&self, key: &Key, pauses: Pauses, now: Instant) {
        self.change(key, |meter| {
            meter.expires = now + pauses.forget_after;
            true
        });
    }

    /// Gives one use back.
    pub(super) fn undo(&self, key: &Key) {
        self.change(key, |meter| {
            meter.uses = meter.uses.saturating_sub(1);
            meter.uses > 0
        });
    }

    /// Gives a part of an allowance back.
    pub(super) fn give_back(&self, key: &Key, span: Duration, now: Instant) {
        self.change(key, |meter| {
            let ahead = ahead(meter, now).saturating_sub(span);
            meter.expires = now + ahead;
            meter.uses = meter.uses.saturating_sub(1).max(1);
            !ahead.is_zero()
        });
    }

    /// Forgets all uses of a key.
    pub(super) fn forget(&self, key: &Key) {
        self.change(key, |_| false);
    }

    /// Changes a meter, if it is there; `change` returns whether to keep the meter.
    fn change(&self, key: &Key, change: impl FnOnce(&mut Meter) -> bool) {
        let mut buckets = lock(&self.buckets);
        let bucket = &mut buckets[index(key)];
        let Some(at) = bucket.iter().position(|meter| meter.key == *key) else { return };
        if !change(&mut bucket[at]) {
            bucket.swap_remove(at);
        }
    }

    /// Releases the memory of expired meters. Called periodically.
    pub(super) fn tidy(&self, now: Instant) {
        for bucket in lock(&self.buckets).iter_mut() {
            bucket.retain(|meter| !ahead(meter, now).is_zero());
            bucket.shrink_to_fit();
        }
    }
}

fn index(key: &Key) -> usize {
    usize::from(u16::from_le_bytes([key[0], key[1]])) % BUCKETS
}

/// Returns the uses of a key, and the time until they expire; `None` without any.
fn used(bucket: &[Meter], key: &Key, now: Instant) -> Option<(u32, Duration)> {
    let meter = bucket.iter().find(|meter| meter.key == *key)?;
    let ahead = ahead(meter, now);
    (!ahead.is_zero()).then_some((meter.uses, ahead))
}

fn ahead(meter: &Meter, now: Instant) -> Duration {
    meter.expires.saturating_duration_since(now)
}

/// Stores a meter. A full bucket drops another one: expired ones have the least time ahead and go
/// first.
fn put(bucket: &mut Vec<Meter>, new: Meter, now: Instant) {
    if let Some(meter) = bucket.iter_mut().find(|meter| meter.key == new.key) {
        *meter = new;
        return;
    }
    if bucket.len() < MOST_PER_BUCKET {
        bucket.push(new);
        return;
    }
    let value = |meter: &Meter| {
        let ahead = ahead(meter, now);
        (if ahead.is_zero() { 0 } else { meter.uses }, ahead)
    };
    if let Some(least) = bucket.iter_mut().min_by_key(|meter| value(meter)) {
        *least = new;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAUSES: Pauses = Pauses {
        free: 5,
        longest: Duration::from_secs(15 * 60),
        forget_after: Duration::from_secs(60 * 60),
    };
    const QUARTER: Duration = Duration::from_secs(15 * 60);
    const BUDGET: Limit = Limit::Allowance(Allowance { each: Duration::from_secs(90), burst: 10 });

    fn key(n: u32) -> Key {
        let mut key = [0; 16];
        // Spread over the buckets like a hash.
        key[..4].copy_from_slice(&n.wrapping_mul(0x9E37_79B1).rotate_right(8).to_le_bytes());
        key[4..8].copy_from_slice(&n.to_le_bytes());
        key
    }

    #[test]
    fn a_pause_grows_ends_and_is_forgotten_by_time_alone() {
        let meters = Meters::new();
        let pauses = [(key(1), Limit::Pauses(PAUSES))];
        let mut now = Instant::now();
        for _ in 0..6 {
            assert_eq!(meters.take(&pauses, now), Ok(()));
        }
        for seconds in [1, 2, 4, 8] {
            let wait = Duration::from_secs(seconds);
            assert_eq!(meters.take(&pauses, now), Err(wait));
            assert_eq!(meters.take(&[(key(2), Limit::Pauses(PAUSES))], now), Ok(()));
            now += wait;
            assert_eq!(meters.take(&pauses, now), Ok(()), "after {seconds} s");
        }
        now += PAUSES.forget_after;
        for _ in 0..6 {
            assert_eq!(meters.take(&pauses, now), Ok(()), "all is forgotten");
        }
        assert!(meters.take(&pauses, now).is_err());
        meters.forget(&key(1));
        assert_eq!(meters.take(&pauses, now), Ok(()));
    }

    #[test]
    fn at_most_twenty_uses_of_the_budget_fall_into_any_quarter_of_an_hour() {
        let meters = Meters::new();
        let begun = Instant::now();
        let mut taken = Vec::new();
        for second in 0..2 * 60 * 60 {
            let now = begun + Duration::from_secs(second);
            while meters.take(&[(key(1), BUDGET)], now).is_ok() {
                taken.push(now);
            }
        }
        assert!(taken.len() >= 80, "the budget is refilled: {}", taken.len());
        for (at, first) in taken.iter().enumerate() {
            let within = taken[at..].iter().take_while(|one| **one - *first <= QUARTER).count();
            assert!(within <= 20, "{within}");
        }
    }

    #[test]
    fn a_use_is_counted_for_all_keys_or_for_none_and_can_be_given_back() {
        let meters = Meters::new();
        let now = Instant::now();
        let both = [(key(1), Limit::Pauses(PAUSES)), (key(2), BUDGET)];
        for other in 10..20 {
            meters.take(&[(key(other), Limit::Pauses(PAUSES)), both[1]], now).expect("within");
        }
        for _ in 0..9 {
            assert_eq!(meters.take(&both, now), Err(Duration::from_secs(90)));
        }
        meters.give_back(&key(2), Duration::from_secs(90), now);
        assert_eq!(meters.take(&both, now), Ok(()), "the refused ones were not counted");
        meters.undo(&key(1));
        for _ in 0..6 {
            assert_eq!(meters.take(&both[..1], now), Ok(()));
        }
        assert_eq!(meters.take(&both[..1], now), Err(Duration::from_secs(1)));
    }

    #[test]
    fn the_size_is_bounded_and_a_flood_of_keys_does_not_free_a_limited_one() {
        let meters = Meters::new();
        let now = Instant::now();
        while meters.take(&[(key(0), BUDGET)], now).is_ok() {}
        for other in 1..600_000 {
            assert_eq!(meters.take(&[(key(other), BUDGET)], now), Ok(()), "{other} is not locked");
        }
        assert!(meters.take(&[(key(0), BUDGET)], now).is_err(), "the limited key is still known");
        let kept = || lock(&meters.buckets).iter().map(Vec::capacity).sum::<usize>();
        assert!(kept() <= BUCKETS * MOST_PER_BUCKET, "{}", kept());
        meters.tidy(now + QUARTER);
        assert_eq!(kept(), 0);
    }
}
