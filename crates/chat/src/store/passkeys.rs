//! The part of the store for passkeys and used ceremonies: its trait and types. Called by
//! [`crate::accounts`] alone.

use async_trait::async_trait;
use protocol::{PasskeyId, PasskeyInfo, Timestamp, User, UserId};

use super::{Caller, Result};

/// The SHA-256 hash of a ceremony.
pub type CeremonyHash = [u8; 32];

/// A passkey to store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewPasskey {
    /// The passkey's id.
    pub id: PasskeyId,
    /// The authenticator's id of the passkey, which is unique.
    pub credential_id: Vec<u8>,
    /// The public key and its signature counter. The store compares this text and never reads it.
    pub credential: String,
    /// The user's name for the passkey.
    pub name: String,
}

/// A passkey in the list of its user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnPasskey {
    /// What the user sees.
    pub info: PasskeyInfo,
    /// The authenticator's id of the passkey.
    pub credential_id: Vec<u8>,
}

/// A passkey that was found by the authenticator's id, with its user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundPasskey {
    /// The passkey's id.
    pub id: PasskeyId,
    /// The user of the passkey.
    pub user: User,
    /// The public key and its signature counter.
    pub credential: String,
}

/// The result of [`PasskeyStore::add_passkey`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PasskeyAdded {
    /// The passkey is stored.
    Added,
    /// A passkey of any user has this id; nothing is stored.
    Taken,
    /// The user has the maximum number; nothing is stored.
    TooMany,
}

/// The result of [`PasskeyStore::remove_passkey`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PasskeyRemoved {
    /// The passkey is deleted.
    Removed,
    /// The user has no such passkey.
    NotFound,
    /// The user has no other way to sign in; nothing is deleted.
    Last,
}

/// The passkeys of users, and the ceremonies that were used.
#[async_trait]
pub trait PasskeyStore: Send + Sync + 'static {
    /// The user's passkeys, the oldest first.
    async fn passkeys(&self, user: UserId) -> Result<Vec<OwnPasskey>>;

    /// The passkey with this authenticator's id.
    async fn passkey(&self, credential_id: &[u8]) -> Result<Option<FoundPasskey>>;

    /// Stores a passkey of the caller, who has fewer than `most`.
    async fn add_passkey(
        &self,
        user: Caller,
        new: NewPasskey,
        most: u32,
        now: Timestamp,
    ) -> Result<PasskeyAdded>;

    /// Records the use of a passkey: replaces its credential, in one statement, if that is still
    /// `from`. False if the passkey was removed or used in the meantime with another counter.
    async fn use_passkey(
        &self,
        id: PasskeyId,
        from: &str,
        to: &str,
        now: Timestamp,
    ) -> Result<bool>;

    /// Renames a passkey. False if the caller has no such passkey.
    async fn rename_passkey(&self, user: Caller, id: PasskeyId, name: &str) -> Result<bool>;

    /// Deletes a passkey of the caller, unless it is the only way to sign in. Of identities, only those
    /// of `issuer`, the operator's present provider, count as a way to sign in.
    async fn remove_passkey(
        &self,
        user: Caller,
        id: PasskeyId,
        issuer: Option<&str>,
    ) -> Result<PasskeyRemoved>;

    /// Records that a ceremony was used. False if it was used before.
    async fn use_ceremony(&self, hash: &CeremonyHash, expires_at: Timestamp) -> Result<bool>;

    /// Whether a ceremony was used.
    async fn is_ceremony_used(&self, hash: &CeremonyHash) -> Result<bool>;

    /// Forgets the used ceremonies that have expired.
    async fn forget_ceremonies(&self, now: Timestamp) -> Result<()>;
}
