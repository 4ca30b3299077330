//! Deleting one's account.
//!
//! What goes: names, password, sessions, invitations, when they were last there. What stays, for
//! those they wrote to: the messages, of somebody without a name. When both of a conversation have
//! deleted their accounts, nothing of it stays.

use protocol::{ErrorCode, User};

use crate::accounts::Client;
use crate::error::Result;
use crate::{Chat, Session, clock};

impl Chat {
    /// Deletes my account, now and for ever. Those I talk with are told, and my connections end.
    ///
    /// # Errors
    /// `wrong_password`, or when to try again.
    pub async fn delete_account(
        &self,
        me: &Session,
        password: &str,
        from: impl Into<Client>,
    ) -> Result<()> {
        let id = me.user.id;
        let verified = self.verify_own(&me.user, password, from.into()).await?;
        // While the store still says who sees it.
        self.presence().hide(id).await;
        let mut ended = self.store().delete_account(id, &verified, clock::now()).await?;
        if ended.is_none()
            && let Some(renewed) = self.verify_anew(id, password, &verified).await?
        {
            ended = self.store().delete_account(id, &renewed, clock::now()).await?;
        }
        let ended = ended.ok_or(ErrorCode::WrongPassword)?;
        self.relay().end_sessions(&ended);
        let nobody = User { id, username: String::new(), display_name: String::new() };
        self.tell_of(&nobody).await;
        tracing::info!(user.id = %id, "an account was deleted");
        Ok(())
    }
}
