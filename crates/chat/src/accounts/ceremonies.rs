//! The ceremonies of passkeys: their options, their state, and the check of an answer.
//!
//! The state of a ceremony goes through the browser ([`super::sealed`]). It is not secret: it holds the
//! challenge, which the browser gets anyway. An answer has less than two kilobytes, and more only with an
//! attestation, which Duet does not request. Only `passkeys`, `passkey_sign_in` and `proof` call this
//! module.

use std::time::Duration;

use protocol::{ErrorCode, PasskeyAnswer, PasskeyCeremony, Timestamp, User};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use webauthn_rs::prelude::{
    DiscoverableAuthentication, Passkey, PasskeyRegistration, PublicKeyCredential,
    RegisterPublicKeyCredential, Url, WebauthnError,
};
use webauthn_rs::{Webauthn, WebauthnBuilder};

use super::sealed::{Bound, Finished, MAX_TEXT, Seal, encode};
use crate::config::RelyingParty;
use crate::error::{Error, Result};
use crate::store::{FoundPasskey, NewPasskey, StoreSecret};

/// How long a ceremony can be finished after its beginning: `WebAuthn`'s own time limit for the user.
const LIFE: Duration = Duration::from_secs(5 * 60);

/// What a ceremony is for. A ceremony for one purpose is refused for another.
#[derive(Clone, Copy, Debug)]
pub(super) enum Purpose<'a> {
    SignIn,
    SignUp,
    /// Adding a passkey to the account of this session.
    Add(&'a crate::Session),
    /// Confirming a change of the account of this session.
    Confirm(&'a crate::Session),
}

impl Purpose<'_> {
    /// The purpose as hashed, and the session to which the ceremony is bound.
    fn bound(&self) -> Bound<'_> {
        match self {
            Self::SignIn => (b"sign-in", &[]),
            Self::SignUp => (b"sign-up", &[]),
            Self::Add(session) => (b"add", session.id.0.as_bytes()),
            Self::Confirm(session) => (b"confirm", session.id.0.as_bytes()),
        }
    }
}

/// The state of a ceremony that makes a passkey.
#[derive(Serialize, Deserialize)]
struct Making {
    user: User,
    registration: PasskeyRegistration,
}

/// Begins and checks the ceremonies of one relying party.
pub(crate) struct Ceremonies {
    webauthn: Webauthn,
    seal: Seal,
}

/// The one answer to everything that is wrong with a passkey.
pub(super) fn refused() -> Error {
    ErrorCode::PasskeyRefused.into()
}

impl Ceremonies {
    /// Fails if the origin cannot carry passkeys for this name.
    pub(crate) fn new(party: &RelyingParty, secret: &StoreSecret) -> Result<Self, String> {
        let origin = Url::parse(&party.origin).map_err(|error| error.to_string())?;
        let webauthn = WebauthnBuilder::new(&party.id, &origin)
            .and_then(|builder| builder.rp_name(&party.name).timeout(LIFE).build())
            .map_err(|error| error.to_string())?;
        Ok(Self { webauthn, seal: Seal::new(secret.key("passkeys")) })
    }

    /// Begins a ceremony that makes a passkey for `user`, on an authenticator without one of `known`.
    pub(super) fn make(
        &self,
        purpose: Purpose<'_>,
        user: User,
        known: &[Vec<u8>],
        now: Timestamp,
    ) -> Result<PasskeyCeremony> {
        let begun = self.webauthn.start_passkey_registration(
            user.id.0,
            &user.username,
            &user.display_name,
            None,
        );
        let (options, registration) = begun.map_err(|error| failed(&error))?;
        let mut options =
            serde_json::to_value(options.public_key).map_err(|error| unwritten(&error))?;
        // The passkey is kept by the authenticator with the user's id, so that a sign-in needs no
        // username. The library leaves that open, because it also serves sites that ask for a name.
        options["authenticatorSelection"]["residentKey"] = json!("required");
        options["authenticatorSelection"]["requireResidentKey"] = json!(true);
        let known: Vec<Value> = known.iter().map(|id| descriptor(id)).collect();
        options["excludeCredentials"] = known.into();
        let ceremony = self.seal(purpose, &Making { user, registration }, now)?;
        Ok(PasskeyCeremony { ceremony, options: options.to_string() })
    }

