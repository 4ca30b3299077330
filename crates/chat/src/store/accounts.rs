//! The part of the store for accounts: its trait, parameters and results. Called by
//! [`crate::accounts`] and [`crate::deletion`].

use std::time::Duration;

use async_trait::async_trait;
use protocol::{SessionId, Timestamp, User};

use super::{Caller, NewIdentity, NewPasskey, NewSession, Opened, Result, TokenHash};

/// How long nobody can take the username of a deleted account, or one that looks like it: peers may
/// still trust the name.
pub(super) const RESERVED_FOR: Duration = Duration::from_secs(90 * 24 * 60 * 60);

/// The accounts.
#[async_trait]
pub trait AccountStore: Send + Sync + 'static {
    /// Stores an account and its first session, and uses up the invitation, all in one transaction.
    /// A username that is taken, reserved, or looks like a taken or reserved one is refused.
    async fn create_user(
        &self,
        user: NewUser,
        session: NewSession,
        invitation: Option<TokenHash>,
        now: Timestamp,
    ) -> Result<AccountOutcome>;

    /// Deletes an account if its password hash is still `verified`, together with the conversations
    /// whose peer has no account either. The username stays reserved for 90 days. Returns
    /// the sessions that ended; `None` if the password changed or the account was deleted in the
    /// meantime.
    async fn delete_account(
        &self,
        user: Caller,
        verified: &str,
        now: Timestamp,
    ) -> Result<Option<Vec<SessionId>>>;

    /// Whether [`Self::create_user`] would accept this username and its folded form now.
    async fn is_username_free(&self, username: &str, key: &str, now: Timestamp) -> Result<bool>;

    /// Forgets the usernames whose reservation has ended.
    async fn forget_reservations(&self, now: Timestamp) -> Result<()>;

    /// The user with this folded username, and the user's password hash, which is empty for an account
    /// without a password.
    async fn credentials(&self, username_key: &str) -> Result<Option<(User, String)>>;
}

/// A new account. The keys are the folded forms of the names, used for comparison.
pub struct NewUser {
    /// The user as clients see it.
    pub user: User,
    /// The folded username, which is unique.
    pub username_key: String,
    /// The folded display name, used for sorting.
    pub display_key: String,
    /// The password hash as a PHC string; empty for an account without a password.
    pub password_hash: String,
    /// The first passkey of an account without a password.
    pub passkey: Option<NewPasskey>,
    /// The first identity of an account without a password.
    pub identity: Option<NewIdentity>,
}

/// The result of [`AccountStore::create_user`].
pub enum AccountOutcome {
    /// The account is stored. Contains the conversation that the invitation opened.
    Made(Option<Opened>),
    /// The username is taken or reserved, or looks like such a one; nothing is stored.
    NameTaken,
    /// The authenticator's id of the passkey is taken; nothing is stored.
    PasskeyTaken,
    /// A user has the identity; nothing is stored.
    IdentityTaken,
    /// The invitation is not valid; nothing is stored.
    InvitationInvalid,
}
