//! Rounds: a round is the way of a browser to the operator's sign-in provider and back, with a request and
//! an answer of OpenID Connect.
//!
//! The state of a round is a cookie of the browser that began it ([`super::sealed`]), so another browser
//! cannot finish the round, and a round that was only begun leaves nothing here. The three values that
//! protect a round are derived from its id by a key of the server, and are in no cookie: `state` is in the
//! addresses of the request and the answer, `nonce` in the ID token, and `verifier` (PKCE) goes to the
//! provider alone. After the round, a sign-in may wait for a code or a username; that state is a cookie
//! too. Only `identities` and `identity_sign_in` call this module.

use std::time::Duration;

use protocol::{ErrorCode, SessionId, Timestamp};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::sealed::{Bound, Finished, Seal, decode, encode};
use crate::clock;
use crate::config::Provider;
use crate::error::{Error, Result};
use crate::store::{DerivedKey, StoreSecret};

/// How long a round can be finished after its beginning, and a waiting sign-in after the round.
const LIFE: Duration = Duration::from_secs(10 * 60);
/// How long a proof is valid.
const PROOF_LIFE: Duration = Duration::from_secs(5 * 60);
/// Random bytes of a round's id.
const ID_BYTES: usize = 16;

/// What a round is for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Purpose {
    /// Signing in, and then opening this path.
    SignIn(String),
    /// Linking the identity to the account of this session.
    Link(SessionId),
    /// Confirming a change of the account of this session.
    Confirm(SessionId),
}

/// The state of a round.
#[derive(Serialize, Deserialize)]
pub(super) struct State {
    id: String,
    pub(super) purpose: Purpose,
    pub(super) begun_at: Timestamp,
}

/// A sign-in that waits for the user after the round.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct WaitingSignIn {
    pub(super) subject: String,
    /// The username at the provider.
    pub(super) name: String,
    /// Whether the identity is linked, so that a code is missing; otherwise a username.
    pub(super) is_linked: bool,
    /// The path to open afterwards.
    pub(super) next: String,
}

/// A round that was begun or returned. Must not be logged.
pub struct Round {
    /// The value of the browser's cookie.
    pub cookie: String,
    /// The parameter `state` of the request.
    pub state: String,
    /// The `nonce` of the ID token.
    pub nonce: String,
    /// The code verifier of PKCE.
    pub verifier: String,
    /// Whether the provider must ask the user to sign in there again.
    pub is_fresh: bool,
}

/// Begins and opens the rounds of one provider.
pub(crate) struct Rounds {
    pub(super) provider: Provider,
    seal: Seal,
    key: DerivedKey,
}

/// The one answer to everything that is wrong with a round.
pub(super) fn refused() -> Error {
    ErrorCode::IdentityRefused.into()
}

const ROUND: Bound<'static> = (b"round", b"");
const WAITING: Bound<'static> = (b"waiting", b"");

fn permission(session: SessionId) -> [u8; 16] {
    session.0.into_bytes()
}

impl Rounds {
    pub(crate) fn new(provider: Provider, secret: &StoreSecret) -> Self {
        let seal = Seal::new(secret.key("rounds"));
        Self { provider, seal, key: secret.key("values of rounds") }
    }

    pub(super) fn begin(&self, purpose: Purpose, now: Timestamp) -> Result<Round> {
        let mut id = [0; ID_BYTES];
        getrandom::fill(&mut id).map_err(|_| Error::Internal("no randomness"))?;
        let state = State { id: encode(&id), purpose, begun_at: now };
        let cookie = self.seal.seal(ROUND, &state, clock::after(now, LIFE))?;
        Ok(self.round(cookie, &state))
    }

    /// Opens the round of a cookie, if the parameter `state` of an answer belongs to it.
    pub(super) fn returned(&self, cookie: &str, state: &str, now: Timestamp) -> Result<Round> {
        let opened = self.open(cookie, now)?;
        let expected = [b"state".as_slice(), opened.value.id.as_bytes()];
        let tag = decode(state).ok_or_else(refused)?;
        if !self.key.is_hash(&expected, &tag) {
            return Err(refused());
        }
        Ok(self.round(cookie.to_owned(), &opened.value))
    }

    pub(super) fn open(&self, cookie: &str, now: Timestamp) -> Result<Finished<State>> {
        self.opened(ROUND, cookie, now)
    }

    /// Permits a session to begin a round that links an identity.
    pub(super) fn permit(&self, session: SessionId, now: Timestamp) -> Result<String> {
        let bound = (b"link".as_slice(), permission(session));
        self.seal.seal((bound.0, &bound.1), &(), clock::after(now, PROOF_LIFE))
    }

