//! Signs what nodes send each other (HMAC-SHA256), with keys derived from a secret in the store. An
//! attacker with access to the broker but not to the store can forge nothing. Nodes on a copy of the
//! store have the same secret but sign with other keys: those of leader requests contain the key in
//! the leader's lease, those of events the name of the running database.
//!
//! Nothing is encrypted; that is left to TLS. A replayed leader request has the effect of any repeat:
//! the first answer again. Called by [`super::leader`], and by [`super::signed_events`], which also
//! detects replays.

use bytes::Bytes;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::store::{Instance, NodeKey, NodesSecret, NodesSecrets};

/// Bytes of the tag, which follows the signed body.
pub(super) const TAG: usize = 32;
/// Context of a request's tag; nodes of other versions must use the same bytes. The context of an
/// answer's tag is the tag of its request.
const REQUEST: &[u8] = b"question";
/// Contexts of the key derivations.
const LEADER: &[u8] = b"leader";
const EVENTS: &[u8] = b"events";

/// A key that signs and verifies.
pub(super) struct SigningKey(Hmac<Sha256>);

impl SigningKey {
    /// Derives the key for requests to a leader.
    fn of_leader(secret: &NodesSecret, key: &NodeKey) -> Self {
        Self::derived(secret, &[LEADER, &key.0])
    }

    /// Derives the key for events and notices of the nodes on a running database.
    fn of_events(secret: &NodesSecret, epoch: &str, instance: &Instance) -> Self {
        // Neither name contains a zero.
        let instance = instance.to_string();
        Self::derived(secret, &[EVENTS, epoch.as_bytes(), &[0], instance.as_bytes()])
    }

    fn derived(secret: &NodesSecret, parts: &[&[u8]]) -> Self {
        let mut derived = Self::new(secret.bytes()).0;
        for part in parts {
            derived.update(part);
        }
        Self::new(&derived.finalize().into_bytes().into())
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

    /// Appends the tag to the body. A tag is valid in its context alone.
    pub(super) fn sign(&self, context: &[u8], mut body: Vec<u8>) -> Bytes {
        let tag = self.mac(context, &body).finalize().into_bytes();
        body.extend_from_slice(&tag);
        body.into()
    }

    /// Returns the body, if its tag is valid in this context.
    pub(super) fn verify<'signed>(
        &self,
        context: &[u8],
        signed: &'signed [u8],
    ) -> Option<&'signed [u8]> {
        let (body, tag) = signed.split_at_checked(signed.len().checked_sub(TAG)?)?;
        self.mac(context, body).verify_slice(tag).ok()?;
        Some(body)
    }

    fn mac(&self, context: &[u8], body: &[u8]) -> Hmac<Sha256> {
        self.0.clone().chain_update(context).chain_update(body)
    }
}

/// The keys for one purpose: two for a while after a replacement of the secret.
pub(super) struct SigningKeys {
    signing: SigningKey,
    accepted: Option<SigningKey>,
}

impl SigningKeys {
    /// Derives the keys for requests to the leader with this key in its lease.
    pub(super) fn of_leader(secrets: &NodesSecrets, key: &NodeKey) -> Self {
        Self::of(secrets, |secret| SigningKey::of_leader(secret, key))
    }

    /// Derives the keys for events and notices of the nodes on a running database.
    pub(super) fn of_events(secrets: &NodesSecrets, epoch: &str, instance: &Instance) -> Self {
        Self::of(secrets, |secret| SigningKey::of_events(secret, epoch, instance))
    }

    fn of(secrets: &NodesSecrets, derive: impl Fn(&NodesSecret) -> SigningKey) -> Self {
        let accepted = secrets.accepted.as_ref().map(&derive);
        Self { signing: derive(&secrets.signing), accepted }
    }

    /// The key to sign with.
    pub(super) fn signing(&self) -> &SigningKey {
        &self.signing
    }

    /// Finds the key with which a message is valid.
    pub(super) fn find<'keys, T>(
        &'keys self,
        verify: impl Fn(&'keys SigningKey) -> Option<T>,
    ) -> Option<(&'keys SigningKey, T)> {
        let mut keys = [Some(&self.signing), self.accepted.as_ref()].into_iter().flatten();
        keys.find_map(|key| Some((key, verify(key)?)))
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
        let key = |secret, lease| {
            SigningKey::of_leader(&NodesSecret::of([secret; 32]), &NodeKey([lease; 32]))
        };
        let request = key(1, 2).sign_request(b"store this".to_vec());
        assert!(key(1, 2).verify_request(&request).is_some());
        for other in [key(1, 3), key(3, 2), key(2, 1), SigningKey::new(&[1; 32])] {
            assert_eq!(other.verify_request(&request), None);
        }
    }

    #[test]
    fn the_nodes_of_each_running_database_have_their_own_keys() {
        let keys = |secret, epoch, instance| {
            let signing = NodesSecret::of([secret; 32]);
            let secrets = NodesSecrets { signing, accepted: None };
            SigningKeys::of_events(&secrets, epoch, &Instance::named(instance))
        };
        let signed = keys(1, "epoch", "here").signing().sign(b"subject", b"event".to_vec());
        let is_valid =
            |keys: SigningKeys| keys.find(|key| key.verify(b"subject", &signed)).is_some();
        assert!(is_valid(keys(1, "epoch", "here")));
        for other in [keys(2, "epoch", "here"), keys(1, "other", "here"), keys(1, "epoch", "there")]
        {
            assert!(!is_valid(other));
        }
    }

    #[test]
    fn both_secrets_are_valid_during_a_replacement() {
        let (one, other) = (NodesSecret::of([1; 32]), NodesSecret::of([2; 32]));
        let keys = |signing: &NodesSecret, accepted: Option<&NodesSecret>| {
            let secrets = NodesSecrets { signing: signing.clone(), accepted: accepted.cloned() };
            SigningKeys::of_leader(&secrets, &NodeKey([3; 32]))
        };
        let request = keys(&one, None).signing().sign_request(b"store this".to_vec());
        let is_valid = |keys: SigningKeys| keys.find(|key| key.verify_request(&request)).is_some();
        assert!(is_valid(keys(&one, Some(&other))) && is_valid(keys(&other, Some(&one))));
        assert!(!is_valid(keys(&other, None)));
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
