//! How often one may: rates by address and by person, and the growing pause after wrong passwords.
//!
//! Everything here is in memory and forgotten on restart; being forgotten only lets someone try
//! again sooner.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use governor::clock::{Clock, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use protocol::{ErrorCode, UserId};

use crate::config::Rates;
use crate::error::{Error, Result, later};

/// Wrong passwords before the pauses begin.
const FREE_FAILURES: u32 = 5;
/// The longest pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(15 * 60);
/// Accounts remembered with wrong passwords. When full, those whose pause is over are forgotten,
/// and if none is, all are: an attacker with that many names is held by the rates per address.
const MOST_ACCOUNTS: usize = 100_000;

/// Invitations made by one person in an hour, half of them at once.
const INVITATIONS_PER_HOUR: NonZeroU32 = match NonZeroU32::new(60) {
    Some(count) => count,
    None => NonZeroU32::MIN,
};

/// Changes of settings by one person in a minute: nobody has more to change.
const CHANGES_PER_MINUTE: NonZeroU32 = match NonZeroU32::new(30) {
    Some(count) => count,
    None => NonZeroU32::MIN,
};

/// How many times more may come from the machine's own address than from another.
const LOOPBACK_SHARE: NonZeroU32 = match NonZeroU32::new(50) {
    Some(share) => share,
    None => NonZeroU32::MIN,
};

/// All limits of one node.
pub(crate) struct Throttle {
    sign_ups: AddressRate,
    sign_ins: AddressRate,
    searches: Rate<UserId>,
    messages: Rate<UserId>,
    changes: Rate<UserId>,
    invitations: Rate<UserId>,
    looks_at_invitations: AddressRate,
    failures: Failures,
}

impl Throttle {
    pub(crate) fn new(rates: &Rates) -> Self {
        const MINUTE: Duration = Duration::from_secs(60);
        Self {
            sign_ups: AddressRate::new(rates.sign_ups_per_hour, 60 * MINUTE),
            sign_ins: AddressRate::new(rates.sign_ins_per_minute, MINUTE),
            searches: Rate::new(rates.searches_per_minute, MINUTE, 2),
            messages: Rate::new(rates.messages_per_minute, MINUTE, 2),
            changes: Rate::new(CHANGES_PER_MINUTE, MINUTE, 1),
            invitations: Rate::new(INVITATIONS_PER_HOUR, 60 * MINUTE, 2),
            looks_at_invitations: AddressRate::new(rates.sign_ins_per_minute, MINUTE),
            failures: Failures::default(),
        }
    }

    pub(crate) fn sign_up(&self, from: IpAddr) -> Result<()> {
        self.sign_ups.check(from)
    }

    /// By address, then by account; the account's pause is told whether or not it exists.
    pub(crate) fn sign_in(&self, from: IpAddr, username_key: &str) -> Result<()> {
        self.sign_ins.check(from)?;
        self.failures.check(username_key, Instant::now())
    }

    pub(crate) fn wrong_password(&self, username_key: &str) {
        self.failures.add(username_key, Instant::now());
    }

    pub(crate) fn right_password(&self, username_key: &str) {
        self.failures.forget(username_key);
    }

    pub(crate) fn search(&self, user: UserId) -> Result<()> {
        self.searches.check(&user)
    }

    pub(crate) fn message(&self, user: UserId) -> Result<()> {
        self.messages.check(&user)
    }

    /// A change of one's settings, which others are told of.
    pub(crate) fn change(&self, user: UserId) -> Result<()> {
        self.changes.check(&user)
    }

    pub(crate) fn invite(&self, user: UserId) -> Result<()> {
        self.invitations.check(&user)
    }

    /// By address, as often as one may try to sign in: a token cannot be guessed, but asking costs.
    pub(crate) fn look_at_invitation(&self, from: IpAddr) -> Result<()> {
        self.looks_at_invitations.check(from)
    }

    /// Forgets those who have not been seen for a while. Called now and then.
    pub(crate) fn tidy(&self) {
        self.sign_ups.strangers.limiter.retain_recent();
        self.sign_ins.strangers.limiter.retain_recent();
        self.searches.limiter.retain_recent();
        self.messages.limiter.retain_recent();
        self.changes.limiter.retain_recent();
        self.invitations.limiter.retain_recent();
        self.looks_at_invitations.strangers.limiter.retain_recent();
    }
}

/// An IPv6 customer has a whole /64; counting single addresses would count nothing.
fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(v6) => match v6.to_ipv4_mapped() {
            Some(v4) => v4.into(),
            None => std::net::Ipv6Addr::from(u128::from(v6) >> 64 << 64).into(),
        },
    }
}

/// A rate by address. The machine's own address has a wider one: behind a proxy that the operator
/// has not listed, everybody seems to come from there, and they must not lock each other out.
struct AddressRate {
    strangers: Rate<IpAddr>,
    loopback: Rate<()>,
}

