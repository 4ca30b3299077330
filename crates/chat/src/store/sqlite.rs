//! The embedded store: one SQLite file with one writer at a time and a few readers.
//!
//! The write-ahead log (WAL) lets readers run beside the writer. With `synchronous=FULL` a commit
//! is on disk when it returns. Two connections write: `committer` writes the batches of messages
//! and marks, which are nearly all writes, and the write pool writes the rest. A writer must hold
//! `turn`, so SQLite never reports "locked". Ids are 16-byte blobs. Lists are passed to a statement
//! as one JSON parameter.

mod accounts;
mod commit;
mod committer;
mod conversations;
mod deletion;
mod files;
mod history;
mod invitations;
mod marker;
pub(super) mod open;
mod people;
pub(super) mod place;
#[cfg(test)]
mod plans;
mod sessions;
mod settings;
mod words;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use protocol::{
    ConversationId, Cursor, Epoch, InvitationInfo, ListCursor, Privacy, SessionId, SessionInfo,
    Settings, TickTimes, Timestamp, Unread, User, UserId,
};
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteRow,
    SqliteSynchronous,
};
use sqlx::{Connection, Row};
use tokio::sync::{Mutex, MutexGuard};
use uuid::Uuid;

use super::{
    Acceptance, AccountOutcome, Batch, Committed, Counted, Found, History, InvitationRow,
    NewInvitation, NewSession, NewUser, Result, Seen, SessionLife, SessionRow, Store, TokenHash,
};
use committer::Committer;
use marker::Keeper;
use open::{Opening, migrate};

pub use open::{OpenError, accept_store};

/// Connections for reading. More than a small machine's cores gains nothing.
const READERS: u32 = 4;
/// How long a call may wait for a connection before it fails.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);

/// Writes of the pool between two checks of the log's length; they fill a few hundred pages.
const TEND_EVERY: u32 = 64;

/// The size to which SQLite truncates the log's file after a checkpoint.
const JOURNAL_BYTES: u32 = 64 * 1024 * 1024;

/// A store in an SQLite file.
pub struct SqliteStore {
    /// Held during each write, so that the two writing connections never conflict.
    turn: Arc<Mutex<()>>,
    /// The number of writes by the pool.
    pool_writes: Arc<AtomicU32>,
    committer: Committer,
    write: SqlitePool,
    read: SqlitePool,
    epoch: Epoch,
    /// The file lock, and the marker beside the database.
    keeper: Arc<Keeper>,
}

/// Runs blocking work on a thread of its own.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> std::result::Result<T, OpenError> + Send + 'static,
) -> std::result::Result<T, OpenError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        // The task is never cancelled, so the error is a panic.
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}

impl SqliteStore {
    /// Opens the file and migrates its schema. Creates the file and its directory if necessary.
    ///
    /// # Errors
    /// One line that tells the operator what to do.
    pub async fn open(file: &Path) -> std::result::Result<Self, OpenError> {
        let opening = blocking({
            let file = file.to_owned();
            move || Opening::begin(&file)
        });
        let opening = opening.await?;
        let place = opening.place().clone();
        let file = place.database();
        let failed = |why: sqlx::Error| OpenError::database(&place, why);
        let options = SqliteConnectOptions::new()
            .filename(file)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(ACQUIRE_TIMEOUT)
            .pragma("journal_size_limit", JOURNAL_BYTES.to_string())
            // The committer checkpoints the log for all writers.
            .pragma("wal_autocheckpoint", "0")
            .statement_cache_capacity(64);
        let pool =
            || SqlitePoolOptions::new().acquire_timeout(ACQUIRE_TIMEOUT).test_before_acquire(false);
        let write = pool()
            .max_connections(1)
            .min_connections(1)
            .idle_timeout(None)
            .max_lifetime(None)
            // SQLite rolls a transaction back by itself when the disk fails. sqlx still counts the
            // transaction as open and could never begin another one on this connection.
            .before_acquire(|connection, _| Box::pin(async { Ok(!connection.is_in_transaction()) }))
            .connect_with(options.clone().thread_name(|_| "duet-writer".to_owned()))
            .await
            .map_err(failed)?;
        let ready = match migrate(&write).await {
            Ok(()) => {
                words::store_missing(&write).await.map_err(|why| OpenError::database(&place, why))
            }
            Err(why) => Err(why),
        };
        if let Err(why) = ready {
            // Closed before the lock is released.
            write.close().await;
            return Err(why);
        }
        let read = pool()
            .max_connections(READERS)
            // Opened at start, so that no request waits for a new connection.
            .min_connections(READERS)
            .idle_timeout(None)
            .max_lifetime(None)
            .connect_with(
                options.pragma("query_only", "on").thread_name(|n| format!("duet-reader-{n}")),
            )
            .await
            .map_err(failed)?;
        let (keeper, epoch) = blocking(move || opening.finish()).await?;
        let (keeper, turn) = (Arc::new(keeper), Arc::new(Mutex::new(())));
        let pool_writes = Arc::new(AtomicU32::new(0));
        let committer = Committer::start(file, keeper.clone(), turn.clone(), pool_writes.clone())
            .map_err(|why| OpenError::database(&place, why))?;
        Ok(Self { turn, pool_writes, committer, write, read, epoch, keeper })
    }