    /// Checks the answer to [`Self::make`]. Returns the user and the new passkey, without a name.
    pub(super) fn made(
        &self,
        purpose: Purpose<'_>,
        answer: &PasskeyAnswer,
        now: Timestamp,
    ) -> Result<Finished<(User, NewPasskey)>> {
        let opened: Finished<Making> = self.open(purpose, &answer.ceremony, now)?;
        let Making { user, registration } = opened.value;
        let credential: RegisterPublicKeyCredential = read(&answer.credential)?;
        let finished = self.webauthn.finish_passkey_registration(&credential, &registration);
        let passkey = finished.map_err(log_refusal)?;
        let new = NewPasskey {
            id: protocol::PasskeyId::new(),
            credential_id: passkey.cred_id().to_vec(),
            credential: serde_json::to_string(&passkey).map_err(|error| unwritten(&error))?,
            name: String::new(),
        };
        let Finished { hash, expires_at, .. } = opened;
        Ok(Finished { value: (user, new), hash, expires_at })
    }

    /// Begins a ceremony that uses a passkey: one of `allowed`, or any of this site if that is empty.
    pub(super) fn ask(
        &self,
        purpose: Purpose<'_>,
        allowed: &[Vec<u8>],
        now: Timestamp,
    ) -> Result<PasskeyCeremony> {
        let begun = self.webauthn.start_discoverable_authentication();
        let (options, state) = begun.map_err(|error| failed(&error))?;
        let mut options =
            serde_json::to_value(options.public_key).map_err(|error| unwritten(&error))?;
        let allowed: Vec<Value> = allowed.iter().map(|id| descriptor(id)).collect();
        options["allowCredentials"] = allowed.into();
        let ceremony = self.seal(purpose, &state, now)?;
        Ok(PasskeyCeremony { ceremony, options: options.to_string() })
    }

    /// Reads the answer to [`Self::ask`]. The answer is not checked before [`Self::used`].
    pub(super) fn read_use(
        &self,
        purpose: Purpose<'_>,
        answer: &PasskeyAnswer,
        now: Timestamp,
    ) -> Result<(Finished<DiscoverableAuthentication>, PublicKeyCredential)> {
        let opened = self.open(purpose, &answer.ceremony, now)?;
        Ok((opened, read(&answer.credential)?))
    }

    /// Checks the use of a stored passkey: its user, the challenge, the origin, the signature, that
    /// the authenticator has verified the user, and that the signature counter has grown. Returns the
    /// credential with the new counter.
    pub(super) fn used(
        &self,
        state: DiscoverableAuthentication,
        credential: &PublicKeyCredential,
        found: &FoundPasskey,
    ) -> Result<String> {
        let identified = self.webauthn.identify_discoverable_authentication(credential);
        if identified.map_err(log_refusal)?.0 != found.user.id.0 {
            return Err(refused());
        }
        let mut passkey: Passkey = serde_json::from_str(&found.credential)
            .map_err(|_| Error::Internal("a stored passkey cannot be read"))?;
        let checked =
            self.webauthn.finish_discoverable_authentication_v2(credential, state, &passkey);
        passkey.update_credential(&checked.map_err(log_refusal)?);
        serde_json::to_string(&passkey).map_err(|error| unwritten(&error))
    }

    fn seal<T: Serialize>(
        &self,
        purpose: Purpose<'_>,
        state: &T,
        now: Timestamp,
    ) -> Result<String> {
        self.seal.seal(purpose.bound(), state, crate::clock::after(now, LIFE))
    }

    fn open<T: DeserializeOwned>(
        &self,
        purpose: Purpose<'_>,
        ceremony: &str,
        now: Timestamp,
    ) -> Result<Finished<T>> {
        self.seal.open(purpose.bound(), ceremony, now).ok_or_else(refused)
    }
}

/// Names a passkey in the options.
fn descriptor(credential_id: &[u8]) -> Value {
    json!({ "type": "public-key", "id": encode(credential_id) })
}

fn read<T: DeserializeOwned>(text: &str) -> Result<T> {
    let text = Some(text).filter(|text| text.len() <= MAX_TEXT).ok_or_else(refused)?;
    serde_json::from_str(text).map_err(|_| refused())
}

