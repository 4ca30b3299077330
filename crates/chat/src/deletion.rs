//! Deletion of a user's own account.
//!
//! Deletion removes names, password, passkeys, sessions, invitations and the last-seen time. The messages
//! stay for the peers, with a sender without a name. A conversation is removed when both of its
//! users have deleted their accounts. The user must prove who they are first. `app` calls
//! [`Chat::delete_account`] for the settings.

use protocol::{ErrorCode, User};

use crate::accounts::{Client, Proof};
use crate::error::Result;
use crate::security_log::SECURITY;
use crate::{Chat, Session, clock};

impl Chat {
    /// Deletes the user's account for good. Peers are notified, and the user's connections end.
    ///
    /// # Errors
    /// `wrong_password` or `passkey_refused`, or `rate_limited` with the time to retry; `unauthenticated` if the session
    /// has ended meanwhile.
    pub async fn delete_account<'a>(
        &self,
        me: &Session,
        proof: impl Into<Proof<'a>>,
        from: impl Into<Client>,
    ) -> Result<()> {
        let id = me.user.id;
        let (from, proof) = (from.into(), proof.into());
        let address = from.address;
        let verified = self.verify_own(me, proof, from).await?;
        // Before the deletion, because the store then still lists the peers who see the presence.
        self.presence().hide(id).await;
        let mut ended = self.store().delete_account(me.caller(), &verified, clock::now()).await?;
        if ended.is_none()
            && let Some(renewed) = self.verify_own_anew(id, proof, &verified).await?
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
