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
/// Context of a request's tag. The context of an answer's tag is the tag of its request.
const QUESTION: &[u8] = b"question";
/// Context of the key derivation.
const LEADER: &[u8] = b"leader";

/// A key that signs and verifies.
pub(super) struct Seal(Hmac<Sha256>);

impl Seal {
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

    pub(super) fn question(&self, body: Vec<u8>) -> Bytes {
        self.seal(QUESTION, body)
    }

    /// Returns the body of a request with a valid signature.
    pub(super) fn open_question<'sealed>(&self, sealed: &'sealed [u8]) -> Option<&'sealed [u8]> {
        self.open(QUESTION, sealed)
    }

    /// Signs the answer to a signed request.
    pub(super) fn answer(&self, question: &[u8], body: Vec<u8>) -> Bytes {
        self.seal(tag(question), body)
    }

    /// Returns the body of an answer, if its signature is valid for this request.
    pub(super) fn open_answer<'sealed>(
        &self,
        question: &[u8],
        sealed: &'sealed [u8],
    ) -> Option<&'sealed [u8]> {
        self.open(tag(question), sealed)
    }

    fn seal(&self, about: &[u8], mut body: Vec<u8>) -> Bytes {
        let tag = self.mac(about, &body).finalize().into_bytes();
        body.extend_from_slice(&tag);
        body.into()
    }

    fn open<'sealed>(&self, about: &[u8], sealed: &'sealed [u8]) -> Option<&'sealed [u8]> {
        let (body, tag) = sealed.split_at_checked(sealed.len().checked_sub(TAG)?)?;
        self.mac(about, body).verify_slice(tag).ok()?;
        Some(body)
    }

    fn mac(&self, about: &[u8], body: &[u8]) -> Hmac<Sha256> {
        self.0.clone().chain_update(about).chain_update(body)
    }
}

fn tag(sealed: &[u8]) -> &[u8] {
    &sealed[sealed.len().saturating_sub(TAG)..]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_ours_is_opened_and_nothing_else() {
        let (ours, other) = (Seal::new(&[1; 32]), Seal::new(&[2; 32]));
        let question = ours.question(b"store this".to_vec());
        assert_eq!(ours.open_question(&question), Some(&b"store this"[..]));
        assert_eq!(other.open_question(&question), None);
        for at in 0..question.len() {
            let mut altered = question.to_vec();
            altered[at] ^= 1;
            assert_eq!(ours.open_question(&altered), None, "byte {at}");
            assert_eq!(ours.open_question(&question[..at]), None, "only {at} bytes");
        }
    }

    #[test]
    fn each_leader_of_each_store_has_a_seal_of_its_own() {
        let seal = |secret, key| Seal::of_leader(&[secret; 32], &[key; 32]);
        let question = seal(1, 2).question(b"store this".to_vec());
        assert!(seal(1, 2).open_question(&question).is_some());
        for other in [seal(1, 3), seal(3, 2), seal(2, 1), Seal::new(&[1; 32])] {
            assert_eq!(other.open_question(&question), None);
        }
    }

    #[test]
    fn an_answer_is_one_to_its_question() {
        let seal = Seal::new(&[1; 32]);
        let (one, other) = (seal.question(b"one".to_vec()), seal.question(b"other".to_vec()));
        let answer = seal.answer(&one, b"stored".to_vec());
        assert_eq!(seal.open_answer(&one, &answer), Some(&b"stored"[..]));
        assert_eq!(seal.open_answer(&other, &answer), None);
        assert_eq!(seal.open_question(&answer), None);
        assert_eq!(seal.open_answer(&one, &one), None);
        assert_eq!(seal.open_answer(b"", b""), None);
    }
}
