//! The list of a user's sessions, and ending them. The connections of an ended session close at
//! once.
//!
//! A user can end only their own sessions. [`crate::accounts`] creates sessions and finds them by
//! their tokens. `app` calls these methods for the settings.

use protocol::{ErrorCode, SessionId, SessionInfo};

use crate::error::Result;
use crate::security_log::SECURITY;
use crate::{Chat, Session, clock};

impl Chat {
    /// Returns the user's sessions: the present one, then the others, the last used first.
    ///
    /// # Errors
    /// `rate_limited`.
    pub async fn sessions(&self, me: &Session) -> Result<Vec<SessionInfo>> {
        self.throttle().read(me.user.id)?;
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
    /// `not_found` if the session belongs to another user or has ended; `unauthenticated` if the
    /// present one has ended.
    pub async fn end_session(&self, me: &Session, id: SessionId) -> Result<()> {
        if !self.store().delete_session_of(me.caller(), id).await? {
            return Err(ErrorCode::NotFound.into());
        }
        self.relay().end_sessions(&[id]);
        tracing::info!(
            target: SECURITY,
            { user.id = %me.user.id, session.id = %id },
            "a session was ended"
        );
        Ok(())
    }

    /// Ends all of the user's sessions except the present one.
    ///
    /// # Errors
    /// `unauthenticated` if the present session has ended.
    pub async fn end_other_sessions(&self, me: &Session) -> Result<()> {
        let ended = self.store().delete_other_sessions(me.caller()).await?;
        self.relay().end_sessions(&ended);
        tracing::info!(
            target: SECURITY,
            { user.id = %me.user.id, ended = ended.len() },
            "all other sessions were ended"
        );
        Ok(())
    }
}
