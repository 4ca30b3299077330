//! Settings of a user's own account: name, privacy, password. A change applies at once to later
//! reads and to open connections.
//!
//! A change of the password needs a proof of the user, the present password or a passkey. An account
//! without a password gets its first one in the same way. `app` calls these methods for the settings.

use std::fmt;

use protocol::{ErrorCode, Privacy, ServerFrame, Settings, User, UserId};

use crate::accounts::{Client, DeviceToken, NewPassword, Proof, Requester, make_token, names};
use crate::error::Result;
use crate::presence::MOST_NOTIFIED;
use crate::security_log::SECURITY;
use crate::store::{Caller, ChangedPassword};
use crate::{Chat, Session, clock};

/// A change of the user's own password.
#[derive(Clone, Copy)]
pub struct PasswordChange<'a> {
    /// The present password, or a passkey.
    pub current: Proof<'a>,
    /// The new password.
    pub new: &'a str,
    /// Whether to withdraw the user's open invitations as well.
    pub withdraws_invitations: bool,
}

/// The tokens of this browser after a change of the password.
pub struct NewTokens {
    /// The token of the present session.
    pub session: String,
    /// The token of the device, which is the only known one from now on.
    pub device: DeviceToken,
}

impl fmt::Debug for NewTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewTokens").finish_non_exhaustive()
    }
}

impl Chat {
    /// Returns the user's names and privacy settings.
    ///
    /// # Errors
    /// `unauthenticated` if the account was deleted meanwhile; `rate_limited`.
    pub async fn settings(&self, me: UserId) -> Result<Settings> {
        self.throttle().read(me)?;
        self.store().settings(me).await?.ok_or_else(|| ErrorCode::Unauthenticated.into())
    }

    /// Changes the display name; blank means the username. The user's connections and peers are
    /// notified.
    ///
    /// # Errors
    /// `display_name_invalid`, `rate_limited`; `unauthenticated` if the account was deleted
    /// meanwhile.
    pub async fn set_display_name(&self, me: &Session, display_name: &str) -> Result<User> {
        let (name, key) = names::display_name(display_name, &me.user.username)?;
        self.throttle().change(me.user.id).await?;
        let renamed = self.store().set_display_name(me.caller(), &name, &key).await?;
        let user = renamed.ok_or(ErrorCode::Unauthenticated)?;
        self.publish_user(&user).await;
        Ok(user)
    }

    /// Changes what the user lets others see, and so what they see of others. An open page keeps
    /// the marks that it has received until it resyncs; presence is withdrawn from the page at
    /// once.
    ///
    /// # Errors
    /// `rate_limited`; `unauthenticated` if the session has ended.
    pub async fn set_privacy(&self, me: Caller, privacy: Privacy) -> Result<()> {
        self.throttle().change(me.user).await?;
        if !privacy.last_seen {
            // Before the change, because the store then still lists the peers who see the presence.
            self.presence().hide(me.user).await;
        }
        self.store().set_privacy(me, privacy).await?;
        if privacy.last_seen {
            self.presence().show(me.user).await;
        }
        Ok(())
    }

    /// Changes the password, and returns the new tokens of this browser; the earlier tokens of the
    /// present session end at once. Every other session and its connections end, and every other
    /// known device becomes unknown.
    ///
    /// # Errors
    /// `wrong_password` or `passkey_refused`, a `password_*` code for the new password, or
    /// `rate_limited`;
    /// `unauthenticated` if the present session has ended meanwhile.
    pub async fn change_password(
        &self,
        me: &Session,
        change: PasswordChange<'_>,
        from: impl Into<Client>,
    ) -> Result<NewTokens> {
        let PasswordChange { current, new, withdraws_invitations } = change;
        let new = NewPassword::check(new)?;
        let from = from.into();
        let address = from.address;
        let verified = self.verify_own(me, current, from).await?;
        let names = [&me.user.username, &me.user.display_name].map(|name| names::fold(name));
        let hash = self.passwords().hash_new(new, names, Requester::Known).await?;
        let (token, token_hash) = make_token()?;
        let set = async |verified: &str| {
            let (hash, token_hash) = (&hash, &token_hash);
            let new = ChangedPassword { verified, hash, token_hash, withdraws_invitations };
            self.store().set_password(me.caller(), new, clock::now()).await
        };
        let mut ended = set(&verified).await?;
        if ended.is_none()
            && let Some(renewed) = self.verify_own_anew(me.user.id, current, &verified).await?
        {
            ended = set(&renewed).await?;
        }
        let ended = ended.ok_or(ErrorCode::WrongPassword)?;
        self.relay().end_sessions(&ended);
        tracing::info!(
            target: SECURITY,
            { user.id = %me.user.id, client.ip = %address, ended = ended.len() },
            "a password was changed"
        );
        Ok(NewTokens { session: token, device: self.devices().token(me.user.id, &hash, None)? })
    }

    /// Sends a user's present names to their most recently active peers and to their own
    /// connections. Other clients get the names when they next fetch.
    pub(crate) async fn publish_user(&self, user: &User) {
        let mut receivers = match self.store().peers(user.id, MOST_NOTIFIED).await {
            Ok(peers) => peers,
            Err(error) => {
                tracing::warn!(%error, user.id = %user.id, "could not publish a name change");
                Vec::new()
            }
        };
        receivers.push(user.id);
        self.relay().publish(&receivers, &ServerFrame::User(user.clone()), None);
    }
}
