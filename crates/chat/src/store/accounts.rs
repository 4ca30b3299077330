//! The part of the store for accounts: its trait, parameters and results.

use async_trait::async_trait;
use protocol::{SessionId, Timestamp, User, UserId};

use super::{NewSession, Opened, Result, TokenHash};

/// The accounts.
#[async_trait]
pub trait AccountStore: Send + Sync + 'static {
    /// Stores an account and its first session, and uses up the invitation, all in one transaction.
    async fn create_user(
        &self,
        user: NewUser,
        session: NewSession,
        invitation: Option<TokenHash>,
        now: Timestamp,
    ) -> Result<AccountOutcome>;

    /// Deletes an account if its password hash is still `verified`, together with the conversations
    /// whose peer has no account either. Returns the sessions that ended; `None` if the password
    /// changed or the account was deleted in the meantime.
    async fn delete_account(
        &self,
        user: UserId,
        verified: &str,
        now: Timestamp,
    ) -> Result<Option<Vec<SessionId>>>;

    /// The user with this folded username, and the user's password hash.
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
    /// The password hash as a PHC string.
    pub password_hash: String,
}

/// The result of [`AccountStore::create_user`].
pub enum AccountOutcome {
    /// The account is stored. Contains the conversation that the invitation opened.
    Made(Option<Opened>),
    /// The username is taken; nothing is stored.
    NameTaken,
    /// The invitation is not valid; nothing is stored.
    InvitationInvalid,
}
