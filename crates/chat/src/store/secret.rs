//! The secret of a store, and the keys that are derived from the secret.
//!
//! Whoever reads the store reads the secret too, so a derived key must protect nothing from the
//! operator. The engines read the secret when they open a store. Called by [`crate::cluster`],
//! [`crate::throttle`] and [`crate::accounts`].

use std::fmt;

use base64::Engine;
use base64::prelude::BASE64_STANDARD as BASE64;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// A random secret that is made once for each store and kept in it: all processes of the store,
/// before and after a restart, have the same one. Must not be logged.
#[derive(Clone, PartialEq, Eq)]
pub struct StoreSecret(pub(super) [u8; 32]);

impl fmt::Debug for StoreSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoreSecret").finish_non_exhaustive()
    }
}

impl StoreSecret {
    /// A new random secret. Fails if the system has no source of randomness.
    pub(super) fn new() -> Result<Self, getrandom::Error> {
        let mut bytes = [0; 32];
        getrandom::fill(&mut bytes)?;
        Ok(Self(bytes))
    }

    /// The text form in which a store keeps the secret.
    pub(super) fn to_text(&self) -> String {
        BASE64.encode(self.0)
    }

    pub(super) fn parse(text: &str) -> Option<Self> {
        BASE64.decode(text).ok()?.try_into().ok().map(Self)
    }

    #[cfg(test)]
    pub(crate) fn for_tests() -> Self {
        Self([7; 32])
    }

    /// Derives the key for one purpose. Keys of different purposes are independent.
    pub(crate) fn key(&self, purpose: &str) -> DerivedKey {
        DerivedKey(DerivedKey::new(&self.0).hash(&[purpose.as_bytes()]))
    }
}

/// A key for HMAC-SHA256.
#[derive(Clone)]
pub(crate) struct DerivedKey([u8; 32]);

impl DerivedKey {
    fn new(bytes: &[u8; 32]) -> Self {
        Self(*bytes)
    }

    /// Returns the keyed hash of a list of texts. The list is unambiguous, because the length of
    /// each text is hashed too.
    pub(crate) fn hash(&self, parts: &[&[u8]]) -> [u8; 32] {
        self.mac(parts).finalize().into_bytes().into()
    }

    /// Returns whether a tag is the keyed hash of these texts, in constant time.
    pub(crate) fn is_hash(&self, parts: &[&[u8]], tag: &[u8]) -> bool {
        self.mac(parts).verify_slice(tag).is_ok()
    }

    fn mac(&self, parts: &[&[u8]]) -> Hmac<Sha256> {
        // HMAC pads a shorter key with zeros to a full block.
        let mut block = [0; 64];
        block[..self.0.len()].copy_from_slice(&self.0);
        let mac = Hmac::<Sha256>::new(&block.into());
        parts.iter().fold(mac, |mac, part| {
            let length = u64::try_from(part.len()).unwrap_or(u64::MAX);
            mac.chain_update(length.to_le_bytes()).chain_update(part)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_store_and_purpose_has_its_own_key_and_each_list_its_own_hash() {
        let hash =
            |secret, purpose, parts: &[&[u8]]| StoreSecret([secret; 32]).key(purpose).hash(parts);
        let one = hash(1, "a", &[b"ab", b"c"]);
        assert_eq!(one, hash(1, "a", &[b"ab", b"c"]));
        assert!(StoreSecret([1; 32]).key("a").is_hash(&[b"ab", b"c"], &one));
        for other in [
            hash(2, "a", &[b"ab", b"c"]),
            hash(1, "b", &[b"ab", b"c"]),
            hash(1, "a", &[b"a", b"bc"]),
            hash(1, "a", &[b"abc"]),
        ] {
            assert_ne!(one, other);
        }
    }
}
