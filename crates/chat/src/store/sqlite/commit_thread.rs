//! The thread that commits batches on a connection of its own.
//!
//! One job commits a whole batch. A pool would switch threads twice for each statement.
//! [`super::commit`] decides what a batch does; this module runs it. The thread also checkpoints the
//! write-ahead log and notes in the marker how far the store has come. After writes by the pool, which
//! may delete names, password hashes or texts, it empties the log, because the log still contains
//! them. [`super::committer`] starts the thread and sends its jobs.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use protocol::Timestamp;
use rusqlite::Connection;

use super::checkpoint::checkpoint;
use super::commit::commit;
use super::committer::Job;
use super::marker::{self, KeepError, Keeper, Token, WRITTEN, Written};
use super::row_cache::RowCache;
use crate::store::{Batch, Committed, Result, StoreError};

/// The size of the statement cache; [`commit`] has fewer statements.
const STATEMENTS: usize = 16;
/// The length of the log, in pages, that triggers a checkpoint (16 MiB). A longer log saves work,
/// because a page that was written many times moves once. After a crash SQLite reads the log again,
/// which is quick at this size.
const CHECKPOINT_PAGES: i64 = 4_096;
/// Batches between two checks of the log's length; they fill a few hundred pages.
const CHECK_LOG_EVERY: u32 = 8;
/// How often the marker is updated while the store changes. The update waits for the first pause
/// between two writes, so that no write waits. Without a pause the update runs after
/// [`NOTE_AT_LAST`].
const NOTE_EVERY: Duration = Duration::from_secs(10);
const NOTE_AT_LAST: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(100);
/// How long the emptying of the log may wait for readers, while no other write can run.
const EMPTIED_WITHIN: Duration = Duration::from_millis(200);

fn open(file: &Path) -> rusqlite::Result<Connection> {
    let database = Connection::open(file)?;
    database.pragma_update(None, "journal_mode", "wal")?;
    database.pragma_update(None, "synchronous", "full")?;
    // Every row to which a batch refers was read from the database, by this batch or by the batch that
    // cached the row, so SQLite's check would only cost time.
    database.pragma_update(None, "foreign_keys", "off")?;
    for (setting, value) in super::FORGETTING {
        database.pragma_update(None, setting, value)?;
    }
    database.pragma_update(None, "journal_size_limit", super::JOURNAL_BYTES)?;
    // This thread checkpoints the log for all writers: see `CommitThread::check_log`.
    database.pragma_update(None, "wal_autocheckpoint", 0)?;
    database.busy_timeout(super::ACQUIRE_TIMEOUT)?;
    database.set_prepared_statement_cache_capacity(STATEMENTS);
    Ok(database)
}

/// The state of the thread.
pub(super) struct CommitThread {
    file: PathBuf,
    database: Connection,
    cache: RowCache,
    keeper: Arc<Keeper>,
    /// Held by the caller of each job. The thread takes it only between jobs.
    turn: Arc<tokio::sync::Mutex<()>>,
    /// The number of writes by the pool, and its value at the last check.
    pool_writes: Arc<AtomicU32>,
    pool_wrote: u32,
    /// Whether the log may contain deleted content.
    must_empty: bool,
    /// Batches since the last check of the log.
    batches: u32,
    noted: Instant,
    /// Whether the store has changed since `noted`.
    changed: bool,
    /// Whether the last update of the marker failed. Such a failure is logged once.
    failed: bool,
    /// Whether the last checkpoint failed. Such a failure is logged once.
    stuck: bool,
}

impl CommitThread {
    /// Opens a connection to a migrated database.
    pub(super) fn new(
        file: &Path,
        keeper: Arc<Keeper>,
        turn: Arc<tokio::sync::Mutex<()>>,
        pool_writes: Arc<AtomicU32>,
    ) -> Result<Self> {
        Ok(Self {
            file: file.to_owned(),
            database: open(file)?,
            cache: RowCache::default(),
            keeper,
            turn,
            pool_writes,
            pool_wrote: 0,
            must_empty: false,
            batches: 0,
            noted: Instant::now(),
            changed: false,
            failed: false,
            stuck: false,
        })
    }

