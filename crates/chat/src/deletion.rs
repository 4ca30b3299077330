//! Deletion of a user's own account.
//!
//! Deletion removes names, password, sessions, invitations and the last-seen time. The messages
//! stay for the peers, with a sender without a name. A conversation is removed when both of its
//! users have deleted their accounts. The password must be verified first. `app` calls
//! [`Chat::delete_account`] for the settings.

use protocol::{ErrorCode, User};

use crate::accounts::{Client, Requester};
use crate::error::Result;
use crate::security_log::SECURITY;
use crate::{Chat, Session, clock};

impl Chat {
    /// Deletes the user's account for good. Peers are notified, and the user's connections end.
    ///
    /// # Errors
    /// `wrong_password`, or `rate_limited` with the time to retry; `unauthenticated` if the session
    /// has ended meanwhile.
    pub async fn delete_account(
        &self,
        me: &Session,
        password: &str,
        from: impl Into<Client>,
    ) -> Result<()> {
        let id = me.user.id;
        let from = from.into();
        let address = from.address;
        let verified = self.verify_own(me, password, from).await?;
        // Before the deletion, because the store then still lists the peers who see the presence.
        self.presence().hide(id).await;
        let mut ended = self.store().delete_account(me.caller(), &verified, clock::now()).await?;
        if ended.is_none()
            && let Some(renewed) =
                self.verify_anew(id, password, &verified, Requester::Known).await?
        {
            ended = self.store().delete_account(me.caller(), &renewed, clock::now()).await?;
        }
        let ended = ended.ok_or(ErrorCode::WrongPassword)?;
        self.relay().end_sessions(&ended);
        let nobody = User { id, username: String::new(), display_name: String::new() };
        self.publish_user(&nobody).await;
        tracing::info!(
            target: SECURITY,
            { user.id = %id, client.ip = %address },
            "an account was deleted"
        );
        Ok(())
    }
}
