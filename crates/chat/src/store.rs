//! What is durable: the one trait below [`crate::Chat`], and the types it speaks.
//!
//! A trait because there are several engines; [`sqlite`] is the embedded one. SQL lives below this
//! module and nowhere else. Implementations decide nothing about names, limits or rates; they do
//! decide membership, inside the statement or transaction that does the work, and they take the
//! numbers of a conversation inside the transaction that stores the change.

pub mod sqlite;

use std::sync::Arc;

use async_trait::async_trait;
use protocol::{
    ClientId, Conversation, ConversationId, Cursor, Epoch, HistoryPage, ListCursor, Marks, Seq,
    SessionId, Timestamp, User, UserId,
};

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
}

/// The answer of every call.
pub type Result<T> = std::result::Result<T, StoreError>;

/// A SHA-256 of a session's token.
pub type TokenHash = [u8; 32];

/// A new account; the keys are the folded forms that names are compared by.
pub struct NewUser {
    /// Shown.
    pub user: User,
    /// Unique.
    pub username_key: String,
    /// Found by.
    pub display_key: String,
    /// A PHC string.
    pub password_hash: String,
}

/// A new sign-in.
pub struct NewSession {
    /// Which.
    pub id: SessionId,
    /// Whose.
    pub user: UserId,
    /// Of the token the browser was given.
    pub token_hash: TokenHash,
}

/// A session that was found by its token, and is still good.
pub struct SessionRow {
    /// Which.
    pub id: SessionId,
    /// Whose.
    pub user: User,
    /// When it was last used; updated now and then, not every time.
    pub seen_at: Timestamp,
    /// When its token was made.
    pub rotated_at: Timestamp,
    /// Whether the presented token is the present one, not the one before.
    pub current: bool,
}

/// Which sessions count as good.
#[derive(Clone, Copy)]
pub struct SessionLife {
    /// Now.
    pub now: Timestamp,
    /// Created before this: over.
    pub oldest_created: Timestamp,
    /// Unused since before this: over.
    pub oldest_seen: Timestamp,
}

/// A message to store. Its body was checked.
#[derive(Clone, Debug)]
pub struct NewMessage {
    /// Who.
    pub sender: UserId,
    /// Where; whether they may is decided by the store.
    pub conversation: ConversationId,
    /// Its id.
    pub client_id: ClientId,
    /// Its text.
    pub body: String,
}

/// What became of a [`NewMessage`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SendOutcome {
    /// Stored now.
    Stored {
        /// Its place.
        seq: Seq,
        /// When.
        sent_at: Timestamp,
        /// Whom to tell.
        peer: UserId,
    },
    /// Stored before, the same: the first answer again.
    Repeated {
        /// Its place.
        seq: Seq,
        /// When.
        sent_at: Timestamp,
    },
    /// Its id was used before for something else.
    Reused,
    /// No such conversation of this person's.
    NotFound,
}

/// Marks to move forward.
#[derive(Clone, Copy, Debug)]
pub struct NewMarks {
    /// Whose.
    pub user: UserId,
    /// Where.
    pub conversation: ConversationId,
    /// How far; what is behind the present marks changes nothing.
    pub marks: Marks,
}

/// What became of [`NewMarks`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MarkOutcome {
    /// Moved to this.
    Moved {
        /// Now.
        marks: Marks,
        /// Whom to tell.
        peer: UserId,
    },
    /// They were as far already.
    Unchanged,
    /// Below zero or beyond the last place.
    OutOfRange,
    /// No such conversation of this person's.
    NotFound,
}

/// All that is written in one transaction.
#[derive(Clone, Default)]
pub struct Batch {
    /// In the order they came. No two of them have the same sender and client id.
    pub messages: Vec<NewMessage>,
    /// In the order they came.
    pub marks: Vec<NewMarks>,
    /// People who were just there.
    pub seen_users: Vec<UserId>,
    /// Sessions that were just used.
    pub seen_sessions: Vec<SessionId>,
}

/// What became of a [`Batch`], each list in its order.
#[derive(Debug, Default)]
pub struct Committed {
    /// One for each message.
    pub messages: Vec<SendOutcome>,
    /// One for each of the marks.
    pub marks: Vec<MarkOutcome>,
}

/// A part of a conversation, or why not.
pub enum History {
    /// The page.
    Page(HistoryPage),
    /// The cursor is below zero or beyond the last place.
    OutOfRange,
    /// No such conversation of this person's.
    NotFound,
}

/// A durable store of accounts, sessions, conversations and messages.
#[async_trait]
pub trait Store: Send + Sync + 'static {
    /// The life of this store.
    fn epoch(&self) -> Epoch;

    /// Writes and commits something of no meaning, to know whether it can.
    async fn check_writable(&self) -> Result<()>;

    /// Finishes what is under way and lets go of the files or connections.
    async fn close(&self);

    /// Stores an account and its first session. False, and nothing stored, if the username is taken.
    async fn create_user(&self, user: NewUser, session: NewSession, now: Timestamp)
    -> Result<bool>;

    /// The user of this key and the hash of their password.
    async fn credentials(&self, username_key: &str) -> Result<Option<(User, String)>>;

    /// Stores a session and removes the person's least recently used ones beyond `keep`.
    /// Returns those removed.
    async fn create_session(
        &self,
        session: NewSession,
        keep: u32,
        now: Timestamp,
    ) -> Result<Vec<SessionId>>;

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

    /// Those of these sessions that are good.
    async fn good_sessions(&self, ids: &[SessionId], life: SessionLife) -> Result<Vec<SessionId>>;

    /// Removes sessions that are over.
    async fn forget_old_sessions(&self, life: SessionLife) -> Result<()>;

    /// People whose username or display name starts with `prefix` (folded), without `me`.
    async fn people_by_prefix(
        &self,
        me: UserId,
        prefix: &str,
        limit: usize,
    ) -> Result<Vec<(User, Option<Timestamp>)>>;

    /// The person of exactly this username (folded), unless it is `me`.
    async fn person_by_username(
        &self,
        me: UserId,
        username_key: &str,
    ) -> Result<Option<(User, Option<Timestamp>)>>;

    /// Those `me` has talked to, latest first.
    async fn recent_peers(
        &self,
        me: UserId,
        limit: usize,
    ) -> Result<Vec<(User, Option<Timestamp>)>>;

    /// All that share a conversation with `me`, even one in which nothing was said yet, those last
    /// active first.
    async fn peers(&self, me: UserId, limit: usize) -> Result<Vec<UserId>>;

    /// Everybody but `me`, by name, the first `limit`.
    async fn directory(&self, me: UserId, limit: usize) -> Result<Vec<(User, Option<Timestamp>)>>;

    /// The conversation of two people, made if there was none, and listed for `me` from now on.
    /// `None` if there is no such peer.
    async fn open_conversation(
        &self,
        me: UserId,
        peer: UserId,
        now: Timestamp,
    ) -> Result<Option<ConversationId>>;

    /// A conversation as `me` sees it. Presence is left for the caller: `online` is false.
    async fn conversation(&self, me: UserId, id: ConversationId) -> Result<Option<Conversation>>;

    /// Conversations as `me` sees them, the most recently active first, at most `limit`.
    async fn conversations(
        &self,
        me: UserId,
        after: Option<ListCursor>,
        limit: usize,
    ) -> Result<Vec<Conversation>>;

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
