//! The list of a user's sessions, and ending them. The connections of an ended session close at
//! once. [`crate::accounts`] creates and looks up sessions.

use protocol::{ErrorCode, SessionId, SessionInfo};

use crate::error::Result;
use crate::{Chat, Session, clock};

impl Chat {
    /// Returns the user's sessions: the present one, then the others, the last used first.
    ///
    /// # Errors
    /// Store errors only.
    pub async fn sessions(&self, me: &Session) -> Result<Vec<SessionInfo>> {
        let mut sessions =
            self.store().sessions(me.user.id, self.session_life(clock::now())).await?;
        for session in &mut sessions {
            session.current = session.id == me.id;
        }
        sessions.sort_by_key(|session| !session.current);
        Ok(sessions)
    }

    /// Ends one of the user's sessions.
    ///
    /// # Errors
    /// `not_found` if the session belongs to another user or has ended.
    pub async fn end_session(&self, me: &Session, id: SessionId) -> Result<()> {
        if !self.store().delete_session_of(me.user.id, id).await? {
            return Err(ErrorCode::NotFound.into());
        }
        self.relay().end_sessions(&[id]);
        tracing::info!(user.id = %me.user.id, session.id = %id, "a session was ended");
        Ok(())
    }

    /// Ends all of the user's sessions except the present one.
    ///
    /// # Errors
    /// Store errors only.
    pub async fn end_other_sessions(&self, me: &Session) -> Result<()> {
        let ended = self.store().delete_other_sessions(me.user.id, me.id).await?;
        self.relay().end_sessions(&ended);
        tracing::info!(user.id = %me.user.id, ended = ended.len(), "all other sessions were ended");
        Ok(())
    }
}
