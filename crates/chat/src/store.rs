//! What is durable: the one trait below [`crate::Chat`], and the types it speaks.
//!
//! A trait because there are two engines: [`sqlite`], embedded, and [`postgres`], which several
//! nodes share; [`transfer`] moves a store from the one to the other. SQL lives below this module and nowhere else; `marks` and `window` are what both
//! decide alike. Implementations decide nothing about names, limits or rates; they do decide
//! membership, inside the statement or transaction that does the work, and they take the numbers of
//! a conversation inside the transaction that stores the change.

mod accounts;
#[cfg(test)]
mod exercise;
mod marks;
mod messages;
pub mod postgres;
mod shared;
pub mod sqlite;
pub mod transfer;
mod window;

use std::sync::Arc;

use async_trait::async_trait;
use protocol::{
    ConversationId, Cursor, Epoch, InvitationInfo, ListCursor, Privacy, SessionId, SessionInfo,
    Settings, TickTimes, Timestamp, User, UserId,
};

pub use accounts::{
    Acceptance, AccountOutcome, Found, NewInvitation, NewSession, NewUser, Opened, Seen,
    SessionLife, SessionRow, TokenHash,
};
pub use messages::{Batch, Committed, History, MarkOutcome, NewMarks, NewMessage, SendOutcome};
pub use shared::{Allowance, NodeId, NodesSecret, Renewed, Shared};

