//! Links by which a signed-in device signs in another one, usually as a QR code.
//!
//! The token of a link is a permission to sign in, so the store keeps only its hash, and a link works
//! once, for [`LIFE`]. The user gives a proof, by password or passkey, before a link is made. The
//! sign-in itself then needs neither that proof nor a second factor, because a device that has passed
//! both has made the link. A link ends with the session that made it and with the password.
//!
//! Forged, used, expired and ended links must get the same refusal. `app` calls these methods for the
//! settings and for the page of a link.

use std::net::IpAddr;
use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use protocol::{DeviceLinkState, ErrorCode, User};

use super::{
    Client, MOST_SESSIONS, Proof, Session, SignedIn, TOKEN_CHARS, make_token, new_session,
    read_token,
};
use crate::error::Result;
use crate::security_log::SECURITY;
use crate::store::{NewDeviceLink, TokenHash};
use crate::{Chat, clock};

/// How long a link is valid.
const LIFE: Duration = Duration::from_secs(5 * 60);

/// A new link. Must not be logged.
pub struct NewLink {
    /// Identifies the link to its user; not a secret.
    pub id: String,
    /// The secret in the link.
    pub token: String,
    /// How long the link is valid.
    pub life: Duration,
}

impl Chat {
    /// Makes a link that signs in another device, in place of the user's earlier one.
    ///
    /// # Errors
    /// `wrong_password`, `passkey_refused`; `rate_limited` or `busy` with the time to retry;
    /// `unauthenticated` if the session has ended meanwhile.
    pub async fn create_device_link<'a>(
        &self,
        me: &Session,
        proof: impl Into<Proof<'a>>,
        from: impl Into<Client>,
    ) -> Result<NewLink> {
        let (proof, from) = (proof.into(), from.into());
        let address = from.address;
        let verified = self.verify_own(me, proof, from).await?;
        let (token, token_hash) = make_token()?;
        let (caller, token_hash) = (me.caller(), &token_hash);
        let expires_at = clock::after(clock::now(), LIFE);
        let store = async |verified: &str| {
            let new = NewDeviceLink { caller, verified, token_hash, expires_at };
            self.store().create_device_link(new).await
        };
        let mut is_stored = store(&verified).await?;
        if !is_stored
            && let Some(renewed) = self.verify_own_anew(me.user.id, proof, &verified).await?
        {
            is_stored = store(&renewed).await?;
        }
        if !is_stored {
            return Err(ErrorCode::WrongPassword.into());
        }
        tracing::info!(
            target: SECURITY,
            { user.id = %me.user.id, client.ip = %address },
            "a link to sign in another device was made"
        );
        Ok(NewLink { id: BASE64_URL_SAFE_NO_PAD.encode(token_hash), token, life: LIFE })
    }

    /// Returns what became of a link that this session made.
    ///
    /// # Errors
    /// `rate_limited`.
    pub async fn device_link_state(&self, me: &Session, id: &str) -> Result<DeviceLinkState> {
        self.throttle().read(me.user.id)?;
        let Some(hash) = read_id(id) else { return Ok(DeviceLinkState::default()) };
        Ok(self.store().device_link_state(me.caller(), &hash, clock::now()).await?)
    }

    /// Ends an unused link that this session made. Another link is not an error.
    ///
    /// # Errors
    /// `rate_limited`.
    pub async fn withdraw_device_link(&self, me: &Session, id: &str) -> Result<()> {
        self.throttle().change(me.user.id).await?;
        if let Some(hash) = read_id(id) {
            self.store().withdraw_device_link(me.caller(), &hash).await?;
        }
        Ok(())
    }

    /// Returns the user whom a link would sign in. Needs no session, and does not use the link up.
    ///
    /// # Errors
    /// `device_link_invalid`, `rate_limited`.
    pub async fn device_link(&self, token: &str, from: IpAddr) -> Result<User> {
        self.throttle().look_at_link(from).await?;
        let hash = read_token(token).ok_or(ErrorCode::DeviceLinkInvalid)?;
        let found = self.store().device_link(&hash, self.session_life(clock::now())).await?;
        found.ok_or_else(|| ErrorCode::DeviceLinkInvalid.into())
    }

    /// Signs in by a link, which is used up. The user's other pages are notified.
    ///
    /// # Errors
    /// `device_link_invalid`, `rate_limited`.
    pub async fn sign_in_by_link(&self, token: &str, from: impl Into<Client>) -> Result<SignedIn> {
        let from = from.into();
        let (address, device) = (from.address, from.device.clone());
        let signed_in = self.use_device_link(token, from).await?;
        let session = &signed_in.session;
        self.tell_of_sign_in(session, device);
        tracing::info!(
            target: SECURITY,
            { user.id = %session.user.id, client.ip = %address },
            "signed in by a link of another device"
        );
        Ok(signed_in)
    }

    async fn use_device_link(&self, token: &str, from: Client) -> Result<SignedIn> {
        let user = self.device_link(token, from.address).await?;
        let hash = read_token(token).ok_or(ErrorCode::DeviceLinkInvalid)?;
        let (new, token) = new_session(user.id, from.device)?;
        let (id, life) = (new.id, self.session_life(clock::now()));
        let used = self.store().use_device_link(&hash, new, MOST_SESSIONS, life).await?;
        let used = used.ok_or(ErrorCode::DeviceLinkInvalid)?;
        self.relay().end_sessions(&used.removed);
        let sent = from.device_token.as_ref();
        let known = sent.and_then(|sent| self.devices().known(sent, user.id, &used.password_hash));
        let device_token = self.devices().token(user.id, &used.password_hash, known)?;
        Ok(SignedIn { session: Session { id, user }, token, device_token })
    }
}

/// Returns the hash of a token from the public id of its link.
fn read_id(id: &str) -> Option<TokenHash> {
    let id = Some(id).filter(|id| id.len() == TOKEN_CHARS)?;
    BASE64_URL_SAFE_NO_PAD.decode(id).ok()?.try_into().ok()
}
