//! A line of the log for each password that was refused, by which fail2ban and the like find those
//! who guess. `docs/LOG.md` has a filter for it, so its words stay as they are.
//!
//! What a limit refuses costs nothing, so anybody could fill a disk with it: such a line is written
//! at most once a second for an address, and for a bounded number of addresses a second. The next one
//! says how many were left out. Called where a password is asked for, and by nobody else.

use std::collections::BTreeMap;
use std::mem;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use protocol::ErrorCode;

use crate::error::Error;
use crate::throttle::network;

/// A refusal because of a limit is logged once in this time for an address.
const EVERY: Duration = Duration::from_secs(1);
/// Addresses that are logged in that time. When full, the others are left out.
const MOST_ADDRESSES: usize = 256;

/// One for the process, which has one log. Held for a look-up only, never across an await.
static LATELY: Mutex<Lately> = Mutex::new(Lately { said: BTreeMap::new(), left_out: 0 });

/// Writes the line, if the error is one of a password that was refused. It does not say which name
/// was tried: people type their passwords into the wrong field.
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

/// Which addresses were logged lately.
struct Lately {
    said: BTreeMap<IpAddr, Instant>,
    /// Since the last line.
    left_out: u64,
}

impl Lately {
    /// Whether one of this address may be logged now: then how many were left out before it.
    fn pass(&mut self, from: IpAddr, now: Instant) -> Option<u64> {
        let is_fresh = |said: &Instant| now.saturating_duration_since(*said) < EVERY;
        if self.said.len() >= MOST_ADDRESSES {
            self.said.retain(|_, said| is_fresh(said));
        }
        if self.said.len() >= MOST_ADDRESSES || self.said.get(&from).is_some_and(is_fresh) {
            self.left_out = self.left_out.saturating_add(1);
            return None;
        }
        self.said.insert(from, now);
        Some(mem::take(&mut self.left_out))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_logged_once_a_second_with_the_number_of_those_left_out() {
        let mut lately = Lately { said: BTreeMap::new(), left_out: 0 };
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
    fn the_addresses_of_a_second_are_bounded_and_forgotten() {
        let mut lately = Lately { said: BTreeMap::new(), left_out: 0 };
        let begun = Instant::now();
        let address = |n: u32| IpAddr::from(n.to_be_bytes());
        let passed = (0..10_000).filter(|n| lately.pass(address(*n), begun).is_some()).count();
        assert_eq!(passed, MOST_ADDRESSES);
        let left_out = 10_000 - u64::try_from(MOST_ADDRESSES).expect("a number");
        assert_eq!(lately.pass(address(20_000), begun + EVERY), Some(left_out));
        assert_eq!(lately.said.len(), 1);
    }
}
