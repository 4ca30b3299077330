//! The part of the store for sessions: its trait, parameters and results. Called by
//! [`crate::accounts`], [`crate::sessions`] and [`crate::upkeep`].

use async_trait::async_trait;
use protocol::{SessionId, SessionInfo, Timestamp, User, UserId};
use serde::{Deserialize, Serialize};

use super::Result;

/// The sessions of users, and their tokens.
#[async_trait]
pub trait SessionStore: Send + Sync + 'static {
    /// Stores a session if the user's password hash is still `verified`, and deletes the least
    /// recently used sessions beyond `keep`. Returns the deleted sessions; `None`, with nothing
    /// stored, if the password changed or the account was deleted in the meantime.
    async fn create_session(
        &self,
        session: NewSession,
        verified: &str,
        keep: u32,
        now: Timestamp,
    ) -> Result<Option<Vec<SessionId>>>;

    /// The valid session with this current or previous token. The previous token is valid until the
    /// first use of the current token, and for a short time after that.
    async fn session(&self, token: &TokenHash, life: SessionLife) -> Result<Option<ValidSession>>;

    /// Replaces a session's token. Succeeds if `from` is the current token, or if `from` is the
    /// previous token and the current token was made before `lost_before` and never used. Returns
    /// whether the token was replaced. `from` stays valid until [`Self::end_old_token`].
    async fn rotate_session(
        &self,
        id: SessionId,
        from: &TokenHash,
        to: &TokenHash,
        now: Timestamp,
        lost_before: Timestamp,
    ) -> Result<bool>;

    /// Records the first use of the current token: the previous token expires at `until`.
    async fn end_old_token(
        &self,
        id: SessionId,
        present: &TokenHash,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<()>;

    /// Sets the last use of these sessions to `now`, except where the stored time is `noted_before`
    /// or later.
    async fn see_sessions(
        &self,
        ids: &[SessionId],
        now: Timestamp,
        noted_before: Timestamp,
    ) -> Result<()>;

    /// Deletes a session.
    async fn delete_session(&self, id: SessionId) -> Result<()>;

    /// Deletes a session of the caller's user. Returns whether such a session existed.
    async fn delete_session_of(&self, caller: Caller, id: SessionId) -> Result<bool>;

    /// Deletes all sessions of the caller's user except the caller's, and returns the deleted
    /// sessions.
    async fn delete_other_sessions(&self, caller: Caller) -> Result<Vec<SessionId>>;

    /// The user's valid sessions, most recently used first. None of them is marked as current.
    async fn sessions(&self, user: UserId, life: SessionLife) -> Result<Vec<SessionInfo>>;

    /// The valid sessions among `ids`.
    async fn good_sessions(&self, ids: &[SessionId], life: SessionLife) -> Result<Vec<SessionId>>;

    /// Deletes expired sessions.
    async fn forget_old_sessions(&self, life: SessionLife) -> Result<()>;
}

/// The user for whom a call or a frame writes, and the session that permits the write. The store
/// refuses a write whose session has ended or belongs to another user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The user.
    pub user: UserId,
    /// The session.
    pub session: SessionId,
}

/// The SHA-256 of a secret token.
pub type TokenHash = [u8; 32];

/// A new session.
pub struct NewSession {
    /// The session's id.
    pub id: SessionId,
    /// The user who signs in.
    pub user: UserId,
    /// The hash of the token in the browser's cookie.
    pub token_hash: TokenHash,
    /// A description of the browser or app, which the user sees in the list of sessions.
    pub device: String,
}

/// A valid session that was found by its token.
pub struct ValidSession {
    /// The session's id.
    pub id: SessionId,
    /// The user who is signed in.
    pub user: User,
    /// The time of the last use. Updated at intervals, not at every use.
    pub seen_at: Timestamp,
    /// The time at which the current token was made.
    pub rotated_at: Timestamp,
    /// The token that the client presented.
    pub token: TokenState,
}

/// The role of a presented token in its session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenState {
    /// The current token.
    Present,
    /// The current token at its first use; the previous token is still valid.
    NewUnused,
    /// The previous token, while the current token is unused.
    StillNeeded,
    /// The previous token, shortly after the first use of the current token.
    Replaced,
}

impl TokenState {
    /// Derives the state from a row: whether the presented token is the current one, whether a
    /// previous token exists, and whether that token has an end.
    pub(super) fn of(present: bool, has_previous: bool, ends: bool) -> Self {
        match (present, has_previous && !ends) {
            (true, false) => Self::Present,
            (true, true) => Self::NewUnused,
            (false, true) => Self::StillNeeded,
            (false, false) => Self::Replaced,
        }
    }
}

/// The times at or before which a session was created or last used that is too old to write. The
/// default permits every session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OldestSession {
    /// Sessions created at or before this time store nothing.
    pub created: Timestamp,
    /// Sessions last used at or before this time store nothing.
    pub seen: Timestamp,
}

impl Default for OldestSession {
    fn default() -> Self {
        Self { created: Timestamp(i64::MIN), seen: Timestamp(i64::MIN) }
    }
}

impl OldestSession {
    /// Permits only what both permit.
    pub(crate) fn and(self, other: Self) -> Self {
        Self { created: self.created.max(other.created), seen: self.seen.max(other.seen) }
    }
}

/// The limits that make a session valid or expired.
#[derive(Clone, Copy)]
pub struct SessionLife {
    /// The current time.
    pub now: Timestamp,
    /// Sessions created at or before this time are expired.
    pub oldest_created: Timestamp,
    /// Sessions last used at or before this time are expired.
    pub oldest_seen: Timestamp,
}
