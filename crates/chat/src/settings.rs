//! What people change of their own account: name, privacy, password. Each change holds at once,
//! for what is read afterwards and for the connections that are open.

use std::net::IpAddr;

use protocol::{ErrorCode, Privacy, ServerFrame, Settings, User, UserId};

use crate::accounts::{Client, NewPassword, log_refused_password, names};
use crate::error::Result;
use crate::presence::TOLD;
use crate::{Chat, Session};

impl Chat {
    /// Who I am to others and what I let them see.
    ///
    /// # Errors
    /// `unauthenticated` if the account was deleted meanwhile.
    pub async fn settings(&self, me: UserId) -> Result<Settings> {
        self.store().settings(me).await?.ok_or_else(|| ErrorCode::Unauthenticated.into())
    }

    /// Changes what I am called; blank means the username. My other connections and those I talk
    /// with are told.
    ///
    /// # Errors
    /// `display_name_invalid`, `rate_limited`; `unauthenticated` as above.
    pub async fn set_display_name(&self, me: &User, display_name: &str) -> Result<User> {
        let (name, key) = names::display_name(display_name, &me.username)?;
        self.throttle().change(me.id).await?;
        let renamed = self.store().set_display_name(me.id, &name, &key).await?;
        let user = renamed.ok_or(ErrorCode::Unauthenticated)?;
        self.tell_of(&user).await;
        Ok(user)
    }

    /// Changes what I let others see, and so what I see of them. What an open page has been told
    /// of marks it keeps until it reads again; whether I am there is taken from it at once.
    ///
    /// # Errors
    /// `rate_limited`.
    pub async fn set_privacy(&self, me: UserId, privacy: Privacy) -> Result<()> {
        self.throttle().change(me).await?;
        if !privacy.last_seen {
            // While the store still says who sees it.
            self.presence().hide(me).await;
        }
        self.store().set_privacy(me, privacy).await?;
        if privacy.last_seen {
            self.presence().show(me).await;
        }
        Ok(())
    }

    /// Changes my password. Every other session ends, and its connections with it.
    ///
    /// # Errors
    /// `wrong_password`, what is wrong with the new one, or when to try again.
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

    /// Asks for a person's password again, under the limits of signing in; brings the hash that
    /// it belongs to.
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

    /// Tells those a person talks with, the latest of them, and the person's own connections who
    /// they are now. Whoever is not reached sees it at the next reading.
    pub(crate) async fn tell_of(&self, user: &User) {
        let mut told = match self.store().peers(user.id, TOLD).await {
            Ok(peers) => peers,
            Err(error) => {
                tracing::warn!(%error, user.id = %user.id, "nobody was told of a name");
                Vec::new()
            }
        };
        told.push(user.id);
        self.relay().publish(&told, &ServerFrame::User(user.clone()), None);
    }
}
