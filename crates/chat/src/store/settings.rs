//! The part of the store for settings and passwords: its trait. Called by [`crate::settings`], and
//! by [`crate::accounts`] for password hashes.

use async_trait::async_trait;
use protocol::{Privacy, SessionId, Settings, Timestamp, User, UserId};

use super::{Caller, Result, TokenHash};

/// The settings and passwords of users.
#[async_trait]
pub trait SettingsStore: Send + Sync + 'static {
    /// The user's settings; `None` if there is no such account.
    async fn settings(&self, user: UserId) -> Result<Option<Settings>>;

    /// The user's password hash; `None` if there is no such account.
    async fn password_hash(&self, user: UserId) -> Result<Option<String>>;

    /// Stores a new display name, its folded sort key, and its search words. Returns the changed
    /// user.
    async fn set_display_name(&self, user: Caller, name: &str, key: &str) -> Result<Option<User>>;

    /// Stores the user's privacy settings.
    async fn set_privacy(&self, user: Caller, privacy: Privacy) -> Result<()>;

    /// Changes a password in one transaction: replaces the password hash and the token of the
    /// caller's session, deletes all other sessions of the user, and may withdraw the invitations.
    /// Returns the deleted sessions; `None` if the password changed in the meantime.
    async fn set_password(
        &self,
        user: Caller,
        new: ChangedPassword<'_>,
        now: Timestamp,
    ) -> Result<Option<Vec<SessionId>>>;

    /// Replaces the password hash `verified` by another hash of the same password. Changes nothing
    /// if the password changed in the meantime.
    async fn replace_password_hash(&self, user: UserId, verified: &str, hash: &str) -> Result<()>;
}

/// A change of a password.
#[derive(Clone, Copy)]
pub struct ChangedPassword<'a> {
    /// The hash that the present password matched.
    pub verified: &'a str,
    /// The hash of the new password.
    pub hash: &'a str,
    /// The new token of the caller's session. Both earlier tokens end at once.
    pub token_hash: &'a TokenHash,
    /// Whether the user's open invitations are withdrawn as well.
    pub withdraws_invitations: bool,
}
