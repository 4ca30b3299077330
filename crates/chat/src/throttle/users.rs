//! Rates by user. Only an account's own requests are counted, so the memory is bounded by the number
//! of accounts that were active since the last tidying. Called by [`super::Throttle`].

use std::hash::Hash;
use std::num::NonZeroU32;
use std::time::Duration;

use governor::clock::{Clock, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use protocol::{ErrorCode, UserId};

use crate::error::{Error, Result, later};
use crate::store::{Allowance, AllowanceKey, ClusterState};

pub(super) struct Rate<K: Hash + Eq + Clone> {
    name: &'static str,
    allowance: Allowance,
    limiter: DefaultKeyedRateLimiter<K>,
    clock: DefaultClock,
}

impl<K: Hash + Eq + Clone> Rate<K> {
    /// Allows `count` per `span`, with a burst of `count / share`.
    pub(super) fn new(name: &'static str, count: NonZeroU32, span: Duration, share: u32) -> Self {
        let allowance = Allowance::new(count, span, share);
        let burst = NonZeroU32::new(allowance.burst).unwrap_or(NonZeroU32::MIN);
        let quota = Quota::with_period(allowance.each).unwrap_or(Quota::per_second(count));
        let limiter = RateLimiter::keyed(quota.allow_burst(burst));
        Self { name, allowance, limiter, clock: DefaultClock::default() }
    }

    /// Counts on this node.
    pub(super) fn check(&self, key: &K) -> Result<()> {
        self.limiter.check_key(key).map_err(|until| {
            Error::Refused(later(ErrorCode::RateLimited, until.wait_time_from(self.clock.now())))
        })
    }

    /// Counts several uses at once on this node.
    pub(super) fn check_many(&self, key: &K, count: u32) -> Result<()> {
        let count = NonZeroU32::new(count).unwrap_or(NonZeroU32::MIN);
        let wait = match self.limiter.check_key_n(key, count) {
            Ok(Ok(_)) => return Ok(()),
            Ok(Err(until)) => until.wait_time_from(self.clock.now()),
            // More than the burst: never allowed, and no configuration has so small a burst.
            Err(_) => self.allowance.each.saturating_mul(count.get()),
        };
        Err(Error::Refused(later(ErrorCode::RateLimited, wait)))
    }

    pub(super) fn tidy(&self) {
        self.limiter.retain_recent();
        self.limiter.shrink_to_fit();
    }
}

impl Rate<UserId> {
    /// Counts on this node, and then over all nodes.
    pub(super) async fn take(
        &self,
        user: &UserId,
        shared: Option<&dyn ClusterState>,
    ) -> Result<()> {
        self.check(user)?;
        let Some(shared) = shared else { return Ok(()) };
        match shared.take(AllowanceKey::Account(self.name, *user), self.allowance).await? {
            None => Ok(()),
            Some(wait) => Err(Error::Refused(later(ErrorCode::RateLimited, wait))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::throttle::{MESSAGE_OVERHEAD, STORED_UNIT, UNITS_PER_MEBIBYTE};

    #[test]
    fn a_rate_limit_allows_a_burst_and_then_returns_the_retry_delay() {
        let rate =
            Rate::new("try", NonZeroU32::new(4).expect("not zero"), Duration::from_secs(60), 2);
        assert!(rate.check(&1).is_ok());
        assert!(rate.check(&1).is_ok());
        let refusal = rate.check(&1).expect_err("limited").refusal();
        assert!(refusal.retry_after_ms.is_some_and(|ms| (1..=15_000).contains(&ms)));
        assert!(rate.check(&2).is_ok());
    }

    #[test]
    fn a_user_who_has_used_up_a_day_of_bytes_waits_for_the_size_of_the_next_message() {
        let units = NonZeroU32::new(UNITS_PER_MEBIBYTE).expect("not zero");
        let rate = Rate::new("try", units, Duration::from_secs(24 * 60 * 60), 1);
        let longest = (16_000 + MESSAGE_OVERHEAD).div_ceil(STORED_UNIT);
        let longest = u32::try_from(longest).expect("few");
        let sent = (0..).take_while(|_| rate.check_many(&1, longest).is_ok()).count();
        assert_eq!(sent, 64, "a mebibyte of the longest messages");
        let wait = |units| {
            let refusal = rate.check_many(&1, units).expect_err("limited").refusal();
            refusal.retry_after_ms.expect("a delay")
        };
        assert!(wait(longest) > wait(longest - 50));
        assert!(rate.check_many(&2, longest).is_ok());
    }
}
