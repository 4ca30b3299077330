//! The part of the store for links that sign in another device: its trait, parameters and results.
//! Called by [`crate::accounts`] alone.

use async_trait::async_trait;
use protocol::{DeviceLinkState, SessionId, Timestamp, User};

use super::{Caller, NewSession, Result, SessionLife, TokenHash};

/// The links by which a signed-in device signs in another one: at most one for each user. A link is
/// valid once, until its time is over, and while the session that made it is valid.
#[async_trait]
pub trait DeviceLinkStore: Send + Sync + 'static {
    /// Stores a link in place of the user's earlier one. False, with nothing stored, if the password
    /// changed or the account was deleted in the meantime.
    async fn create_device_link(&self, new: NewDeviceLink<'_>) -> Result<bool>;

    /// The user whom the link would sign in; `None` if the link is not valid.
    async fn device_link(&self, token: &TokenHash, life: SessionLife) -> Result<Option<User>>;

    /// Uses up a link and stores the session of its user, in one transaction; deletes the least
    /// recently used sessions beyond `keep`, but never the one that made the link. `None`, with
    /// nothing stored, if the link is not valid or belongs to another user.
    async fn use_device_link(
        &self,
        token: &TokenHash,
        session: NewSession,
        keep: u32,
        life: SessionLife,
    ) -> Result<Option<UsedDeviceLink>>;

    /// What became of the link that the caller's session made.
    async fn device_link_state(
        &self,
        caller: Caller,
        token: &TokenHash,
        now: Timestamp,
    ) -> Result<DeviceLinkState>;

    /// Deletes the unused link that the caller's session made.
    async fn withdraw_device_link(&self, caller: Caller, token: &TokenHash) -> Result<()>;
}

/// A new link.
#[derive(Clone, Copy)]
pub struct NewDeviceLink<'a> {
    /// The user, and the session that makes the link.
    pub caller: Caller,
    /// The user's password hash at the time of the proof; empty for an account without a password.
    pub verified: &'a str,
    /// The hash of the token in the link.
    pub token_hash: &'a TokenHash,
    /// The time from which on the link is invalid.
    pub expires_at: Timestamp,
}

/// A link that was used up.
pub struct UsedDeviceLink {
    /// The user's password hash, to which the token of the device is bound.
    pub password_hash: String,
    /// The sessions that were deleted for the new one.
    pub removed: Vec<SessionId>,
}