    /// Runs jobs until the sender is dropped.
    pub(super) fn run(mut self, jobs: &mpsc::Receiver<Job>) {
        loop {
            let due = NOTE_EVERY.saturating_sub(self.noted.elapsed()).max(PAUSE);
            match jobs.recv_timeout(if self.changed { due } else { NOTE_EVERY }) {
                Ok(Job::Commit { batch, now, done }) => {
                    let outcome = self.commit(batch, now);
                    // The caller may be gone. The batch stays committed, and a retry gets the same
                    // result.
                    let _ = done.send(outcome);
                }
                Ok(Job::CheckLog { done }) => {
                    self.batches = CHECK_LOG_EVERY;
                    self.check_log();
                    // The caller may be gone.
                    let _ = done.send(());
                }
                Ok(Job::EmptyLog { done }) => {
                    self.empty_log();
                    // The caller may be gone.
                    let _ = done.send(());
                }
                Err(mpsc::RecvTimeoutError::Timeout) => self.pause(),
                Err(mpsc::RecvTimeoutError::Disconnected) => break,
            }
        }
        self.note(None);
    }

    fn commit(&mut self, batch: Arc<Batch>, now: Timestamp) -> Result<Committed> {
        let outcome =
            commit(&mut self.database, &mut self.cache, &batch, now).map_err(StoreError::from);
        self.changed |= !batch.is_empty();
        // The caller takes the batch apart after the answer, which needs no copy if no other
        // reference is left.
        drop(batch);
        if outcome.is_ok() {
            self.batches += 1;
            // Before the answer, because the caller then releases `turn`.
            self.check_log();
        } else {
            self.reopen();
        }
        outcome
    }

    /// Replaces the connection after a failed write, because its state is unknown.
    fn reopen(&mut self) {
        if let Ok(reopened) = open(&self.file) {
            self.database = reopened;
            // `data_version` values of two connections cannot be compared.
            self.cache.clear();
        }
    }

    /// Runs when no job has arrived for a while: updates the marker and empties the log if that is
    /// due.
    fn pause(&mut self) {
        self.see_pool_writes();
        let turn = self.turn.clone();
        // If the turn is taken, a write is in progress; the next pause tries again.
        if self.changed
            && self.noted.elapsed() >= NOTE_EVERY
            && let Ok(_turn) = turn.try_lock()
        {
            self.note_or_empty();
        }
    }

    fn see_pool_writes(&mut self) {
        let pool_writes = self.pool_writes.load(Ordering::Relaxed);
        let has_written = pool_writes != self.pool_wrote;
        self.changed |= has_written;
        self.must_empty |= has_written;
        self.pool_wrote = pool_writes;
    }

    fn note_or_empty(&mut self) {
        if self.must_empty {
            self.empty_log();
        } else {
            self.note(None);
        }
    }

    /// Checkpoints a long log, and updates the marker if that is overdue.
    fn check_log(&mut self) {
        if self.batches >= CHECK_LOG_EVERY {
            self.batches = 0;
            match self.move_log() {
                Ok(Some(on)) => {
                    self.stuck = false;
                    return self.note(Some(on));
                }
                Ok(None) => {}
                Err(error) => {
                    if !self.stuck {
                        tracing::warn!(%error, "cannot checkpoint the write-ahead log; Duet retries");
                    }
                    self.stuck = true;
                    self.reopen();
                }
            }
        }
        if self.changed && self.noted.elapsed() >= NOTE_AT_LAST {
            self.see_pool_writes();
            self.note_or_empty();
        }
    }

    /// Moves the log into the database file and truncates it. If a reader prevents that, the next
    /// update of the marker tries again. The caller must hold the turn.
    fn empty_log(&mut self) {
        let emptied = self.truncate_log();
        self.must_empty = !matches!(emptied, Ok(Some(_)));
        match emptied {
            Ok(on) => self.note(on),
            Err(error) => {
                tracing::warn!(%error, "cannot empty the write-ahead log; Duet retries");
                self.noted = Instant::now();
                self.reopen();
            }
        }
    }

    /// Returns the token of the database file if the log is empty. The next write begins a new log
    /// and must record this token.
    fn truncate_log(&self) -> rusqlite::Result<Option<Token>> {
        let written: Option<Written> = marker::read(&self.database, WRITTEN)?;
        // Moves most pages without waiting for anybody.
        checkpoint(&self.database, "passive")?;
        self.database.busy_timeout(EMPTIED_WITHIN)?;
        let emptied = checkpoint(&self.database, "truncate");
        self.database.busy_timeout(super::ACQUIRE_TIMEOUT)?;
        let is_complete = emptied?.is_complete();
        Ok(written.filter(|_| is_complete).map(|written| written.token))
    }

