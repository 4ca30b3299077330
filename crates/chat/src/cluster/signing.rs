//! Signs leader requests and their answers (HMAC-SHA256), with a key derived from a secret in the
//! store and the key in the leader's lease. An attacker with access to the broker but not to the
//! store can neither write in a user's name nor forge a confirmation. Nodes on a copy of the store
//! have the same secret but sign with another key.
//!
//! Nothing is encrypted; that is left to TLS. A replayed request has the effect of any repeat: the
//! first answer again. Called by [`super::leader`] only.

use bytes::Bytes;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// Bytes of the tag, which follows the signed body.
const TAG: usize = 32;
/// Context of a request's tag; nodes of other versions must use the same bytes. The context of an
/// answer's tag is the tag of its request.
const REQUEST: &[u8] = b"question";
/// Context of the key derivation.
const LEADER: &[u8] = b"leader";

/// A key that signs and verifies.
pub(super) struct SigningKey(Hmac<Sha256>);

impl SigningKey {
    /// Derives the key for requests to a leader.
    pub(super) fn of_leader(secret: &[u8; 32], key: &[u8; 32]) -> Self {
        let both = Self::new(secret).0.chain_update(LEADER).chain_update(key).finalize();
        Self::new(&both.into_bytes().into())
    }

    fn new(secret: &[u8; 32]) -> Self {
        // HMAC pads a shorter key with zeros to a full block.
        let mut block = [0; 64];
        block[..secret.len()].copy_from_slice(secret);
        Self(Hmac::new(&block.into()))
    }

    pub(super) fn sign_request(&self, body: Vec<u8>) -> Bytes {
        self.sign(REQUEST, body)
    }

    /// Returns the body of a request with a valid signature.
    pub(super) fn verify_request<'signed>(&self, signed: &'signed [u8]) -> Option<&'signed [u8]> {
        self.verify(REQUEST, signed)
    }

    /// Signs the answer to a signed request.
    pub(super) fn sign_answer(&self, request: &[u8], body: Vec<u8>) -> Bytes {
        self.sign(tag(request), body)
    }

    /// Returns the body of an answer, if its signature is valid for this request.
    pub(super) fn verify_answer<'signed>(
        &self,
        request: &[u8],
        signed: &'signed [u8],
    ) -> Option<&'signed [u8]> {
        self.verify(tag(request), signed)
    }

    fn sign(&self, context: &[u8], mut body: Vec<u8>) -> Bytes {
        let tag = self.mac(context, &body).finalize().into_bytes();
        body.extend_from_slice(&tag);
        body.into()
    }

    fn verify<'signed>(&self, context: &[u8], signed: &'signed [u8]) -> Option<&'signed [u8]> {
        let (body, tag) = signed.split_at_checked(signed.len().checked_sub(TAG)?)?;
        self.mac(context, body).verify_slice(tag).ok()?;
        Some(body)
    }

    fn mac(&self, context: &[u8], body: &[u8]) -> Hmac<Sha256> {
        self.0.clone().chain_update(context).chain_update(body)
    }
}

fn tag(signed: &[u8]) -> &[u8] {
    &signed[signed.len().saturating_sub(TAG)..]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_unaltered_request_signed_with_this_key_is_accepted() {
        let (ours, other) = (SigningKey::new(&[1; 32]), SigningKey::new(&[2; 32]));
        let request = ours.sign_request(b"store this".to_vec());
        assert_eq!(ours.verify_request(&request), Some(&b"store this"[..]));
        assert_eq!(other.verify_request(&request), None);
        for at in 0..request.len() {
            let mut altered = request.to_vec();
            altered[at] ^= 1;
            assert_eq!(ours.verify_request(&altered), None, "byte {at}");
            assert_eq!(ours.verify_request(&request[..at]), None, "only {at} bytes");
        }
    }

    #[test]
    fn each_leader_of_each_store_has_its_own_signing_key() {
        let key = |secret, lease| SigningKey::of_leader(&[secret; 32], &[lease; 32]);
        let request = key(1, 2).sign_request(b"store this".to_vec());
        assert!(key(1, 2).verify_request(&request).is_some());
        for other in [key(1, 3), key(3, 2), key(2, 1), SigningKey::new(&[1; 32])] {
            assert_eq!(other.verify_request(&request), None);
        }
    }

    #[test]
    fn an_answer_is_valid_for_its_own_request_only() {
        let key = SigningKey::new(&[1; 32]);
        let (one, other) = (key.sign_request(b"one".to_vec()), key.sign_request(b"other".to_vec()));
        let answer = key.sign_answer(&one, b"stored".to_vec());
        assert_eq!(key.verify_answer(&one, &answer), Some(&b"stored"[..]));
        assert_eq!(key.verify_answer(&other, &answer), None);
        assert_eq!(key.verify_request(&answer), None);
        assert_eq!(key.verify_answer(&one, &one), None);
        assert_eq!(key.verify_answer(b"", b""), None);
    }
}
