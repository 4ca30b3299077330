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
    /// See [`Batch::asked_by`]. Nothing was stored.
    #[error("a node that does not stand on this database asked for a commit")]
    Elsewhere,
}

impl StoreError {
    /// What tells one kind of failure from another: the engine's own code, where it gave one.
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

    /// Whether what is stored is not what was written.
    pub(crate) fn is_damage(&self) -> bool {
        let code = self.code();
        // SQLITE_CORRUPT and SQLITE_NOTADB; Postgres' data_corrupted and index_corrupted.
        code.parse().is_ok_and(|code: i32| matches!(code & 0xff, 11 | 26))
            || matches!(code.as_str(), "XX001" | "XX002")
    }
}

/// The answer of every call.
pub type Result<T> = std::result::Result<T, StoreError>;

/// How much of an index a search visits: as many of one's conversations, and as many names that have
/// the rarest of several words.
const VISITED: usize = 5_000;
/// The same where all is found that is visited: more than is counted, because one person may have
/// several words that begin alike.
const VISITED_OF_ONE: usize = 4 * MOST_FOUND;

/// How much of the index of words a search of these words visits.
fn visited(words: &[String]) -> usize {
    if words.len() > 1 { VISITED } else { VISITED_OF_ONE }
}

/// A durable store of accounts, sessions, conversations and messages.
#[async_trait]
pub trait Store: Send + Sync + 'static {
    /// The life of this store.
    fn epoch(&self) -> Epoch;

    /// Writes and commits something of no meaning, to know whether it can.
    async fn check_writable(&self) -> Result<()>;

    /// Reads something, to know whether it can.
    async fn check_readable(&self) -> Result<()>;

    /// Finishes what is under way and lets go of the files or connections.
    async fn close(&self);

    /// Returns when a thread of the store that everything needs has ended by itself, and says what
    /// it is called. A store without such a thread never returns.
    async fn failed(&self) -> &'static str {
        std::future::pending().await
    }

    /// What nodes keep in this store about each other; nothing where one process has it to itself.
    fn shared(&self) -> Option<&dyn Shared> {
        None
    }

    /// Keeps a first invitation, which nobody made, beside earlier ones, of which the newest `most`
    /// stay. Not, and false, once there has been an account.
    async fn offer_first_invitation(
        &self,
        token: &TokenHash,
        most: u32,
        now: Timestamp,
    ) -> Result<bool>;

    /// Whether this is a first invitation, and nobody has used one.
    async fn is_first_invitation(&self, token: &TokenHash) -> Result<bool>;

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

    /// The invitations of a person that wait to be used, the newest first.
    async fn waiting_invitations(
        &self,
        inviter: UserId,
        now: Timestamp,
    ) -> Result<Vec<InvitationRow>>;

    /// Removes an invitation of a person that nobody has used; says whether there was one.
    async fn withdraw_invitation(&self, inviter: UserId, token: &TokenHash) -> Result<bool>;

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

    /// The good session with this present or previous token. The previous one is valid until the
    /// present one was used, and for a moment after that.
    async fn session(&self, token: &TokenHash, life: SessionLife) -> Result<Option<SessionRow>>;

    /// Replaces a session's token, if `from` is still the present one, or the one before a present
    /// one that was made before `lost_before` and never used; says whether it was. `from` stays
    /// valid until [`Self::end_old_token`].
    async fn rotate_session(
        &self,
        id: SessionId,
        from: &TokenHash,
        to: &TokenHash,
        now: Timestamp,
        lost_before: Timestamp,
    ) -> Result<bool>;

    /// The present token was used for the first time: the one before is valid until `until`.
    async fn end_old_token(
        &self,
        id: SessionId,
        present: &TokenHash,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<()>;

    /// Notes that these sessions are in use, for those of which that was noted before `noted_before`.
    async fn see_sessions(
        &self,
        ids: &[SessionId],
        now: Timestamp,
        noted_before: Timestamp,
    ) -> Result<()>;

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

    /// Stores another display name, the folded form it is ordered by, and the words it is found by.
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

    /// Stores another hash of the same password in place of the one that was verified. Nothing
    /// changes if the password was changed meanwhile.
    async fn replace_password_hash(&self, user: UserId, verified: &str, hash: &str) -> Result<()>;

    /// Those of these sessions that are good.
    async fn good_sessions(&self, ids: &[SessionId], life: SessionLife) -> Result<Vec<SessionId>>;

    /// Removes sessions that are over.
    async fn forget_old_sessions(&self, life: SessionLife) -> Result<()>;

    /// My listed conversations whose peer has all of these words in a name, the last active first.
    async fn peers_by_words(
        &self,
        me: UserId,
        words: &[String],
        limit: usize,
    ) -> Result<Counted<(ConversationId, Found)>>;

    /// Others who have all of these words in a name, without `me` and [`Self::peers_by_words`]. The
    /// one of this username (folded) comes first, then they come by their names. The rarest of the
    /// words should be the first.
    async fn others_by_words(
        &self,
        me: UserId,
        words: &[String],
        username_key: &str,
        limit: usize,
    ) -> Result<Counted<Found>>;

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

    /// Which of the conversations behind a place in the list have something unread for `me`, the
    /// most recently active first; `limit` of them are looked at.
    async fn unread_behind(
        &self,
        me: UserId,
        cursor: ListCursor,
        limit: usize,
    ) -> Result<Vec<Unread>>;

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
