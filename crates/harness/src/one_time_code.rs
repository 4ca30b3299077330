//! The codes that an authenticator app shows. Written apart from the server's own code, so that the
//! tests compare two implementations of RFC 6238.

use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};
use data_encoding::BASE32_NOPAD;
use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;

/// Returns the code that an app shows now, or a number of time steps later, for a key in base32.
///
/// A server accepts the code of the next step during the whole present step and the whole next one,
/// so a test can use the present code once and then the next one once, at any speed.
///
/// # Errors
/// The key is not base32.
pub fn app_code(secret: &str, steps_ahead: u64) -> Result<String> {
    let step = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs() / 30 + steps_ahead;
    let key = BASE32_NOPAD.decode(secret.as_bytes())?;
    let mac = Hmac::<Sha1>::new_from_slice(&key)?.chain_update(step.to_be_bytes());
    let hash = mac.finalize().into_bytes();
    let at = usize::from(hash[19] & 15);
    let word: [u8; 4] = hash.get(at..at + 4).context("a hash of 20 bytes")?.try_into()?;
    Ok(format!("{:06}", (u32::from_be_bytes(word) & 0x7fff_ffff) % 1_000_000))
}