/// Refuses an answer. A counter that went back may mean a copied passkey, which the operator should
/// learn; other reasons are of no use to anybody but a developer.
fn log_refusal(why: WebauthnError) -> Error {
    match why {
        WebauthnError::CredentialPossibleCompromise => tracing::warn!(
            target: crate::security_log::SECURITY,
            "the signature counter of a passkey went back, so that the passkey may be copied"
        ),
        why => tracing::debug!(%why, "the answer of an authenticator was refused"),
    }
    refused()
}

fn failed(error: &WebauthnError) -> Error {
    tracing::error!(%error, "a ceremony could not be begun");
    Error::Internal("a ceremony could not be begun")
}

fn unwritten(error: &serde_json::Error) -> Error {
    tracing::error!(%error, "the state of a ceremony could not be written");
    Error::Internal("the state of a ceremony could not be written")
}

#[cfg(test)]
mod tests {
    use protocol::{SessionId, UserId};

    use super::*;
    use crate::Session;

    fn party(id: &str, origin: &str) -> RelyingParty {
        RelyingParty { id: id.into(), origin: origin.into(), name: "Duet".into() }
    }

    fn user(name: &str) -> User {
        User { id: UserId::new(), username: name.into(), display_name: name.into() }
    }

    #[test]
    fn a_ceremony_is_valid_for_its_own_purpose_session_and_time() {
        let secret = StoreSecret::for_tests();
        let ceremonies = Ceremonies::new(&party("localhost", "http://localhost:3000"), &secret);
        let ceremonies = ceremonies.expect("a relying party");
        let [mine, other] = [(); 2].map(|()| Session { id: SessionId::new(), user: user("alice") });
        let now = Timestamp(1_000_000);
        let begun = ceremonies.ask(Purpose::Confirm(&mine), &[], now).expect("begun");
        let opens = |purpose, text: &str, now| {
            let opened: Result<Finished<DiscoverableAuthentication>> =
                ceremonies.open(purpose, text, now);
            opened.is_ok()
        };
        let text = &begun.ceremony;
        assert!(opens(Purpose::Confirm(&mine), text, now));
        assert!(!opens(Purpose::Confirm(&other), text, now), "another session");
        assert!(!opens(Purpose::SignIn, text, now), "another purpose");
        assert!(!opens(Purpose::Add(&mine), text, now), "another purpose");
        let last = crate::clock::before(crate::clock::after(now, LIFE), Duration::from_millis(1));
        assert!(opens(Purpose::Confirm(&mine), text, last));
        assert!(!opens(Purpose::Confirm(&mine), text, crate::clock::after(now, LIFE)), "expired");
        let (tag, state) = text.split_once('.').expect("two parts");
        for forged in ["", ".", state, &format!("{tag}.{state}x"), &format!("{tag}.{tag}")] {
            assert!(!opens(Purpose::Confirm(&mine), forged, now), "{forged}");
        }
    }

    #[test]
    fn options_demand_a_kept_passkey_and_a_verified_user() {
        let secret = StoreSecret::for_tests();
        let ceremonies =
            Ceremonies::new(&party("chat.example.org", "https://chat.example.org"), &secret);
        let ceremonies = ceremonies.expect("a relying party");
        let made = ceremonies.make(Purpose::SignUp, user("alice"), &[vec![1, 2]], Timestamp(0));
        let options: Value = serde_json::from_str(&made.expect("begun").options).expect("JSON");
        assert_eq!(options["rp"]["id"], "chat.example.org");
        let selection = &options["authenticatorSelection"];
        assert_eq!(selection["residentKey"], "required");
        assert_eq!(selection["userVerification"], "required");
        assert_eq!(options["excludeCredentials"], json!([{ "type": "public-key", "id": "AQI" }]));
        let asked = ceremonies.ask(Purpose::SignIn, &[], Timestamp(0)).expect("begun");
        let options: Value = serde_json::from_str(&asked.options).expect("JSON");
        assert_eq!(options["userVerification"], "required");
        assert_eq!(options["allowCredentials"], json!([]));
    }

    #[test]
    fn a_name_that_cannot_carry_passkeys_is_refused() {
        let secret = StoreSecret::for_tests();
        for (id, origin) in
            [("127.0.0.1", "http://127.0.0.1:3000"), ("a.example", "https://b.example")]
        {
            assert!(Ceremonies::new(&party(id, origin), &secret).is_err(), "{id}");
        }
    }
}
