//! Logs a line for each refused password, by which fail2ban and similar tools find attackers.
//! `docs/LOG.md` contains a filter for the line, so its words must not change.
//!
//! A request refused by a rate limit costs the client nothing, so unlimited lines could fill the
//! disk. Such a line is written at most once a second per address, and for a bounded number of
//! addresses per second; the next line counts the skipped ones. Called only where a password is
//! checked.

use std::collections::BTreeMap;
use std::mem;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use protocol::ErrorCode;

use crate::error::Error;
use crate::throttle::network;

/// Shortest interval between two `rate_limited` lines for one address.
const EVERY: Duration = Duration::from_secs(1);
/// Addresses logged per interval. When full, lines for further addresses are skipped.
const MOST_ADDRESSES: usize = 256;

/// Global because the process has a single log. Held for a look-up only, never across an await.
static LATELY: Mutex<Lately> = Mutex::new(Lately { logged_at: BTreeMap::new(), left_out: 0 });

/// Logs the error if it refuses a password. The line omits the username, because people type their
/// passwords into the wrong field.
pub(crate) fn log_refused_password(address: IpAddr, error: &Error) {
    let (code, left_out) = match error.refusal().code {
        ErrorCode::WrongCredentials => ("wrong_credentials", 0),
        ErrorCode::WrongPassword => ("wrong_password", 0),
        ErrorCode::RateLimited => {
            let mut lately = LATELY.lock().unwrap_or_else(PoisonError::into_inner);
            let Some(left_out) = lately.pass(network(address), Instant::now()) else { return };
            ("rate_limited", left_out)
        }
        _ => return,
    };
    let left_out = (left_out > 0).then_some(left_out);
    tracing::warn!(client.ip = %address, code, left_out, "sign-in refused");
}

/// The addresses that were logged recently.
struct Lately {
    logged_at: BTreeMap<IpAddr, Instant>,
    /// Lines skipped since the last one that was written.
    left_out: u64,
}

impl Lately {
    /// Returns the number of lines skipped before this one, or `None` if this line is skipped too.
    fn pass(&mut self, from: IpAddr, now: Instant) -> Option<u64> {
        let is_fresh = |logged_at: &Instant| now.saturating_duration_since(*logged_at) < EVERY;
        if self.logged_at.len() >= MOST_ADDRESSES {
            self.logged_at.retain(|_, logged_at| is_fresh(logged_at));
        }
        if self.logged_at.len() >= MOST_ADDRESSES || self.logged_at.get(&from).is_some_and(is_fresh)
        {
            self.left_out = self.left_out.saturating_add(1);
            return None;
        }
        self.logged_at.insert(from, now);
        Some(mem::take(&mut self.left_out))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_logged_once_a_second_with_the_number_of_skipped_lines() {
        let mut lately = Lately { logged_at: BTreeMap::new(), left_out: 0 };
        let [one, two] = [[192_u8, 0, 2, 1], [192, 0, 2, 2]].map(IpAddr::from);
        let begun = Instant::now();
        assert_eq!(lately.pass(one, begun), Some(0));
        for _ in 0..3 {
            assert_eq!(lately.pass(one, begun + EVERY / 2), None);
        }
        assert_eq!(
            lately.pass(two, begun + EVERY / 2),
            Some(3),
            "another address has its own line"
        );
        assert_eq!(lately.pass(one, begun + EVERY), Some(0));
    }

    #[test]
    fn the_addresses_kept_for_a_second_are_bounded_and_dropped_afterwards() {
        let mut lately = Lately { logged_at: BTreeMap::new(), left_out: 0 };
        let begun = Instant::now();
        let address = |n: u32| IpAddr::from(n.to_be_bytes());
        let passed = (0..10_000).filter(|n| lately.pass(address(*n), begun).is_some()).count();
        assert_eq!(passed, MOST_ADDRESSES);
        let left_out = 10_000 - u64::try_from(MOST_ADDRESSES).expect("a number");
        assert_eq!(lately.pass(address(20_000), begun + EVERY), Some(left_out));
        assert_eq!(lately.logged_at.len(), 1);
    }
}