    /// Waits for the turn to write by the pool. Every [`TEND_EVERY`] writes the committer checks
    /// the log first.
    async fn turn(&self) -> MutexGuard<'_, ()> {
        let turn = self.turn.lock().await;
        if self.pool_writes.fetch_add(1, Ordering::Relaxed) % TEND_EVERY == TEND_EVERY - 1 {
            self.committer.tend().await;
        }
        turn
    }
}

/// Reads the columns `id`, `username`, `display_name`.
fn user(row: &SqliteRow) -> std::result::Result<User, sqlx::Error> {
    Ok(User {
        id: UserId(row.try_get("id")?),
        username: row.try_get("username")?,
        display_name: row.try_get("display_name")?,
    })
}

/// An id in hexadecimal, for `unhex` in a statement.
fn hex(id: Uuid) -> String {
    id.simple().to_string()
}

/// A value as a JSON parameter.
fn json<T: serde::Serialize>(value: &T) -> std::result::Result<String, sqlx::Error> {
    serde_json::to_string(value).map_err(|error| sqlx::Error::Encode(Box::new(error)))
}

#[async_trait]
impl Store for SqliteStore {
    fn epoch(&self) -> Epoch {
        self.epoch
    }

    async fn check_writable(&self) -> Result<()> {
        let _turn = self.turn.lock().await;
        let mut tx = self.write.begin_with("begin immediate").await?;
        sqlx::query(
            "insert into meta (key, value) values ('checked', '1') \
             on conflict (key) do update set value = value + 1",
        )
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        // Messages use the other connection: its thread must run and be able to begin a
        // transaction.
        self.committer.commit(Arc::default(), Timestamp(0)).await.map(drop)
    }

    async fn check_readable(&self) -> Result<()> {
        // Reads the ends of the most used indexes, which lie in different parts of the file.
        sqlx::query(
            "select (select max(username_key) from users), (select max(token_hash) from sessions), \
                    (select max(client_id) from messages)",
        )
        .fetch_one(&self.read)
        .await?;
        Ok(())
    }

    async fn close(&self) {
        self.committer.close().await;
        self.read.close().await;
        self.write.close().await;
        let keeper = self.keeper.clone();
        // The task can only panic, and a panic is logged.
        let _ = tokio::task::spawn_blocking(move || keeper.end()).await;
    }