    pub(super) fn permitted(
        &self,
        session: SessionId,
        cookie: &str,
        now: Timestamp,
    ) -> Result<Finished<()>> {
        self.opened((b"link", &permission(session)), cookie, now)
    }

    /// Makes a proof of the user of a session.
    pub(super) fn prove(&self, session: SessionId, now: Timestamp) -> Result<String> {
        let bound = permission(session);
        self.seal.seal((b"proof", &bound), &(), clock::after(now, PROOF_LIFE))
    }

    pub(super) fn proved(
        &self,
        session: SessionId,
        cookie: &str,
        now: Timestamp,
    ) -> Result<Finished<()>> {
        self.opened((b"proof", &permission(session)), cookie, now)
    }

    pub(super) fn wait(&self, waiting: &WaitingSignIn, now: Timestamp) -> Result<String> {
        self.seal.seal(WAITING, waiting, clock::after(now, LIFE))
    }

    pub(super) fn waiting(&self, cookie: &str, now: Timestamp) -> Result<Finished<WaitingSignIn>> {
        self.opened(WAITING, cookie, now)
    }

    fn opened<T: DeserializeOwned>(
        &self,
        bound: Bound<'_>,
        cookie: &str,
        now: Timestamp,
    ) -> Result<Finished<T>> {
        self.seal.open(bound, cookie, now).ok_or_else(refused)
    }

    fn round(&self, cookie: String, state: &State) -> Round {
        let value = |name: &[u8]| encode(&self.key.hash(&[name, state.id.as_bytes()]));
        Round {
            cookie,
            state: value(b"state"),
            nonce: value(b"nonce"),
            verifier: value(b"verifier"),
            is_fresh: matches!(state.purpose, Purpose::Confirm(_)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rounds() -> Rounds {
        let provider = Provider { issuer: "https://id.example.org".into(), name: "Berg".into() };
        Rounds::new(provider, &StoreSecret::for_tests())
    }

    #[test]
    fn a_round_is_finished_by_its_own_browser_with_its_own_state_and_in_time() {
        let (rounds, now) = (rounds(), Timestamp(1_000_000));
        let begin = || rounds.begin(Purpose::SignIn("/".into()), now).expect("begun");
        let (one, other) = (begin(), begin());
        let back = rounds.returned(&one.cookie, &one.state, now).expect("the same round");
        assert_eq!((back.nonce, back.verifier), (one.nonce.clone(), one.verifier.clone()));
        assert_eq!(one.verifier.len(), 43, "the shortest verifier that PKCE allows");
        for secret in [&one.state, &one.nonce, &one.verifier] {
            let (_, text) = one.cookie.split_once('.').expect("two parts");
            let text = String::from_utf8(decode(text).expect("base64")).expect("JSON");
            assert!(!text.contains(secret.as_str()), "{text}");
        }
        for (cookie, state) in [
            (&one.cookie, &other.state),
            (&other.cookie, &one.state),
            (&one.cookie, &one.nonce),
            (&one.cookie, &String::new()),
            (&String::new(), &one.state),
        ] {
            assert!(rounds.returned(cookie, state, now).is_err());
        }
        let late = clock::after(now, LIFE);
        assert!(rounds.returned(&one.cookie, &one.state, late).is_err(), "expired");
    }

    #[test]
    fn a_text_of_one_kind_or_session_is_refused_as_another() {
        let (rounds, now) = (rounds(), Timestamp(1_000_000));
        let [mine, other] = [(); 2].map(|()| SessionId::new());
        let (permission, proof) = (rounds.permit(mine, now), rounds.prove(mine, now));
        let (permission, proof) = (permission.expect("made"), proof.expect("made"));
        assert!(rounds.permitted(mine, &permission, now).is_ok());
        assert!(rounds.proved(mine, &proof, now).is_ok());
        assert!(rounds.permitted(other, &permission, now).is_err());
        assert!(rounds.proved(other, &proof, now).is_err());
        assert!(rounds.proved(mine, &permission, now).is_err());
        assert!(rounds.permitted(mine, &proof, now).is_err());
        assert!(rounds.open(&proof, now).is_err());
        let round = rounds.begin(Purpose::Confirm(mine), now).expect("begun");
        assert!(rounds.proved(mine, &round.cookie, now).is_err(), "a round is no proof");
        assert!(rounds.waiting(&round.cookie, now).is_err());
        let late = clock::after(now, PROOF_LIFE);
        assert!(rounds.proved(mine, &proof, late).is_err(), "expired");
    }
}
