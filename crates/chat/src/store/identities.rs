//! The part of the store for identities: its trait and types. Called by [`crate::accounts`] alone.

use async_trait::async_trait;
use protocol::{IdentityId, IdentityInfo, Timestamp, User, UserId};

use super::{Caller, Result};

/// An identity to store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewIdentity {
    /// The identity's id.
    pub id: IdentityId,
    /// The provider.
    pub issuer: String,
    /// The provider's id of the account there. Unique together with the issuer.
    pub subject: String,
    /// The username at the provider.
    pub name: String,
}

/// The result of [`IdentityStore::add_identity`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IdentityAdded {
    /// The identity is stored.
    Added,
    /// A user has this identity; nothing is stored.
    Taken,
    /// The user has the maximum number; nothing is stored.
    TooMany,
}

/// The result of [`IdentityStore::remove_identity`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IdentityRemoved {
    /// The identity is deleted.
    Removed,
    /// The user has no such identity.
    NotFound,
    /// The user has no password, no passkey and no other identity that signs in; nothing is deleted.
    Last,
}

/// The identities of users.
#[async_trait]
pub trait IdentityStore: Send + Sync + 'static {
    /// The user's identities at a provider, the oldest first.
    async fn identities(&self, user: UserId, issuer: &str) -> Result<Vec<IdentityInfo>>;

    /// The identity with this subject, and its user.
    async fn identity(&self, issuer: &str, subject: &str) -> Result<Option<(IdentityId, User)>>;

    /// Stores an identity of the caller, who has fewer than `most` at its issuer.
    async fn add_identity(
        &self,
        user: Caller,
        new: NewIdentity,
        most: u32,
        now: Timestamp,
    ) -> Result<IdentityAdded>;

    /// Records the use of an identity. False if it was removed in the meantime.
    async fn use_identity(&self, id: IdentityId, now: Timestamp) -> Result<bool>;

    /// Deletes an identity of the caller, unless it is the only way to sign in. Of identities, only
    /// those of `issuer`, the operator's present provider, count as a way to sign in.
    async fn remove_identity(
        &self,
        user: Caller,
        id: IdentityId,
        issuer: &str,
    ) -> Result<IdentityRemoved>;
}