    async fn failed(&self) -> &'static str {
        self.committer.ended().await;
        "the thread that commits"
    }

    async fn offer_first_invitation(
        &self,
        token: &TokenHash,
        most: u32,
        now: Timestamp,
    ) -> Result<bool> {
        let _turn = self.turn().await;
        invitations::offer_first(&self.write, token, most, now).await
    }

    async fn is_first_invitation(&self, token: &TokenHash) -> Result<bool> {
        invitations::is_first(&self.read, token).await
    }

    async fn create_user(
        &self,
        user: NewUser,
        session: NewSession,
        invitation: Option<TokenHash>,
        now: Timestamp,
    ) -> Result<AccountOutcome> {
        let _turn = self.turn().await;
        accounts::create_user(&self.write, user, session, invitation, now).await
    }

    async fn create_invitation(
        &self,
        new: NewInvitation,
        most_open: u32,
        now: Timestamp,
    ) -> Result<bool> {
        let _turn = self.turn().await;
        invitations::create(&self.write, new, most_open, now).await
    }

    async fn waiting_invitations(
        &self,
        inviter: UserId,
        now: Timestamp,
    ) -> Result<Vec<InvitationRow>> {
        invitations::waiting(&self.read, inviter, now).await
    }

    async fn withdraw_invitation(&self, inviter: UserId, token: &TokenHash) -> Result<bool> {
        let _turn = self.turn().await;
        invitations::withdraw(&self.write, inviter, token).await
    }

    async fn invitation(
        &self,
        token: &TokenHash,
        now: Timestamp,
    ) -> Result<Option<InvitationInfo>> {
        invitations::find(&self.read, token, now).await
    }

    async fn accept_invitation(
        &self,
        token: &TokenHash,
        me: UserId,
        now: Timestamp,
    ) -> Result<Acceptance> {
        let _turn = self.turn().await;
        invitations::accept(&self.write, token, me, now).await
    }

    async fn credentials(&self, username_key: &str) -> Result<Option<(User, String)>> {
        accounts::credentials(&self.read, username_key).await
    }

    async fn create_session(
        &self,
        session: NewSession,
        verified: &str,
        keep: u32,
        now: Timestamp,
    ) -> Result<Option<Vec<SessionId>>> {
        let _turn = self.turn().await;
        sessions::create_session(&self.write, session, verified, keep, now).await
    }

    async fn delete_account(
        &self,
        user: UserId,
        verified: &str,
        now: Timestamp,
    ) -> Result<Option<Vec<SessionId>>> {
        let _turn = self.turn().await;
        deletion::delete_account(&self.write, user, verified, now).await
    }

    async fn session(&self, token: &TokenHash, life: SessionLife) -> Result<Option<SessionRow>> {
        sessions::session(&self.read, token, life).await
    }

    async fn rotate_session(
        &self,
        id: SessionId,
        from: &TokenHash,
        to: &TokenHash,
        now: Timestamp,
        lost_before: Timestamp,
    ) -> Result<bool> {
        let _turn = self.turn().await;
        sessions::rotate_session(&self.write, id, from, to, now, lost_before).await
    }

    async fn end_old_token(
        &self,
        id: SessionId,
        present: &TokenHash,
        _: Timestamp,
        until: Timestamp,
    ) -> Result<()> {
        let _turn = self.turn().await;
        sessions::end_old_token(&self.write, id, present, until).await
    }

    async fn see_sessions(
        &self,
        ids: &[SessionId],
        now: Timestamp,
        noted_before: Timestamp,
    ) -> Result<()> {
        let _turn = self.turn().await;
        sessions::see_sessions(&self.write, ids, now, noted_before).await
    }

    async fn delete_session(&self, id: SessionId) -> Result<()> {
        let _turn = self.turn().await;
        sessions::delete_session(&self.write, id).await
    }

    async fn delete_session_of(&self, user: UserId, id: SessionId) -> Result<bool> {
        let _turn = self.turn().await;
        sessions::delete_session_of(&self.write, user, id).await
    }

    async fn delete_other_sessions(&self, user: UserId, keep: SessionId) -> Result<Vec<SessionId>> {
        let _turn = self.turn().await;
        let mut connection = self.write.acquire().await?;
        sessions::delete_others(&mut connection, user, keep).await
    }

    async fn sessions(&self, user: UserId, life: SessionLife) -> Result<Vec<SessionInfo>> {
        sessions::list(&self.read, user, life).await
    }

    async fn settings(&self, user: UserId) -> Result<Option<Settings>> {
        settings::read(&self.read, user).await
    }

    async fn password_hash(&self, user: UserId) -> Result<Option<String>> {
        settings::password_hash(&self.read, user).await
    }

    async fn set_display_name(&self, user: UserId, name: &str, key: &str) -> Result<Option<User>> {
        let _turn = self.turn().await;
        settings::set_display_name(&self.write, user, name, key).await
    }

    async fn set_privacy(&self, user: UserId, privacy: Privacy) -> Result<()> {
        let _turn = self.turn().await;
        settings::set_privacy(&self.write, user, privacy).await
    }

    async fn set_password(
        &self,
        user: UserId,
        verified: &str,
        hash: &str,
        keep: SessionId,
    ) -> Result<Option<Vec<SessionId>>> {
        let _turn = self.turn().await;
        settings::set_password(&self.write, user, verified, hash, keep).await
    }

    async fn replace_password_hash(&self, user: UserId, verified: &str, hash: &str) -> Result<()> {
        let _turn = self.turn().await;
        settings::replace_password_hash(&self.write, user, verified, hash).await
    }

    async fn good_sessions(&self, ids: &[SessionId], life: SessionLife) -> Result<Vec<SessionId>> {
        sessions::good_sessions(&self.read, ids, life).await
    }

    async fn forget_old_sessions(&self, life: SessionLife) -> Result<()> {
        let _turn = self.turn().await;
        sessions::forget_old_sessions(&self.write, life).await
    }

    async fn peers_by_words(
        &self,
        me: UserId,
        words: &[String],
        limit: usize,
    ) -> Result<Counted<(ConversationId, Found)>> {
        people::peers_by_words(&self.read, me, words, limit).await
    }

    async fn others_by_words(
        &self,
        me: UserId,
        words: &[String],
        username_key: &str,
        limit: usize,
    ) -> Result<Counted<Found>> {
        people::others_by_words(&self.read, me, words, username_key, limit).await
    }

    async fn person_by_username(&self, me: UserId, username_key: &str) -> Result<Option<Found>> {
        people::by_username(&self.read, me, username_key).await
    }

    async fn recent_peers(&self, me: UserId, limit: usize) -> Result<Vec<Found>> {
        people::recent_peers(&self.read, me, limit).await
    }

    async fn peers(&self, me: UserId, limit: usize) -> Result<Vec<UserId>> {
        people::peers(&self.read, me, limit).await
    }

    async fn presence_peers(&self, me: UserId, limit: usize) -> Result<Vec<UserId>> {
        people::presence_peers(&self.read, me, limit).await
    }

    async fn directory(&self, me: UserId, limit: usize) -> Result<Vec<Found>> {
        people::directory(&self.read, me, limit).await
    }

    async fn open_conversation(
        &self,
        me: UserId,
        peer: UserId,
        now: Timestamp,
    ) -> Result<Option<ConversationId>> {
        let _turn = self.turn().await;
        let mut tx = self.write.begin_with("begin immediate").await?;
        let opened = conversations::open(&mut tx, me, peer, now).await?;
        tx.commit().await?;
        Ok(opened.map(|(id, _)| id))
    }

    async fn conversation(&self, me: UserId, id: ConversationId) -> Result<Option<Seen>> {
        conversations::one(&self.read, me, id).await
    }

    async fn conversations(
        &self,
        me: UserId,
        after: Option<ListCursor>,
        limit: usize,
    ) -> Result<Vec<Seen>> {
        conversations::list(&self.read, me, after, limit).await
    }

    async fn unread_behind(
        &self,
        me: UserId,
        cursor: ListCursor,
        limit: usize,
    ) -> Result<Vec<Unread>> {
        conversations::unread_behind(&self.read, me, cursor, limit).await
    }

    async fn tick_times(&self, me: UserId, id: ConversationId) -> Result<Option<TickTimes>> {
        conversations::tick_times(&self.read, me, id).await
    }

    async fn peer(&self, me: UserId, id: ConversationId) -> Result<Option<UserId>> {
        conversations::peer(&self.read, me, id).await
    }

    async fn history(
        &self,
        me: UserId,
        id: ConversationId,
        cursor: Cursor,
        limit: usize,
    ) -> Result<History> {
        history::page(&self.read, me, id, cursor, limit).await
    }

    async fn commit(&self, batch: Arc<Batch>, now: Timestamp) -> Result<Committed> {
        let _turn = self.turn.lock().await;
        self.committer.commit(batch, now).await
    }
}
