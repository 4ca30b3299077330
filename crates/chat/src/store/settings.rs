//! The part of the store for settings and passwords: its trait.

use async_trait::async_trait;
use protocol::{Privacy, SessionId, Settings, User, UserId};

use super::Result;

/// The settings and passwords of users.
#[async_trait]
pub trait SettingsStore: Send + Sync + 'static {
    /// The user's settings; `None` if there is no such account.
    async fn settings(&self, user: UserId) -> Result<Option<Settings>>;

    /// The user's password hash; `None` if there is no such account.
    async fn password_hash(&self, user: UserId) -> Result<Option<String>>;

    /// Stores a new display name, its folded sort key, and its search words. Returns the changed
    /// user.
    async fn set_display_name(&self, user: UserId, name: &str, key: &str) -> Result<Option<User>>;

    /// Stores the user's privacy settings.
    async fn set_privacy(&self, user: UserId, privacy: Privacy) -> Result<()>;

    /// Replaces the password hash `verified` by `hash`, and deletes all sessions except `keep`.
    /// Returns the deleted sessions; `None` if the password changed in the meantime.
    async fn set_password(
        &self,
        user: UserId,
        verified: &str,
        hash: &str,
        keep: SessionId,
    ) -> Result<Option<Vec<SessionId>>>;

    /// Replaces the password hash `verified` by another hash of the same password. Changes nothing
    /// if the password changed in the meantime.
    async fn replace_password_hash(&self, user: UserId, verified: &str, hash: &str) -> Result<()>;
}
