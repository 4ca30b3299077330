//! Rate limits by address and by user, and the growing pause after wrong passwords.
//!
//! Each node counts in memory, which a restart clears; a cleared count only lets a client retry
//! sooner. On a shared store, limits that protect accounts and other users are also counted over
//! all nodes; a node queries the store only for requests that pass its own count. Limits that
//! protect a node from its own connections (frames, and messages of one user) are counted per node
//! only.

use std::collections::HashMap;
use std::fmt::Display;
use std::hash::Hash;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use governor::clock::{Clock, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use protocol::{ErrorCode, UserId};

use crate::config::Rates;
use crate::error::{Error, Result, later};
use crate::store::{Allowance, ClusterState, Store};

/// Wrong passwords before the pauses begin.
const FREE_FAILURES: u32 = 5;
/// The longest pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(15 * 60);
/// Accounts remembered with wrong passwords. When full, expired entries are removed, and if that
/// frees none, all are: the rates per address limit an attacker with that many names.
const MOST_ACCOUNTS: usize = 100_000;

/// Invitations per user and hour; the burst is half of it.
const INVITATIONS_PER_HOUR: NonZeroU32 = match NonZeroU32::new(60) {
    Some(count) => count,
    None => NonZeroU32::MIN,
};

/// Changes of settings per user and minute.
const CHANGES_PER_MINUTE: NonZeroU32 = match NonZeroU32::new(30) {
    Some(count) => count,
    None => NonZeroU32::MIN,
};

/// Factor by which the loopback address may exceed the rate of other addresses.
const LOOPBACK_SHARE: NonZeroU32 = match NonZeroU32::new(50) {
    Some(share) => share,
    None => NonZeroU32::MIN,
};

/// How long after the last wrong password an account's count is forgotten.
const FORGET_AFTER: Duration = Duration::from_secs(60 * 60);

/// All limits.
pub(crate) struct Throttle {
    store: Arc<dyn Store>,
    sign_ups: AddressRate,
    sign_ins: AddressRate,
    searches: Rate<UserId>,
    messages: Rate<UserId>,
    changes: Rate<UserId>,
    invitations: Rate<UserId>,
    looks_at_invitations: AddressRate,
    looks_for_names: AddressRate,
    failures: Failures,
}

impl Throttle {
    pub(crate) fn new(rates: &Rates, store: Arc<dyn Store>) -> Self {
        const MINUTE: Duration = Duration::from_secs(60);
        let (sign_ins, invitations) = (rates.sign_ins_per_minute, INVITATIONS_PER_HOUR);
        Self {
            store,
            sign_ups: AddressRate::new("sign_up", rates.sign_ups_per_hour, 60 * MINUTE),
            sign_ins: AddressRate::new("sign_in", sign_ins, MINUTE),
            searches: Rate::new("search", rates.searches_per_minute, MINUTE, 2),
            messages: Rate::new("message", rates.messages_per_minute, MINUTE, 2),
            changes: Rate::new("change", CHANGES_PER_MINUTE, MINUTE, 1),
            invitations: Rate::new("invite", invitations, 60 * MINUTE, 2),
            looks_at_invitations: AddressRate::new("invitation", sign_ins, MINUTE),
            looks_for_names: AddressRate::new("name", sign_ins, MINUTE),
            failures: Failures::default(),
        }
    }

    fn shared(&self) -> Option<&dyn ClusterState> {
        self.store.cluster_state()
    }

    pub(crate) async fn sign_up(&self, from: IpAddr) -> Result<()> {
        self.sign_ups.take(from, self.shared()).await
    }

    /// Limits sign-ins by address, then by account. The pause applies whether or not the account
    /// exists, so that it does not disclose which accounts do.
    pub(crate) async fn sign_in(&self, from: IpAddr, username_key: &str) -> Result<()> {
        self.sign_ins.take(from, self.shared()).await?;
        let pause = match self.shared() {
            Some(shared) => shared.pause(username_key).await?,
            None => self.failures.pause(username_key, Instant::now()),
        };
        match pause {
            Some(pause) => Err(Error::Refused(later(ErrorCode::RateLimited, pause))),
            None => Ok(()),
        }
    }

    pub(crate) async fn wrong_password(&self, username_key: &str) -> Result<()> {
        match self.shared() {
            Some(shared) => {
                shared.wrong_password(username_key, FREE_FAILURES, LONGEST_PAUSE).await?;
            }
            None => self.failures.add(username_key, Instant::now()),
        }
        Ok(())
    }

    pub(crate) async fn right_password(&self, username_key: &str) -> Result<()> {
        match self.shared() {
            Some(shared) => shared.right_password(username_key).await?,
            None => self.failures.forget(username_key),
        }
        Ok(())
    }

    pub(crate) async fn search(&self, user: UserId) -> Result<()> {
        self.searches.take(&user, self.shared()).await
    }

    /// Counts on this node only, so that a message waits for nothing but its commit.
    pub(crate) fn message(&self, user: UserId) -> Result<()> {
        self.messages.check(&user)
    }

    /// Limits changes of settings, because peers are notified of them.
    pub(crate) async fn change(&self, user: UserId) -> Result<()> {
        self.changes.take(&user, self.shared()).await
    }

    pub(crate) async fn invite(&self, user: UserId) -> Result<()> {
        self.invitations.take(&user, self.shared()).await
    }

    /// Limits by address, at the rate of sign-ins: a token cannot be guessed, but each look-up
    /// costs a query.
    pub(crate) async fn look_at_invitation(&self, from: IpAddr) -> Result<()> {
        self.looks_at_invitations.take(from, self.shared()).await
    }

    /// Limits by address, at the rate of sign-ins.
    pub(crate) async fn look_for_names(&self, from: IpAddr) -> Result<()> {
        self.looks_for_names.take(from, self.shared()).await
    }

    /// Removes expired state. Called periodically.
    pub(crate) async fn tidy(&self) -> Result<()> {
        self.sign_ups.strangers.limiter.retain_recent();
        self.sign_ins.strangers.limiter.retain_recent();
        self.searches.limiter.retain_recent();
        self.messages.limiter.retain_recent();
        self.changes.limiter.retain_recent();
        self.invitations.limiter.retain_recent();
        self.looks_at_invitations.strangers.limiter.retain_recent();
        self.looks_for_names.strangers.limiter.retain_recent();
        if let Some(shared) = self.shared() {
            shared.tidy(FORGET_AFTER).await?;
        }
        Ok(())
    }
}

/// Returns the key by which an address is limited. An IPv6 customer owns a whole /64, so limiting
/// single addresses would be useless. IPv4 addresses embedded in IPv6 count as IPv4.
pub(crate) fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(v6) => match v6.to_ipv4_mapped().or_else(|| translated(v6)) {
            Some(v4) => v4.into(),
            None => Ipv6Addr::from(u128::from(v6) >> 64 << 64).into(),
        },
    }
}

