//! One-time codes of authenticator apps: TOTP (RFC 6238) with SHA-1, six digits and steps of
//! 30 seconds, the only parameters that all authenticator apps support.
//!
//! A pure function of key and time: this module reads no clock and stores nothing. Called by
//! [`super::second_factor`] alone.

use hmac::{Hmac, KeyInit, Mac};
use protocol::Timestamp;
use sha1::Sha1;

use crate::error::{Error, Result};

/// The length of a time step.
const STEP_MS: i64 = 30_000;
/// Steps before and after the present one whose codes are accepted, because clocks differ and
/// typing takes time.
const TOLERANCE: i64 = 1;
/// Codes have six digits.
const CODES: u32 = 1_000_000;
/// Bytes of a key, as RFC 4226 recommends.
pub(super) const SECRET_BYTES: usize = 20;

/// Returns the time steps around `now` whose code is `code`, the oldest first. Usually one or none;
/// more only if codes of neighbouring steps are equal by chance.
pub(super) fn matching_steps(secret: &[u8], code: u32, now: Timestamp) -> Result<Vec<i64>> {
    let present = now.0.div_euclid(STEP_MS);
    let mut matching = Vec::new();
    for step in present - TOLERANCE..=present + TOLERANCE {
        if code_of(secret, step)? == code {
            matching.push(step);
        }
    }
    Ok(matching)
}

/// Returns the code of a time step (RFC 4226, section 5.3).
fn code_of(secret: &[u8], step: i64) -> Result<u32> {
    let mut mac = Hmac::<Sha1>::new_from_slice(secret)
        .map_err(|_| Error::Internal("a key of one-time codes was refused"))?;
    mac.update(&step.to_be_bytes());
    let hash: [u8; 20] = mac.finalize().into_bytes().into();
    let at = usize::from(hash[19] & 0xf);
    let word = [hash[at] & 0x7f, hash[at + 1], hash[at + 2], hash[at + 3]];
    Ok(u32::from_be_bytes(word) % CODES)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The key of the test vectors in RFC 6238.
    const SECRET: &[u8; SECRET_BYTES] = b"12345678901234567890";

    fn at(seconds: i64) -> Timestamp {
        Timestamp(seconds * 1_000)
    }

    #[test]
    fn the_codes_are_those_of_the_standard() {
        // Appendix B of RFC 6238; the last six of its eight digits.
        for (seconds, code) in [
            (59, 287_082),
            (1_111_111_109, 81_804),
            (1_111_111_111, 50_471),
            (1_234_567_890, 5_924),
            (2_000_000_000, 279_037),
            (20_000_000_000, 353_130),
        ] {
            let steps = matching_steps(SECRET, code, at(seconds)).expect("codes");
            assert_eq!(steps, [seconds / 30], "{seconds}");
        }
    }

    #[test]
    fn a_code_is_accepted_one_step_early_and_one_step_late() {
        let is_accepted = |seconds| {
            let steps = matching_steps(SECRET, 287_082, at(seconds)).expect("codes");
            steps == [1]
        };
        // The code of the step from second 30 to second 59.
        for seconds in [0, 29, 30, 59, 60, 89] {
            assert!(is_accepted(seconds), "{seconds}");
        }
        for seconds in [-1, 90, 120] {
            assert!(!is_accepted(seconds), "{seconds}");
        }
    }
}
