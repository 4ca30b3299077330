//! How a user of an open session proves who they are before a change of the account: with the
//! password, with one of the account's passkeys, or with a fresh sign-in at the operator's provider.
//!
//! An account without a password cannot use the first way. Only an account with neither a password
//! nor a passkey can use the third ([`super::identities`]). A proof by passkey is as strong as a
//! sign-in, because the authenticator has verified the user. [`crate::settings`],
//! [`crate::deletion`], and the changes of passkeys and second factors call [`Chat::verify_own`].

use protocol::{ErrorCode, PasskeyAnswer, PasskeyCeremony, UserId};

use super::Client;
use super::ceremonies::{Purpose, refused};
use super::queue::Requester;
use super::sign_in::end_of;
use crate::error::Result;
use crate::security_log::{SECURITY, log_refused_password};
use crate::store::FoundPasskey;
use crate::throttle::Guesser;
use crate::{Chat, Session, clock};

/// A proof of the user of a session.
#[derive(Clone, Copy, Debug)]
pub enum Proof<'a> {
    /// The account's password.
    Password(&'a str),
    /// The answer to [`Chat::begin_passkey_proof`].
    Passkey(&'a PasskeyAnswer),
    /// A proof of [`super::Arrived::Confirmed`], for an account with neither of the others.
    Identity(&'a str),
}

impl<'a> From<&'a str> for Proof<'a> {
    fn from(password: &'a str) -> Self {
        Self::Password(password)
    }
}

impl<'a> From<&'a PasskeyAnswer> for Proof<'a> {
    fn from(answer: &'a PasskeyAnswer) -> Self {
        Self::Passkey(answer)
    }
}

impl Chat {
    /// Begins a proof with one of the user's passkeys.
    ///
    /// # Errors
    /// `passkeys_unavailable`, `rate_limited`.
    pub async fn begin_passkey_proof(&self, me: &Session) -> Result<PasskeyCeremony> {
        let ceremonies = self.ceremonies()?;
        self.throttle().change(me.user.id).await?;
        let own = self.store().passkeys(me.user.id).await?;
        let allowed: Vec<_> = own.into_iter().map(|passkey| passkey.credential_id).collect();
        ceremonies.ask(Purpose::Confirm(me), &allowed, clock::now())
    }

    /// Verifies the proof of a session's user; returns the account's present password hash, empty for
    /// an account without a password. Wrong passwords count for this session alone: guesses of
    /// strangers do not block it, and its own guesses do not block sign-ins.
    pub(crate) async fn verify_own(
        &self,
        me: &Session,
        proof: Proof<'_>,
        from: Client,
    ) -> Result<String> {
        let verified = match proof {
            Proof::Password(password) => self.verify_password_of(me, password).await,
            Proof::Passkey(answer) => self.verify_passkey_of(me, answer).await,
            Proof::Identity(proof) => self.verify_identity_of(me, proof).await,
        };
        if let Err(error) = &verified {
            log_refused_password(from.address, error);
        }
        verified
    }

    /// Returns the account's present hash, if that differs from `verified` and the proof still holds.
    /// A proof by passkey does not depend on the hash.
    pub(crate) async fn verify_own_anew(
        &self,
        me: UserId,
        proof: Proof<'_>,
        verified: &str,
    ) -> Result<Option<String>> {
        match proof {
            Proof::Password(password) => {
                self.verify_anew(me, password, verified, Requester::Known).await
            }
            Proof::Passkey(_) => {
                Ok(self.store().password_hash(me).await?.filter(|hash| hash != verified))
            }
            // The account has a password now, which proves the user from then on.
            Proof::Identity(_) => Ok(None),
        }
    }

    async fn verify_password_of(&self, me: &Session, password: &str) -> Result<String> {
        let guess = self.throttle().guess(Guesser::Session(me.user.id, me.id)).await?;
        let compared = self.compare_own(me.user.id, password).await;
        self.throttle().end_guess(guess, end_of(&compared)).await;
        compared?.ok_or_else(|| ErrorCode::WrongPassword.into())
    }

    /// Returns the user's password hash; `None` if the password does not match, or there is none.
    async fn compare_own(&self, me: UserId, password: &str) -> Result<Option<String>> {
        let hash = self.store().password_hash(me).await?.ok_or(ErrorCode::Unauthenticated)?;
        let stored = Some(hash.clone()).filter(|hash| !hash.is_empty());
        let verdict = self.passwords().verify(password, stored, Requester::Known).await?;
        Ok(verdict.is_right().then_some(hash))
    }

    async fn verify_passkey_of(&self, me: &Session, answer: &PasskeyAnswer) -> Result<String> {
        self.throttle().change(me.user.id).await?;
        self.accept_passkey(Purpose::Confirm(me), answer, Some(me.user.id)).await?;
        let hash = self.store().password_hash(me.user.id).await?;
        hash.ok_or_else(|| ErrorCode::Unauthenticated.into())
    }

    /// Accepts the use of a passkey, once. With `user`, only a passkey of that user.
    pub(super) async fn accept_passkey(
        &self,
        purpose: Purpose<'_>,
        answer: &PasskeyAnswer,
        user: Option<UserId>,
    ) -> Result<FoundPasskey> {
        let (ceremonies, now) = (self.ceremonies()?, clock::now());
        let (opened, credential) = ceremonies.read_use(purpose, answer, now)?;
        let found = self.store().passkey(credential.get_credential_id()).await?;
        let found = found.filter(|found| user.is_none_or(|user| found.user.id == user));
        let found = found.ok_or_else(refused)?;
        let updated = ceremonies.used(opened.value, &credential, &found)?;
        if !self.store().use_ceremony(&opened.hash, opened.expires_at).await? {
            return Err(refused());
        }
        // Fails if another node has accepted a higher counter meanwhile, or the passkey was removed.
        let is_stored =
            self.store().use_passkey(found.id, &found.credential, &updated, now).await?;
        if !is_stored {
            return Err(refused());
        }
        tracing::info!(
            target: SECURITY,
            { user.id = %found.user.id, passkey.id = %found.id },
            "a passkey was used"
        );
        Ok(found)
    }
}