/// Returns the IPv4 address that a NAT64 translator (RFC 6052) embedded in an IPv6 address.
fn translated(v6: Ipv6Addr) -> Option<Ipv4Addr> {
    let [0x64, 0xff9b, 0, 0, 0, 0, high, low] = v6.segments() else { return None };
    Some(Ipv4Addr::from(u32::from(high) << 16 | u32::from(low)))
}

/// A rate by address. The loopback address has a higher one: behind a proxy that the operator has
/// not configured, all clients seem to connect from loopback, and they must not lock each other
/// out.
struct AddressRate {
    strangers: Rate<IpAddr>,
    loopback: Rate<IpAddr>,
}

impl AddressRate {
    fn new(name: &'static str, count: NonZeroU32, span: Duration) -> Self {
        Self {
            strangers: Rate::new(name, count, span, 1),
            loopback: Rate::new(name, count.saturating_mul(LOOPBACK_SHARE), span, 1),
        }
    }

    async fn take(&self, from: IpAddr, shared: Option<&dyn ClusterState>) -> Result<()> {
        match network(from) {
            local if local.is_loopback() || from.is_loopback() => {
                self.loopback.take(&Ipv4Addr::LOCALHOST.into(), shared).await
            }
            network => self.strangers.take(&network, shared).await,
        }
    }
}

struct Rate<K: Hash + Eq + Clone> {
    name: &'static str,
    allowance: Allowance,
    limiter: DefaultKeyedRateLimiter<K>,
    clock: DefaultClock,
}

impl<K: Hash + Eq + Clone + Display> Rate<K> {
    /// Allows `count` per `span`, with a burst of `count / share`.
    fn new(name: &'static str, count: NonZeroU32, span: Duration, share: u32) -> Self {
        let burst = NonZeroU32::new(count.get() / share).unwrap_or(NonZeroU32::MIN);
        let each = (span / count.get()).max(Duration::from_nanos(1));
        let quota = Quota::with_period(each).unwrap_or(Quota::per_second(count)).allow_burst(burst);
        let allowance = Allowance { each, burst: burst.get() };
        let limiter = RateLimiter::keyed(quota);
        Self { name, allowance, limiter, clock: DefaultClock::default() }
    }

    /// Counts on this node.
    fn check(&self, key: &K) -> Result<()> {
        self.limiter.check_key(key).map_err(|until| {
            Error::Refused(later(ErrorCode::RateLimited, until.wait_time_from(self.clock.now())))
        })
    }

    /// Counts on this node, and then over all nodes.
    async fn take(&self, key: &K, shared: Option<&dyn ClusterState>) -> Result<()> {
        self.check(key)?;
        let Some(shared) = shared else { return Ok(()) };
        match shared.take(&format!("{} {key}", self.name), self.allowance).await? {
            None => Ok(()),
            Some(wait) => Err(Error::Refused(later(ErrorCode::RateLimited, wait))),
        }
    }
}

/// Wrong passwords by account: the first few are free, then pauses of 1, 2, 4 … seconds follow.
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
    fn pause(&self, key: &str, now: Instant) -> Option<Duration> {
        let accounts = self.accounts.lock().unwrap_or_else(PoisonError::into_inner);
        let failure = accounts.get(key).filter(|failure| failure.until > now)?;
        Some(failure.until - now)
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
            assert_eq!(failures.pause("anna", now), None);
            failures.add("anna", now);
        }
        assert_eq!(failures.pause("anna", now), Some(Duration::from_secs(1)));
        assert_eq!(failures.pause("bob", now), None);
        assert_eq!(failures.pause("anna", now + Duration::from_secs(2)), None);
        failures.forget("anna");
        assert_eq!(failures.pause("anna", now), None);
    }

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
    fn all_addresses_of_an_ipv6_network_share_one_limit() {
        let net = |text: &str| network(text.parse().expect("an address"));
        assert_eq!(net("2001:db8::1"), net("2001:db8::ffff"));
        assert_ne!(net("2001:db8:0:1::1"), net("2001:db8::1"));
        assert_eq!(net("::ffff:192.0.2.1"), net("192.0.2.1"));
        assert_eq!(net("64:ff9b::192.0.2.1"), net("192.0.2.1"));
        assert_ne!(net("64:ff9b::192.0.2.1"), net("64:ff9b::192.0.2.2"));
    }
}
