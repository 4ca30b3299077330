//! The security log: one line for each event of an account, and for each refusal that may be an
//! attack. All lines have the target [`SECURITY`]; `docs/LOG.md` lists them, and the filters in
//! `docs/fail2ban` parse them, so their words and fields must not change.
//!
//! A line never contains a typed name, because people type their passwords into the wrong field. A
//! refused request costs the client nothing, so unlimited lines could fill the disk: such a line is
//! written at most once a second per address, and for a bounded number of addresses per second; the
//! next line counts the skipped ones. The modules of accounts, sessions and settings call this
//! module, and `server` for every request.

use std::collections::BTreeMap;
use std::mem;
use std::net::IpAddr;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use protocol::ErrorCode;

use crate::error::Error;
use crate::mutex::lock;
use crate::throttle::network;

/// The target of every line.
pub(crate) const SECURITY: &str = "duet::security";

/// Shortest interval between two lines about refusals of one kind for one address.
const EVERY: Duration = Duration::from_secs(1);
/// Addresses logged per interval. When full, lines for further addresses are skipped.
const MOST_ADDRESSES: usize = 256;

/// Global because the process has a single log. Held for a look-up only, never across an await.
static LIMITED_SIGN_INS: Mutex<Lately> = Mutex::new(Lately::new());
static REQUESTS: Mutex<Lately> = Mutex::new(Lately::new());

/// Logs the error if it refuses a password, a code, a passkey or an identity.
pub(crate) fn log_refused_password(address: IpAddr, error: &Error) {
    let (code, left_out) = match error.refusal().code {
        ErrorCode::WrongCredentials => ("wrong_credentials", 0),
        ErrorCode::WrongPassword => ("wrong_password", 0),
        ErrorCode::WrongCode => ("wrong_code", 0),
        ErrorCode::PasskeyRefused => ("passkey_refused", 0),
        ErrorCode::IdentityRefused => ("identity_refused", 0),
        ErrorCode::RateLimited => {
            let Some(left_out) = pass(&LIMITED_SIGN_INS, address) else { return };
            ("rate_limited", left_out)
        }
        _ => return,
    };
    let left_out = (left_out > 0).then_some(left_out);
    tracing::warn!(target: SECURITY, { client.ip = %address, code, left_out }, "sign-in refused");
}

/// Logs that a request was refused before or beside the rules of the chat. `code` is the kind of
/// the refusal, from a closed list.
pub fn log_refused_request(address: IpAddr, code: &'static str) {
    let Some(left_out) = pass(&REQUESTS, address) else { return };
    let left_out = (left_out > 0).then_some(left_out);
    tracing::info!(target: SECURITY, { client.ip = %address, code, left_out }, "request refused");
}

fn pass(lately: &Mutex<Lately>, address: IpAddr) -> Option<u64> {
    lock(lately).pass(network(address), Instant::now())
}

/// The addresses that were logged recently.
struct Lately {
    logged_at: BTreeMap<IpAddr, Instant>,
    /// Lines skipped since the last one that was written.
    left_out: u64,
}

impl Lately {
    const fn new() -> Self {
        Self { logged_at: BTreeMap::new(), left_out: 0 }
    }

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
        let mut lately = Lately::new();
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
        let mut lately = Lately::new();
        let begun = Instant::now();
        let address = |n: u32| IpAddr::from(n.to_be_bytes());
        let passed = (0..10_000).filter(|n| lately.pass(address(*n), begun).is_some()).count();
        assert_eq!(passed, MOST_ADDRESSES);
        let left_out = 10_000 - u64::try_from(MOST_ADDRESSES).expect("a number");
        assert_eq!(lately.pass(address(20_000), begun + EVERY), Some(left_out));
        assert_eq!(lately.logged_at.len(), 1);
    }
}