/// The store could not do it; nothing was changed. Only for the log, never for a stranger.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A connection of the pools said so.
    #[error(transparent)]
    Database(#[from] sqlx::Error),
    /// The connection that commits said so.
    #[error(transparent)]
    Commit(#[from] rusqlite::Error),
    /// It was closed.
    #[error("the store is closed")]
    Closed,
    /// A server that is elsewhere was not heard from.
    #[error("the database did not answer in time")]
    Silent,
}

/// The answer of every call.
pub type Result<T> = std::result::Result<T, StoreError>;

/// A durable store of accounts, sessions, conversations and messages.
#[async_trait]
pub trait Store: Send + Sync + 'static {
    /// The life of this store.
    fn epoch(&self) -> Epoch;

    /// Writes and commits something of no meaning, to know whether it can.
    async fn check_writable(&self) -> Result<()>;

    /// Finishes what is under way and lets go of the files or connections.
    async fn close(&self);

    /// What nodes keep in this store about each other; nothing where one process has it to itself.
    fn shared(&self) -> Option<&dyn Shared> {
        None
    }

    /// Stores an account and its first session, and uses up the invitation it came with.
    async fn create_user(
        &self,
        user: NewUser,
        session: NewSession,
        invitation: Option<TokenHash>,
        now: Timestamp,
    ) -> Result<AccountOutcome>;

    /// Deletes the account of whoever still has the password that was verified, and the
    /// conversations whose other one has none either. Returns the sessions that ended; `None` if
    /// the password was changed or the account deleted meanwhile.
    async fn delete_account(
        &self,
        user: UserId,
        verified: &str,
        now: Timestamp,
    ) -> Result<Option<Vec<SessionId>>>;

    /// Stores an invitation; not, and false, if that many of the person's wait already.
    async fn create_invitation(
        &self,
        new: NewInvitation,
        most_open: u32,
        now: Timestamp,
    ) -> Result<bool>;

    /// The good invitation of this token.
    async fn invitation(&self, token: &TokenHash, now: Timestamp)
    -> Result<Option<InvitationInfo>>;

    /// Uses an invitation up and opens the conversation, listed for both.
    async fn accept_invitation(
        &self,
        token: &TokenHash,
        me: UserId,
        now: Timestamp,
    ) -> Result<Acceptance>;

    /// The user of this key and the hash of their password.
    async fn credentials(&self, username_key: &str) -> Result<Option<(User, String)>>;

    /// Stores a session of whoever still has the password that was verified, and removes their
    /// least recently used ones beyond `keep`. Returns those removed; `None`, and nothing stored,
    /// if the password was changed or the account deleted meanwhile.
    async fn create_session(
        &self,
        session: NewSession,
        verified: &str,
        keep: u32,
        now: Timestamp,
    ) -> Result<Option<Vec<SessionId>>>;

    /// The good session with this present or, for a moment after a rotation, previous token.
    async fn session(&self, token: &TokenHash, life: SessionLife) -> Result<Option<SessionRow>>;

    /// Replaces a session's token, if `from` is still the present one; says whether it was.
    async fn rotate_session(
        &self,
        id: SessionId,
        from: &TokenHash,
        to: &TokenHash,
        now: Timestamp,
        previous_until: Timestamp,
    ) -> Result<bool>;

    /// Ends a session.
    async fn delete_session(&self, id: SessionId) -> Result<()>;

    /// Ends a session of this person; says whether there was one.
    async fn delete_session_of(&self, user: UserId, id: SessionId) -> Result<bool>;

    /// Ends all sessions of a person but one, and returns them.
    async fn delete_other_sessions(&self, user: UserId, keep: SessionId) -> Result<Vec<SessionId>>;

    /// The good sessions of a person, the last used first. None is marked as the current one.
    async fn sessions(&self, user: UserId, life: SessionLife) -> Result<Vec<SessionInfo>>;

    /// A person's own settings.
    async fn settings(&self, user: UserId) -> Result<Option<Settings>>;

    /// The hash of a person's password.
    async fn password_hash(&self, user: UserId) -> Result<Option<String>>;

    /// Stores another display name and the folded form it is found by.
    async fn set_display_name(&self, user: UserId, name: &str, key: &str) -> Result<Option<User>>;

    /// Stores what a person shows of themselves.
    async fn set_privacy(&self, user: UserId, privacy: Privacy) -> Result<()>;

    /// Stores another password in place of the one that was verified, and ends all sessions but
    /// one. Returns those; `None` if the password was changed meanwhile.
    async fn set_password(
        &self,
        user: UserId,
        verified: &str,
        hash: &str,
        keep: SessionId,
    ) -> Result<Option<Vec<SessionId>>>;

    /// Those of these sessions that are good.
    async fn good_sessions(&self, ids: &[SessionId], life: SessionLife) -> Result<Vec<SessionId>>;

    /// Removes sessions that are over.
    async fn forget_old_sessions(&self, life: SessionLife) -> Result<()>;

    /// People whose username or display name starts with `prefix` (folded), without `me`.
    async fn people_by_prefix(&self, me: UserId, prefix: &str, limit: usize) -> Result<Vec<Found>>;

    /// The person of exactly this username (folded), unless it is `me`.
    async fn person_by_username(&self, me: UserId, username_key: &str) -> Result<Option<Found>>;

    /// Those `me` has talked to, latest first.
    async fn recent_peers(&self, me: UserId, limit: usize) -> Result<Vec<Found>>;

    /// All that share a conversation with `me`, even one in which nothing was said yet, those last
    /// active first.
    async fn peers(&self, me: UserId, limit: usize) -> Result<Vec<UserId>>;

    /// Those of [`Self::peers`] who may see whether `me` is there.
    async fn presence_peers(&self, me: UserId, limit: usize) -> Result<Vec<UserId>>;

    /// Everybody but `me`, by name, the first `limit`.
    async fn directory(&self, me: UserId, limit: usize) -> Result<Vec<Found>>;

    /// The conversation of two people, made if there was none, and listed for `me` from now on.
    /// `None` if there is no such peer.
    async fn open_conversation(
        &self,
        me: UserId,
        peer: UserId,
        now: Timestamp,
    ) -> Result<Option<ConversationId>>;

    /// A conversation as `me` sees it.
    async fn conversation(&self, me: UserId, id: ConversationId) -> Result<Option<Seen>>;

    /// Conversations as `me` sees them, the most recently active first, at most `limit`.
    async fn conversations(
        &self,
        me: UserId,
        after: Option<ListCursor>,
        limit: usize,
    ) -> Result<Vec<Seen>>;

    /// How far the peer has come in a conversation of mine, and when, as I may see it.
    async fn tick_times(&self, me: UserId, id: ConversationId) -> Result<Option<TickTimes>>;

    /// The other one of a conversation of mine.
    async fn peer(&self, me: UserId, id: ConversationId) -> Result<Option<UserId>>;

    /// A page of a conversation of mine, at most `limit` messages.
    async fn history(
        &self,
        me: UserId,
        id: ConversationId,
        cursor: Cursor,
        limit: usize,
    ) -> Result<History>;

    /// Stores a batch in one transaction and returns when it is on disk. An error means that
    /// nothing of it is promised; repeating it is harmless. The batch is let go of before that.
    async fn commit(&self, batch: Arc<Batch>, now: Timestamp) -> Result<Committed>;
}
