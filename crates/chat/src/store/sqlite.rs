//! The embedded store: one SQLite file with one writer at a time and a few readers.
//!
//! The write-ahead log (WAL) lets readers run beside the writer. With `synchronous=FULL` a commit
//! is on disk when it returns. Two connections write: `committer` writes the batches of messages
//! and marks, which are nearly all writes, and the write pool writes the rest. A writer must hold
//! `turn`, so SQLite never reports "locked". Ids are 16-byte blobs. Lists are passed to a statement
//! as one JSON parameter.

mod accounts;
mod checkpoint;
mod commit;
mod commit_thread;
mod committer;
mod conversations;
mod deletion;
mod files;
mod invitations;
mod marker;
mod messages;
pub(super) mod open;
mod open_error;
pub(super) mod paths;
mod people;
#[cfg(test)]
mod query_plans;
mod sessions;
mod settings;
mod words;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use protocol::{Epoch, Timestamp};
use sqlx::Connection;
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};
use tokio::sync::{Mutex, MutexGuard};
use uuid::Uuid;

use super::{Result, Store};
use committer::Committer;
use marker::Keeper;
use open::{Opening, migrate};

pub use open::accept_store;
pub use open_error::OpenError;

/// Connections for reading. More than a small machine's cores gains nothing.
const READERS: u32 = 4;
/// How long a call may wait for a connection before it fails.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);

/// Writes of the pool between two checks of the log's length; they fill a few hundred pages.
const CHECK_LOG_EVERY: u32 = 64;

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
        let paths = opening.paths().clone();
        let file = paths.database();
        let failed = |why: sqlx::Error| OpenError::database(&paths, why);
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
                words::store_missing(&write).await.map_err(|why| OpenError::database(&paths, why))
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
            .map_err(|why| OpenError::database(&paths, why))?;
        Ok(Self { turn, pool_writes, committer, write, read, epoch, keeper })
    }

    /// Waits for the turn to write by the pool. Every [`CHECK_LOG_EVERY`] writes the committer checks
    /// the log first.
    async fn turn(&self) -> MutexGuard<'_, ()> {
        let turn = self.turn.lock().await;
        if self.pool_writes.fetch_add(1, Ordering::Relaxed) % CHECK_LOG_EVERY == CHECK_LOG_EVERY - 1
        {
            self.committer.check_log().await;
        }
        turn
    }
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
}
