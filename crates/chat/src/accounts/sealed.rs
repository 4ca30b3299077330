//! Texts with a keyed hash, which go through the browser instead of being stored.
//!
//! Anybody can begin a sign-in, so the server keeps nothing of one that was only begun, and any
//! node can finish it. A text is not secret: the hash only proves that this server has written it,
//! for one purpose and one session. The store records the hash of a text that must be used only
//! once: a ceremony, a round, a waiting sign-in, a proof, a permission to link an identity.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use protocol::Timestamp;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::error::{Error, Result};
use crate::store::{CeremonyHash, DerivedKey};

/// Longest text in bytes, which bounds the work of a refusal.
pub(super) const MAX_TEXT: usize = 16 * 1024;

/// A state and the end of its validity.
#[derive(Serialize, Deserialize)]
struct Sealed<T> {
    expires_at: Timestamp,
    state: T,
}

/// A valid state, to be recorded as used.
pub(super) struct Finished<T> {
    pub(super) value: T,
    pub(super) hash: CeremonyHash,
    pub(super) expires_at: Timestamp,
}

/// What a text is for: a text for one purpose or session is refused for another.
pub(super) type Bound<'a> = (&'a [u8], &'a [u8]);

/// Seals and opens states with one key.
pub(super) struct Seal(DerivedKey);

impl Seal {
    pub(super) fn new(key: DerivedKey) -> Self {
        Self(key)
    }

    /// Returns a text with a keyed hash and the state as JSON, both in base64url.
    pub(super) fn seal<T: Serialize>(
        &self,
        (purpose, session): Bound<'_>,
        state: &T,
        expires_at: Timestamp,
    ) -> Result<String> {
        let text = serde_json::to_vec(&Sealed { expires_at, state }).map_err(|error| {
            tracing::error!(%error, "the state of a sign-in could not be written");
            Error::Internal("the state of a sign-in could not be written")
        })?;
        let tag = self.0.hash(&[purpose, session, &text]);
        Ok(format!("{}.{}", encode(&tag), encode(&text)))
    }

    /// Returns the state of a text. `None` if the text is forged, for something else, or expired.
    pub(super) fn open<T: DeserializeOwned>(
        &self,
        (purpose, session): Bound<'_>,
        sealed: &str,
        now: Timestamp,
    ) -> Option<Finished<T>> {
        let (tag, text) = sealed.split_once('.').filter(|_| sealed.len() <= MAX_TEXT)?;
        let (tag, text) = (decode(tag)?, decode(text)?);
        if !self.0.is_hash(&[purpose, session, &text], &tag) {
            return None;
        }
        let Sealed { expires_at, state } = serde_json::from_slice(&text).ok()?;
        // The hash is of the decoded parts, because a text can have several encodings. With the tag, because
        // the texts of two sessions can be equal: those of proofs made in one millisecond are.
        let hash = Sha256::new().chain_update(&tag).chain_update(&text).finalize().into();
        (expires_at > now).then_some(Finished { value: state, hash, expires_at })
    }
}

pub(super) fn decode(text: &str) -> Option<Vec<u8>> {
    BASE64_URL_SAFE_NO_PAD.decode(text).ok()
}

pub(super) fn encode(bytes: &[u8]) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::StoreSecret;

    #[test]
    fn equal_states_of_two_sessions_are_used_up_one_by_one() {
        let (seal, ends_at) = (Seal::new(StoreSecret::for_tests().key("test")), Timestamp(2));
        let hash = |bound: Bound<'_>| {
            let text = seal.seal(bound, &(), ends_at).expect("sealed");
            seal.open::<()>(bound, &text, Timestamp(1)).expect("it is valid").hash
        };
        let one = hash((b"proof", b"one"));
        assert_eq!(one, hash((b"proof", b"one")));
        assert_ne!(one, hash((b"proof", b"two")));
        assert_ne!(one, hash((b"link", b"one")));
    }
}
