//! Seals what nodes ask of the one that leads, and what it answers, with a secret that is in the store
//! alone, and with the key in the leader's lease. So whoever gets at the broker, and not at the store,
//! writes nothing in anybody's name, and makes nobody believe that something is stored; and nodes on a
//! copy of the store, where the secret is the same, seal in another way.
//!
//! It hides nothing; that is the work of TLS. Whoever says again what was sealed before gets what
//! everybody gets who repeats: the first answer. Called by [`super::leader`] alone.

use bytes::Bytes;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// Bytes of a tag, at the end of what is sealed.
const TAG: usize = 32;
/// What a tag of a question is about; that of an answer is about the question's tag.
const QUESTION: &[u8] = b"question";
/// What a leader's key is mixed with the secret of the store for.
const LEADER: &[u8] = b"leader";

/// See the module.
pub(super) struct Seal(Hmac<Sha256>);

impl Seal {
    /// Of the questions to a node with this key.
    pub(super) fn of_leader(secret: &[u8; 32], key: &[u8; 32]) -> Self {
        let both = Self::new(secret).0.chain_update(LEADER).chain_update(key).finalize();
        Self::new(&both.into_bytes().into())
    }

    fn new(secret: &[u8; 32]) -> Self {
        // A key fills a block; a shorter one is the same with zeros behind it.
        let mut block = [0; 64];
        block[..secret.len()].copy_from_slice(secret);
        Self(Hmac::new(&block.into()))
    }

    pub(super) fn question(&self, body: Vec<u8>) -> Bytes {
        self.seal(QUESTION, body)
    }

    /// What a question says, if it is one of ours.
    pub(super) fn open_question<'sealed>(&self, sealed: &'sealed [u8]) -> Option<&'sealed [u8]> {
        self.open(QUESTION, sealed)
    }

    /// Seals the answer to a question that was sealed.
    pub(super) fn answer(&self, question: &[u8], body: Vec<u8>) -> Bytes {
        self.seal(tag(question), body)
    }

    /// What an answer says, if it is one of ours to this question.
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