impl AddressRate {
    fn new(count: NonZeroU32, span: Duration) -> Self {
        Self {
            strangers: Rate::new(count, span, 1),
            loopback: Rate::new(count.saturating_mul(LOOPBACK_SHARE), span, 1),
        }
    }

    fn check(&self, from: IpAddr) -> Result<()> {
        match network(from) {
            local if local.is_loopback() || from.is_loopback() => self.loopback.check(&()),
            network => self.strangers.check(&network),
        }
    }
}

struct Rate<K: Hash + Eq + Clone> {
    limiter: DefaultKeyedRateLimiter<K>,
    clock: DefaultClock,
}

impl<K: Hash + Eq + Clone> Rate<K> {
    /// `count` per `span`, of which the `share`-th part may come at once.
    fn new(count: NonZeroU32, span: Duration, share: u32) -> Self {
        let burst = NonZeroU32::new(count.get() / share).unwrap_or(NonZeroU32::MIN);
        let each = span / count.get();
        let quota = Quota::with_period(each.max(Duration::from_nanos(1)))
            .unwrap_or(Quota::per_second(count))
            .allow_burst(burst);
        Self { limiter: RateLimiter::keyed(quota), clock: DefaultClock::default() }
    }

    fn check(&self, key: &K) -> Result<()> {
        self.limiter.check_key(key).map_err(|until| {
            Error::Refused(later(ErrorCode::RateLimited, until.wait_time_from(self.clock.now())))
        })
    }
}

/// Wrong passwords by account: the first few are free, then 1, 2, 4 … seconds of pause.
#[derive(Default)]
struct Failures {
    /// Held for a look-up only, never across an await.
    accounts: Mutex<HashMap<String, Failure>>,
}

#[derive(Clone, Copy)]
struct Failure {
    count: u32,
    until: Instant,
}

impl Failures {
    fn check(&self, key: &str, now: Instant) -> Result<()> {
        let accounts = self.accounts.lock().unwrap_or_else(PoisonError::into_inner);
        match accounts.get(key) {
            Some(failure) if failure.until > now => {
                Err(Error::Refused(later(ErrorCode::RateLimited, failure.until - now)))
            }
            _ => Ok(()),
        }
    }

    fn add(&self, key: &str, now: Instant) {
        let mut accounts = self.accounts.lock().unwrap_or_else(PoisonError::into_inner);
        if accounts.len() >= MOST_ACCOUNTS {
            accounts.retain(|_, failure| failure.until > now);
            if accounts.len() >= MOST_ACCOUNTS {
                accounts.clear();
            }
        }
        let failure = accounts.entry(key.to_owned()).or_insert(Failure { count: 0, until: now });
        failure.count = failure.count.saturating_add(1);
        failure.until = now + pause(failure.count);
    }

    fn forget(&self, key: &str) {
        self.accounts.lock().unwrap_or_else(PoisonError::into_inner).remove(key);
    }
}

fn pause(failures: u32) -> Duration {
    match failures.checked_sub(FREE_FAILURES) {
        None | Some(0) => Duration::ZERO,
        Some(over) => Duration::from_secs(1 << (over - 1).min(20)).min(LONGEST_PAUSE),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pause_after_wrong_passwords_doubles_up_to_a_quarter_of_an_hour() {
        let seconds: Vec<u64> = (1..=18).map(|n| pause(n).as_secs()).collect();
        assert_eq!(seconds, [0, 0, 0, 0, 0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900, 900]);
    }

    #[test]
    fn an_account_is_paused_and_forgotten_on_success() {
        let failures = Failures::default();
        let now = Instant::now();
        for _ in 0..6 {
            assert!(failures.check("anna", now).is_ok());
            failures.add("anna", now);
        }
        let refusal = failures.check("anna", now).expect_err("paused").refusal();
        assert_eq!((refusal.code, refusal.retry_after_ms), (ErrorCode::RateLimited, Some(1_000)));
        assert!(failures.check("bob", now).is_ok());
        assert!(failures.check("anna", now + Duration::from_secs(2)).is_ok());
        failures.forget("anna");
        assert!(failures.check("anna", now).is_ok());
    }

    #[test]
    fn a_rate_lets_a_burst_through_and_then_says_when() {
        let rate = Rate::new(NonZeroU32::new(4).expect("not zero"), Duration::from_secs(60), 2);
        assert!(rate.check(&1).is_ok());
        assert!(rate.check(&1).is_ok());
        let refusal = rate.check(&1).expect_err("limited").refusal();
        assert!(refusal.retry_after_ms.is_some_and(|ms| (1..=15_000).contains(&ms)));
        assert!(rate.check(&2).is_ok());
    }

    #[test]
    fn an_ipv6_customer_is_one_network() {
        let net = |text: &str| network(text.parse().expect("an address"));
        assert_eq!(net("2001:db8::1"), net("2001:db8::ffff"));
        assert_ne!(net("2001:db8:0:1::1"), net("2001:db8::1"));
        assert_eq!(net("::ffff:192.0.2.1"), net("192.0.2.1"));
    }
}
