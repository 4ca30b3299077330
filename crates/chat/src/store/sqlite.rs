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
mod device_links;
mod files;
mod identities;
mod invitations;
mod looks;
mod marker;
mod messages;
pub(super) mod open;
mod open_error;
mod passkeys;
pub(super) mod paths;
mod people;
#[cfg(test)]
mod query_plans;
mod reports;
mod row_cache;
mod second_factors;
mod sessions;
mod settings;
mod standings;
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

use super::{Result, Store, StoreSecret};
use committer::Committer;
use marker::Keeper;
use open::{Opening, migrate};
use paths::StorePaths;

pub use open::accept_store;
pub use open_error::OpenError;

/// Connections for reading. More than a small machine's cores gains nothing.
const READERS: u32 = 4;
/// How long a call may wait for a connection before it fails.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);

/// Writes of the pool between two checks of the log's length; they fill a few hundred pages.
const CHECK_LOG_EVERY: u32 = 64;

/// Settings of each connection, so that deleted content does not stay on the disk: SQLite overwrites
/// it, and makes no temporary files.
const FORGETTING: [(&str, &str); 2] = [("secure_delete", "on"), ("temp_store", "memory")];

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
    secret: StoreSecret,
    /// The file lock, and the marker beside the database.
    keeper: Arc<Keeper>,
}

/// Runs blocking work on a thread of its own.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, OpenError> + Send + 'static,
) -> Result<T, OpenError> {
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
    pub async fn open(file: &Path) -> Result<Self, OpenError> {
        let opening = blocking({
            let file = file.to_owned();
            move || Opening::begin(&file)
        });
        let opening = opening.await?;
        let paths = opening.paths().clone();
        let failed = |why: sqlx::Error| OpenError::database(&paths, why);
        let options = connect_options(paths.database());
        let write = write_pool(options.clone()).await.map_err(failed)?;
        if let Err(why) = bring_up_to_date(&write, &paths).await {
            // Closed before the lock is released.
            write.close().await;
            return Err(why);
        }
        let read = read_pool(options).await.map_err(failed)?;
        let (keeper, epoch, secret) = blocking(move || opening.finish()).await?;
        let (keeper, turn) = (Arc::new(keeper), Arc::new(Mutex::new(())));
        let pool_writes = Arc::new(AtomicU32::new(0));
        let file = paths.database();
        let committer = Committer::start(file, keeper.clone(), turn.clone(), pool_writes.clone())
            .map_err(|why| OpenError::database(&paths, why))?;
        Ok(Self { turn, pool_writes, committer, write, read, epoch, secret, keeper })
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

fn connect_options(file: &Path) -> SqliteConnectOptions {
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
    FORGETTING.into_iter().fold(options, |options, (setting, value)| options.pragma(setting, value))
}

/// The options of a pool whose connections stay open as long as the store, so that no request waits
/// for a new one.
fn pool_options(connections: u32) -> SqlitePoolOptions {
    SqlitePoolOptions::new()
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .test_before_acquire(false)
        .max_connections(connections)
        .min_connections(connections)
        .idle_timeout(None)
        .max_lifetime(None)
}

async fn write_pool(options: SqliteConnectOptions) -> sqlx::Result<SqlitePool> {
    pool_options(1)
        // SQLite rolls a transaction back by itself when the disk fails. sqlx still counts the
        // transaction as open and could never begin another one on this connection.
        .before_acquire(|connection, _| Box::pin(async { Ok(!connection.is_in_transaction()) }))
        .connect_with(options.thread_name(|_| "duet-writer".to_owned()))
        .await
}

async fn read_pool(options: SqliteConnectOptions) -> sqlx::Result<SqlitePool> {
    let options = options.pragma("query_only", "on").thread_name(|n| format!("duet-reader-{n}"));
    pool_options(READERS).connect_with(options).await
}

/// Migrates the schema, and stores the search words and the looks of usernames that an older version
/// did not store.
async fn bring_up_to_date(write: &SqlitePool, paths: &StorePaths) -> Result<(), OpenError> {
    migrate(write).await?;
    let failed = |why| OpenError::database(paths, why);
    words::store_missing(write).await.map_err(failed)?;
    looks::store_missing(write).await.map_err(failed)
}

/// An id in hexadecimal, for `unhex` in a statement.
fn hex(id: Uuid) -> String {
    id.simple().to_string()
}

/// A value as a JSON parameter.
fn json<T: serde::Serialize>(value: &T) -> Result<String, sqlx::Error> {
    serde_json::to_string(value).map_err(|error| sqlx::Error::Encode(Box::new(error)))
}

#[async_trait]
impl Store for SqliteStore {
    fn epoch(&self) -> Epoch {
        self.epoch
    }

    fn secret(&self) -> &StoreSecret {
        &self.secret
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

    async fn size(&self) -> Result<u64> {
        let bytes: i64 = sqlx::query_scalar(
            "select (pages.page_count - free.freelist_count) * size.page_size \
             from pragma_page_count pages, pragma_freelist_count free, pragma_page_size size",
        )
        .fetch_one(&self.read)
        .await?;
        Ok(u64::try_from(bytes).unwrap_or_default())
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
