//! Durable storage: the trait [`Store`] below [`crate::Chat`], and its types.
//!
//! Two engines implement the trait: [`sqlite`] is embedded, and [`postgres`] is shared by several
//! nodes. [`transfer`] moves a store from SQLite to Postgres. All SQL is below this module. `marks`
//! and `window` hold the rules that both engines share. Engines do not check names, limits or
//! rates. Engines check membership inside the statement or transaction that does the work, and
//! assign a message's `seq` inside the transaction that stores it.

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
use protocol::limits::MOST_FOUND;
use protocol::{
    ConversationId, Cursor, Epoch, InvitationInfo, ListCursor, Privacy, SessionId, SessionInfo,
    Settings, TickTimes, Timestamp, Unread, User, UserId,
};

pub use accounts::{
    Acceptance, AccountOutcome, Counted, Found, InvitationRow, NewInvitation, NewSession, NewUser,
    Opened, Seen, SessionLife, SessionRow, TokenHash, TokenState,
};
pub use messages::{Batch, Committed, History, MarkOutcome, NewMarks, NewMessage, SendOutcome};
pub use shared::{Allowance, AskedBy, Instance, NodeId, NodeKey, NodesSecret, Renewed, Shared};

/// A failure of the store, for the log only: the text must not reach a client. After a failed
/// [`Store::commit`] the batch may be stored, because the connection can break after the database
/// has committed.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A pooled connection returned an error.
    #[error(transparent)]
    Database(#[from] sqlx::Error),
    /// SQLite's commit connection returned an error.
    #[error(transparent)]
    Commit(#[from] rusqlite::Error),
    /// The store is closed.
    #[error("the store is closed")]
    Closed,
    /// The database server did not answer in time.
    #[error("the database did not answer in time")]
    Silent,
    /// A node in [`Batch::asked_by`] has no lease in this database. Nothing was stored.
    #[error("a node that does not stand on this database asked for a commit")]
    Elsewhere,
}

impl StoreError {
    /// The engine's error code, or a short name for errors without a code. Distinguishes kinds of
    /// failure.
    pub(crate) fn code(&self) -> String {
        match self {
            Self::Database(sqlx::Error::Database(said)) => {
                said.code().map_or_else(|| "database".to_owned(), Into::into)
            }
            Self::Database(sqlx::Error::PoolTimedOut) => "no connection".to_owned(),
            Self::Database(sqlx::Error::Io(why)) => why.kind().to_string(),
            Self::Database(_) => "database".to_owned(),
            Self::Commit(why) => match why.sqlite_error() {
                Some(said) => said.extended_code.to_string(),
                None => "commit".to_owned(),
            },
            Self::Closed => "closed".to_owned(),
            Self::Silent => "silent".to_owned(),
            Self::Elsewhere => "elsewhere".to_owned(),
        }
    }

    /// Whether the error reports corrupt data.
    pub(crate) fn is_damage(&self) -> bool {
        let code = self.code();
        code.parse().is_ok_and(|code: i32| matches!(code & 0xff, 11 | 26))
            || matches!(code.as_str(), "XX001" | "XX002")
    }
}

/// The result of every call of the store.
pub type Result<T> = std::result::Result<T, StoreError>;

/// Upper bound of index entries that a search with several words visits: the user's own
/// conversations, and the names with the rarest word.
const VISITED: usize = 5_000;
/// The bound for a single word, where every entry visited is a match. Larger than [`MOST_FOUND`],
/// because several words of one user may share a prefix.
const VISITED_OF_ONE: usize = 4 * MOST_FOUND;

/// How many entries of the word index a search for these words visits.
fn visited(words: &[String]) -> usize {
    if words.len() > 1 { VISITED } else { VISITED_OF_ONE }
}

/// A durable store of accounts, sessions, conversations and messages.
#[async_trait]
pub trait Store: Send + Sync + 'static {
    /// The store's epoch. Clients that have cached another epoch resync.
    fn epoch(&self) -> Epoch;

    /// Writes and commits a dummy value, to prove that writes work.
    async fn check_writable(&self) -> Result<()>;

    /// Runs a small query, to prove that reads work.
    async fn check_readable(&self) -> Result<()>;

    /// Waits for calls in progress, then closes the files or connections.
    async fn close(&self);

    /// Returns the name of an essential thread of the store after that thread has ended by itself.
    /// Never returns for a store without such a thread.
    async fn failed(&self) -> &'static str {
        std::future::pending().await
    }

    /// The state that nodes share through this store; `None` for an engine that serves one process.
    fn shared(&self) -> Option<&dyn Shared> {
        None
    }

    /// Stores a first invitation, which has no inviter, and keeps only the newest `most` of them.
    /// Returns false and stores nothing if any account exists or ever existed.
    async fn offer_first_invitation(
        &self,
        token: &TokenHash,
        most: u32,
        now: Timestamp,
    ) -> Result<bool>;

    /// Whether the token is a first invitation and no account exists yet.
    async fn is_first_invitation(&self, token: &TokenHash) -> Result<bool>;

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

    /// Stores an invitation. Returns false and stores nothing if the inviter already has
    /// `most_open` open invitations.
    async fn create_invitation(
        &self,
        new: NewInvitation,
        most_open: u32,
        now: Timestamp,
    ) -> Result<bool>;

    /// The inviter's open invitations, newest first.
    async fn waiting_invitations(
        &self,
        inviter: UserId,
        now: Timestamp,
    ) -> Result<Vec<InvitationRow>>;

    /// Deletes an unused invitation of this inviter. Returns whether such an invitation existed.
    async fn withdraw_invitation(&self, inviter: UserId, token: &TokenHash) -> Result<bool>;

    /// The valid invitation with this token.
    async fn invitation(&self, token: &TokenHash, now: Timestamp)
    -> Result<Option<InvitationInfo>>;

    /// Uses up an invitation and opens the conversation, which both users then see in their lists.
    async fn accept_invitation(
        &self,
        token: &TokenHash,
        me: UserId,
        now: Timestamp,
    ) -> Result<Acceptance>;

    /// The user with this folded username, and the user's password hash.
    async fn credentials(&self, username_key: &str) -> Result<Option<(User, String)>>;

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
    async fn session(&self, token: &TokenHash, life: SessionLife) -> Result<Option<SessionRow>>;

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

    /// Deletes a session of this user. Returns whether such a session existed.
    async fn delete_session_of(&self, user: UserId, id: SessionId) -> Result<bool>;

    /// Deletes all sessions of a user except `keep`, and returns the deleted sessions.
    async fn delete_other_sessions(&self, user: UserId, keep: SessionId) -> Result<Vec<SessionId>>;

    /// The user's valid sessions, most recently used first. None of them is marked as current.
    async fn sessions(&self, user: UserId, life: SessionLife) -> Result<Vec<SessionInfo>>;

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

    /// The valid sessions among `ids`.
    async fn good_sessions(&self, ids: &[SessionId], life: SessionLife) -> Result<Vec<SessionId>>;

    /// Deletes expired sessions.
    async fn forget_old_sessions(&self, life: SessionLife) -> Result<()>;

    /// The listed conversations of `me` whose peer's names contain all of these words, most
    /// recently active first.
    async fn peers_by_words(
        &self,
        me: UserId,
        words: &[String],
        limit: usize,
    ) -> Result<Counted<(ConversationId, Found)>>;

    /// Users whose names contain all of these words, except `me` and the peers that
    /// [`Self::peers_by_words`] finds. The user with exactly this folded username comes first, then
    /// all others by name. The caller puts the rarest word first.
    async fn others_by_words(
        &self,
        me: UserId,
        words: &[String],
        username_key: &str,
        limit: usize,
    ) -> Result<Counted<Found>>;

    /// The user with exactly this folded username, unless the user is `me`.
    async fn person_by_username(&self, me: UserId, username_key: &str) -> Result<Option<Found>>;

    /// The peers of `me`'s listed conversations, most recently active first.
    async fn recent_peers(&self, me: UserId, limit: usize) -> Result<Vec<Found>>;

    /// All users who share a conversation with `me`, even an empty one, most recently active first.
    async fn peers(&self, me: UserId, limit: usize) -> Result<Vec<UserId>>;

    /// Those of [`Self::peers`] who may see the presence of `me`.
    async fn presence_peers(&self, me: UserId, limit: usize) -> Result<Vec<UserId>>;

    /// The first `limit` users by display name, except `me`.
    async fn directory(&self, me: UserId, limit: usize) -> Result<Vec<Found>>;

    /// The conversation of two users, created if necessary, and listed for `me` from now on. `None`
    /// if the peer does not exist.
    async fn open_conversation(
        &self,
        me: UserId,
        peer: UserId,
        now: Timestamp,
    ) -> Result<Option<ConversationId>>;

    /// A conversation as `me` may see it.
    async fn conversation(&self, me: UserId, id: ConversationId) -> Result<Option<Seen>>;

    /// At most `limit` conversations as `me` may see them, most recently active first.
    async fn conversations(
        &self,
        me: UserId,
        after: Option<ListCursor>,
        limit: usize,
    ) -> Result<Vec<Seen>>;

    /// The unread counts of the conversations after `cursor` in the list, most recently active
    /// first. Visits at most `limit` conversations and returns those with unread messages.
    async fn unread_behind(
        &self,
        me: UserId,
        cursor: ListCursor,
        limit: usize,
    ) -> Result<Vec<Unread>>;

    /// The peer's marks in a conversation of `me` and their times, as far as `me` may see them.
    async fn tick_times(&self, me: UserId, id: ConversationId) -> Result<Option<TickTimes>>;

    /// The peer in a conversation of `me`.
    async fn peer(&self, me: UserId, id: ConversationId) -> Result<Option<UserId>>;

    /// A page of a conversation of `me`, at most `limit` messages.
    async fn history(
        &self,
        me: UserId,
        id: ConversationId,
        cursor: Cursor,
        limit: usize,
    ) -> Result<History>;

    /// Stores a batch in one transaction and returns when the transaction is on disk.
    ///
    /// After an error the batch may or may not be stored. A retry is harmless. The engine has
    /// dropped its reference to the batch when the call returns.
    async fn commit(&self, batch: Arc<Batch>, now: Timestamp) -> Result<Committed>;
}
