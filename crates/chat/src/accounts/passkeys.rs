//! The passkeys of a user's own account: adding, naming and removing them.
//!
//! Adding and removing need a proof ([`super::proof`]), because a stolen session must not become a
//! lasting way in, nor shut the owner out. The proof comes before the authenticator makes a passkey,
//! so that a wrong password leaves no useless passkey on a device. The last way to sign in cannot be
//! removed. Another user's passkey answers as one that does not exist. `app` calls these methods for
//! the settings.

use protocol::{
    ErrorCode, MOST_PASSKEYS, PasskeyAnswer, PasskeyCeremony, PasskeyId, PasskeyInfo, UserId,
};

use super::ceremonies::{Ceremonies, Purpose, refused};
use super::sealed::Finished;
use super::{Client, Proof, names};
use crate::error::Result;
use crate::security_log::SECURITY;
use crate::store::{PasskeyAdded, PasskeyRemoved};
use crate::{Chat, Session, clock};

/// The name of a passkey whose user gave none, on a device that is unknown too.
const UNNAMED: &str = "Passkey";

impl Chat {
    /// Returns whether passkeys work at the server's address.
    pub fn has_passkeys(&self) -> bool {
        self.ceremonies().is_ok()
    }

    /// Returns the user's passkeys, the oldest first, and whether the account has a password.
    ///
    /// # Errors
    /// `unauthenticated` if the account was deleted meanwhile; `rate_limited`.
    pub async fn passkeys(&self, me: UserId) -> Result<(Vec<PasskeyInfo>, bool)> {
        self.throttle().read(me)?;
        let hash = self.store().password_hash(me).await?.ok_or(ErrorCode::Unauthenticated)?;
        let own = self.store().passkeys(me).await?;
        Ok((own.into_iter().map(|passkey| passkey.info).collect(), !hash.is_empty()))
    }

    /// Begins to add a passkey, after a proof of the user.
    ///
    /// # Errors
    /// `wrong_password`, `passkey_refused`, `passkeys_unavailable`, `too_many_passkeys`,
    /// `rate_limited`.
    pub async fn begin_passkey<'a>(
        &self,
        me: &Session,
        proof: impl Into<Proof<'a>>,
        from: impl Into<Client>,
    ) -> Result<PasskeyCeremony> {
        let ceremonies = self.ceremonies()?;
        self.verify_own(me, proof.into(), from.into()).await?;
        let own = self.store().passkeys(me.user.id).await?;
        if own.len() >= usize::try_from(MOST_PASSKEYS).unwrap_or(usize::MAX) {
            return Err(ErrorCode::TooManyPasskeys.into());
        }
        let known: Vec<_> = own.into_iter().map(|passkey| passkey.credential_id).collect();
        ceremonies.make(Purpose::Add(me), me.user.clone(), &known, clock::now())
    }

    /// Adds the passkey that an authenticator has made. A blank name means the name of the device.
    ///
    /// # Errors
    /// `passkey_refused`, `passkeys_unavailable`, `display_name_invalid`, `too_many_passkeys`,
    /// `rate_limited`; `unauthenticated` if the session has ended meanwhile.
    pub async fn add_passkey(
        &self,
        me: &Session,
        answer: &PasskeyAnswer,
        name: &str,
        from: impl Into<Client>,
    ) -> Result<()> {
        let ceremonies = self.ceremonies()?;
        let from = from.into();
        let name = passkey_name(name, &from.device)?;
        self.throttle().change(me.user.id).await?;
        let now = clock::now();
        let Finished { value: (_, mut new), hash, expires_at } =
            ceremonies.made(Purpose::Add(me), answer, now)?;
        new.name = name;
        if !self.store().use_ceremony(&hash, expires_at).await? {
            return Err(refused());
        }
        let id = new.id;
        match self.store().add_passkey(me.caller(), new, MOST_PASSKEYS, now).await? {
            PasskeyAdded::Added => {}
            PasskeyAdded::Taken => return Err(refused()),
            PasskeyAdded::TooMany => return Err(ErrorCode::TooManyPasskeys.into()),
        }
        let address = from.address;
        tracing::info!(
            target: SECURITY,
            { user.id = %me.user.id, client.ip = %address, passkey.id = %id },
            "a passkey was added"
        );
        Ok(())
    }

    /// Renames one of the user's passkeys.
    ///
    /// # Errors
    /// `not_found`, `display_name_invalid`, `rate_limited`; `unauthenticated` if the session has
    /// ended meanwhile.
    pub async fn rename_passkey(&self, me: &Session, id: PasskeyId, name: &str) -> Result<()> {
        let name = passkey_name(name, "")?;
        self.throttle().change(me.user.id).await?;
        match self.store().rename_passkey(me.caller(), id, &name).await? {
            true => Ok(()),
            false => Err(ErrorCode::NotFound.into()),
        }
    }

    /// Removes one of the user's passkeys, after a proof of the user.
    ///
    /// # Errors
    /// `not_found`; `last_sign_in_method` if the account has no other way to sign in;
    /// `wrong_password`, `passkey_refused`, `rate_limited`; `unauthenticated` if the session has ended
    /// meanwhile.
    pub async fn remove_passkey<'a>(
        &self,
        me: &Session,
        id: PasskeyId,
        proof: impl Into<Proof<'a>>,
        from: impl Into<Client>,
    ) -> Result<()> {
        let from = from.into();
        let address = from.address;
        self.verify_own(me, proof.into(), from).await?;
        match self.store().remove_passkey(me.caller(), id, self.issuer()).await? {
            PasskeyRemoved::Removed => {}
            PasskeyRemoved::NotFound => return Err(ErrorCode::NotFound.into()),
            PasskeyRemoved::Last => return Err(ErrorCode::LastSignInMethod.into()),
        }
        tracing::info!(
            target: SECURITY,
            { user.id = %me.user.id, client.ip = %address, passkey.id = %id },
            "a passkey was removed"
        );
        Ok(())
    }

    /// The ceremonies of this server.
    pub(super) fn ceremonies(&self) -> Result<&Ceremonies> {
        self.0.ceremonies.as_ref().ok_or_else(|| ErrorCode::PasskeysUnavailable.into())
    }
}

/// Checks a name; a blank one becomes that of the device.
pub(super) fn passkey_name(typed: &str, device: &str) -> Result<String, ErrorCode> {
    let device = if device.is_empty() { UNNAMED } else { device };
    names::display_name(typed, device).map(|(name, _)| name)
}