    /// Checkpoints a long log. Returns the token of the database file if the file then holds the
    /// whole log. The next write begins a new log and must record this token.
    fn move_log(&self) -> rusqlite::Result<Option<Token>> {
        if checkpoint(&self.database, "noop")?.log < CHECKPOINT_PAGES {
            return Ok(None);
        }
        let written: Option<Written> = marker::read(&self.database, WRITTEN)?;
        let complete = checkpoint(&self.database, "passive")?.is_complete();
        Ok(written.filter(|_| complete).map(|written| written.token))
    }

    fn note(&mut self, on: Option<Token>) {
        self.noted = Instant::now();
        let Err(error) = self.keeper.note(&self.database, on) else {
            (self.changed, self.failed) = (false, false);
            return;
        };
        if !self.failed {
            tracing::warn!(%error, "cannot update the store marker; Duet retries");
        }
        self.failed = true;
        if let KeepError::Row(_) = error {
            self.reopen();
        }
    }
}

#[cfg(test)]
mod tests {
    use tracing::{Event, Level, Subscriber};
    use tracing_subscriber::Layer;
    use tracing_subscriber::layer::{Context, SubscriberExt};
    use uuid::Uuid;

    use super::super::marker::Marker;
    use super::super::paths::StorePaths;
    use super::*;

    /// Counts warnings.
    struct Count(Arc<AtomicU32>);

    impl<S: Subscriber> Layer<S> for Count {
        fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
            if *event.metadata().level() == Level::WARN {
                self.0.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    /// A thread with a log that is due for a checkpoint, and without the table `meta`.
    fn thread(directory: &Path) -> CommitThread {
        let paths = StorePaths::make(&directory.join("duet.db")).expect("the paths");
        let lock = paths.lock().expect("nobody else's");
        let database = open(paths.database()).expect("open");
        database
            .execute_batch(
                "create table gone (key text primary key, value text not null); \
                 create table long (bytes blob)",
            )
            .expect("made");
        lengthen(&database);
        let marker =
            Marker { store: Uuid::now_v7(), written: Token::after(None, None), stopped: false };
        CommitThread {
            file: paths.database().to_owned(),
            database,
            cache: RowCache::default(),
            keeper: Arc::new(Keeper::new(paths, lock, marker)),
            turn: Arc::default(),
            pool_writes: Arc::default(),
            pool_wrote: 0,
            must_empty: false,
            batches: 0,
            noted: Instant::now(),
            changed: false,
            failed: false,
            stuck: false,
        }
    }

    fn lengthen(database: &Connection) {
        database.execute_batch("insert into long values (zeroblob(20000000))").expect("written");
    }

    fn check_log(thread: &mut CommitThread) {
        thread.batches = CHECK_LOG_EVERY;
        thread.check_log();
    }

    #[test]
    fn a_log_that_cannot_be_moved_is_said_once_until_it_can() {
        let directory = tempfile::tempdir().expect("a directory");
        let said = Arc::new(AtomicU32::new(0));
        let counting = tracing_subscriber::registry().with(Count(said.clone()));
        tracing::subscriber::with_default(counting, || {
            let mut thread = thread(directory.path());
            for _ in 0..3 {
                check_log(&mut thread);
                assert_eq!(said.load(Ordering::Relaxed), 1);
            }
            thread.database.execute_batch("alter table gone rename to meta").expect("mended");
            let written = Written { token: Token::after(None, None), on: None };
            marker::write_written(&thread.database, written).expect("written");
            check_log(&mut thread);
            assert!(!thread.stuck && !thread.failed, "the log was moved");
            thread.database.execute_batch("alter table meta rename to gone").expect("broken");
            lengthen(&thread.database);
            check_log(&mut thread);
            check_log(&mut thread);
            assert_eq!(said.load(Ordering::Relaxed), 2, "it is another time");
        });
    }

    /// A reader, such as a backup, keeps the pages that it reads.
    #[test]
    fn a_log_that_a_reader_uses_is_emptied_later() {
        let directory = tempfile::tempdir().expect("a directory");
        let mut thread = thread(directory.path());
        thread.database.execute_batch("alter table gone rename to meta").expect("made");
        let reader = open(&thread.file).expect("open");
        reader.execute_batch("begin").expect("begun");
        let read = reader.query_row("select count(*) from long", [], |row| row.get(0));
        assert_eq!(read, Ok(1));
        lengthen(&thread.database);
        thread.empty_log();
        assert!(thread.must_empty);
        reader.execute_batch("commit").expect("ended");
        thread.empty_log();
        assert!(!thread.must_empty && !thread.failed);
        let mut log = thread.file.clone().into_os_string();
        log.push("-wal");
        let bytes = std::fs::metadata(log).expect("a log").len();
        assert!(bytes < 100_000, "{bytes}: only the note of the new log");
    }
}
