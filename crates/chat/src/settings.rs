//! Settings of a user's own account: name, privacy, password. A change applies at once to later
//! reads and to open connections.

use std::net::IpAddr;

use protocol::{ErrorCode, Privacy, ServerFrame, Settings, User, UserId};

use crate::accounts::{Client, NewPassword, log_refused_password, names};
use crate::error::Result;
use crate::presence::MOST_NOTIFIED;
use crate::{Chat, Session};

impl Chat {
    /// Returns the user's names and privacy settings.
    ///
    /// # Errors
    /// `unauthenticated` if the account was deleted meanwhile.
    pub async fn settings(&self, me: UserId) -> Result<Settings> {
        self.store().settings(me).await?.ok_or_else(|| ErrorCode::Unauthenticated.into())
    }

    /// Changes the display name; blank means the username. The user's connections and peers are
    /// notified.
    ///
    /// # Errors
    /// `display_name_invalid`, `rate_limited`; `unauthenticated` if the account was deleted
    /// meanwhile.
    pub async fn set_display_name(&self, me: &User, display_name: &str) -> Result<User> {
        let (name, key) = names::display_name(display_name, &me.username)?;
        self.throttle().change(me.id).await?;
        let renamed = self.store().set_display_name(me.id, &name, &key).await?;
        let user = renamed.ok_or(ErrorCode::Unauthenticated)?;
        self.publish_user(&user).await;
        Ok(user)
    }

    /// Changes what the user lets others see, and so what they see of others. An open page keeps
    /// the marks that it has received until it resyncs; presence is withdrawn from it at once.
    ///
    /// # Errors
    /// `rate_limited`.
    pub async fn set_privacy(&self, me: UserId, privacy: Privacy) -> Result<()> {
        self.throttle().change(me).await?;
        if !privacy.last_seen {
            // Before the change, because the store then still lists the peers who see the presence.
            self.presence().hide(me).await;
        }
        self.store().set_privacy(me, privacy).await?;
        if privacy.last_seen {
            self.presence().show(me).await;
        }
        Ok(())
    }

    /// Changes the password. Every other session and its connections end.
    ///
    /// # Errors
    /// `wrong_password`, a `password_*` code for the new password, or `rate_limited`.
    pub async fn change_password(
        &self,
        me: &Session,
        current: &str,
        new: &str,
        from: impl Into<Client>,
    ) -> Result<()> {
        let new = NewPassword::check(new)?;
        let verified = self.verify_own(&me.user, current, from.into()).await?;
        let names = [&me.user.username, &me.user.display_name].map(|name| names::fold(name));
        let hash = self.passwords().hash_new(new, names).await?;
        let mut ended = self.store().set_password(me.user.id, &verified, &hash, me.id).await?;
        if ended.is_none()
            && let Some(renewed) = self.verify_anew(me.user.id, current, &verified).await?
        {
            ended = self.store().set_password(me.user.id, &renewed, &hash, me.id).await?;
        }
        let ended = ended.ok_or(ErrorCode::WrongPassword)?;
        self.relay().end_sessions(&ended);
        tracing::info!(user.id = %me.user.id, ended = ended.len(), "a password was changed");
        Ok(())
    }

    /// Verifies a user's password under the limits of sign-in; returns the hash that it matches.
    pub(crate) async fn verify_own(
        &self,
        me: &User,
        password: &str,
        from: Client,
    ) -> Result<String> {
        let verified = self.verify_password_of(me, password, from.address).await;
        if let Err(error) = &verified {
            log_refused_password(from.address, error);
        }
        verified
    }

    async fn verify_password_of(&self, me: &User, password: &str, from: IpAddr) -> Result<String> {
        let key = names::fold(&me.username);
        self.throttle().sign_in(from, &key).await?;
        let hash = self.store().password_hash(me.id).await?.ok_or(ErrorCode::Unauthenticated)?;
        if self.passwords().verify(password, Some(hash.clone())).await?.is_right() {
            self.throttle().right_password(&key).await?;
            Ok(hash)
        } else {
            self.throttle().wrong_password(&key).await?;
            Err(ErrorCode::WrongPassword.into())
        }
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
