//! The thread that commits batches on a connection of its own.
//!
//! One job commits a whole batch. A pool would switch threads twice for each statement.
//! [`super::SqliteStore`] ensures that nothing else writes during a commit. [`super::commit`]
//! decides what a batch does; this module runs it. The thread also checkpoints the write-ahead log
//! and notes in the marker how far the store has come.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use protocol::Timestamp;
use rusqlite::Connection;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use super::commit::commit;
use super::marker::{self, KeepError, Keeper, Token, WRITTEN, Written};
use crate::store::{Batch, Committed, Result, StoreError};

/// The size of the statement cache; [`commit`] has fewer statements.
const STATEMENTS: usize = 16;
/// The length of the log, in pages, that triggers a checkpoint (16 MiB). A longer log saves work,
/// because a page that was written many times moves once. After a crash SQLite reads the log again,
/// which is quick at this size.
const CHECKPOINT_PAGES: i64 = 4_096;
/// Batches between two checks of the log's length; they fill a few hundred pages.
const LOOK_EVERY: u32 = 8;
/// How often the marker is updated while the store changes. The update waits for the first pause
/// between two writes, so that no write waits. Without a pause the update runs after
/// [`NOTE_AT_LAST`].
const NOTE_EVERY: Duration = Duration::from_secs(10);
const NOTE_AT_LAST: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(100);

/// The handle of the thread. The thread ends with [`Self::close`], or when the handle is dropped.
pub(super) struct Committer {
    jobs: Mutex<Option<mpsc::Sender<Job>>>,
    thread: Mutex<Option<JoinHandle<()>>>,
    /// Cancelled when the thread ends, also by a panic.
    ended: CancellationToken,
}

enum Job {
    /// Commit a batch.
    Commit { batch: Arc<Batch>, now: Timestamp, done: oneshot::Sender<Result<Committed>> },
    /// Check the log's length after writes by the pool.
    Tend { done: oneshot::Sender<()> },
}

impl Committer {
    /// Opens a connection to a migrated database and starts the thread.
    pub(super) fn start(
        file: &Path,
        keeper: Arc<Keeper>,
        turn: Arc<tokio::sync::Mutex<()>>,
        pool_writes: Arc<AtomicU32>,
    ) -> Result<Self> {
        // Needs no bound, because a caller holds `turn` while it waits for its job. The thread ends
        // when the sender is dropped.
        let (jobs, waiting) = mpsc::channel();
        let database = open(file)?;
        let (file, now) = (file.to_owned(), Instant::now());
        let desk = Desk {
            file,
            database,
            keeper,
            turn,
            pool_writes,
            pool_wrote: 0,
            batches: 0,
            noted: now,
            changed: false,
            failed: false,
            stuck: false,
        };
        let ended = CancellationToken::new();
        let says_so = ended.clone().drop_guard();
        let thread = std::thread::Builder::new()
            .name("duet-committer".to_owned())
            .spawn(move || {
                let _says_so = says_so;
                desk.run(&waiting);
            })
            .map_err(|_| StoreError::Closed)?;
        Ok(Self { jobs: Mutex::new(Some(jobs)), thread: Mutex::new(Some(thread)), ended })
    }

    /// Returns when the thread has ended.
    pub(super) async fn ended(&self) {
        self.ended.cancelled().await;
    }

    /// Commits a batch and returns when it is on disk. If the caller is cancelled, the batch may
    /// still be committed.
    pub(super) async fn commit(&self, batch: Arc<Batch>, now: Timestamp) -> Result<Committed> {
        let (done, outcome) = oneshot::channel();
        if !self.ask(Job::Commit { batch, now, done }) {
            return Err(StoreError::Closed);
        }
        outcome.await.map_err(|_| StoreError::Closed)?
    }

    /// Checks the log's length after writes by the pool. The caller must hold `turn`.
    pub(super) async fn tend(&self) {
        let (done, tended) = oneshot::channel();
        if self.ask(Job::Tend { done }) {
            // If the thread has ended there is nothing to do.
            let _ = tended.await;
        }
    }

    fn ask(&self, job: Job) -> bool {
        let jobs = self.jobs.lock().unwrap_or_else(PoisonError::into_inner).clone();
        jobs.is_some_and(|jobs| jobs.send(job).is_ok())
    }

    /// Lets the thread finish its current job, and waits for its end.
    pub(super) async fn close(&self) {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner).take();
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread {
            // The thread can only have panicked, and a panic is logged.
            let _ = tokio::task::spawn_blocking(move || thread.join()).await;
        }
    }
}

fn open(file: &Path) -> rusqlite::Result<Connection> {
    let database = Connection::open(file)?;
    database.pragma_update(None, "journal_mode", "wal")?;
    database.pragma_update(None, "synchronous", "full")?;
    database.pragma_update(None, "foreign_keys", "on")?;
    database.pragma_update(None, "journal_size_limit", super::JOURNAL_BYTES)?;
    // This thread checkpoints the log for all writers: see `Desk::tend`.
    database.pragma_update(None, "wal_autocheckpoint", 0)?;
    database.busy_timeout(super::ACQUIRE_TIMEOUT)?;
    database.set_prepared_statement_cache_capacity(STATEMENTS);
    Ok(database)
}

/// The result of a checkpoint, in pages of the log.
pub(super) struct Checkpoint {
    busy: bool,
    /// The length of the log, and the part of it that is in the database file.
    log: i64,
    moved: i64,
}

impl Checkpoint {
    /// Whether the database file holds the whole log.
    pub(super) fn is_complete(&self) -> bool {
        !self.busy && self.log == self.moved
    }
}

/// Moves pages from the log into the database file, in one of SQLite's checkpoint modes.
pub(super) fn checkpoint(database: &Connection, mode: &str) -> rusqlite::Result<Checkpoint> {
    database.query_row(&format!("pragma wal_checkpoint({mode})"), [], |row| {
        Ok(Checkpoint { busy: row.get(0)?, log: row.get(1)?, moved: row.get(2)? })
    })
}

/// The state of the thread.
struct Desk {
    file: PathBuf,
    database: Connection,
    keeper: Arc<Keeper>,
    /// Held by the caller of each job. The thread takes it only between jobs.
    turn: Arc<tokio::sync::Mutex<()>>,
    /// The number of writes by the pool, and its value at the last check.
    pool_writes: Arc<AtomicU32>,
    pool_wrote: u32,
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

impl Desk {
    fn run(mut self, jobs: &mpsc::Receiver<Job>) {
        loop {
            let due = NOTE_EVERY.saturating_sub(self.noted.elapsed()).max(PAUSE);
            match jobs.recv_timeout(if self.changed { due } else { NOTE_EVERY }) {
                Ok(Job::Commit { batch, now, done }) => {
                    let outcome = self.commit(batch, now);
                    // The caller may be gone. The batch stays committed, and a retry gets the same
                    // result.
                    let _ = done.send(outcome);
                }
                Ok(Job::Tend { done }) => {
                    self.batches = LOOK_EVERY;
                    self.tend();
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
        let outcome = commit(&mut self.database, &batch, now).map_err(StoreError::from);
        self.changed |= !batch.is_empty();
        // The caller takes the batch apart after the answer, which needs no copy if no other
        // reference is left.
        drop(batch);
        if outcome.is_ok() {
            self.batches += 1;
            // Before the answer, because the caller then releases `turn`.
            self.tend();
        } else {
            self.reopen();
        }
        outcome
    }

    /// Replaces the connection after a failed write, because its state is unknown.
    fn reopen(&mut self) {
        if let Ok(anew) = open(&self.file) {
            self.database = anew;
        }
    }

    /// Runs when no job has arrived for a while: updates the marker if that is due.
    fn pause(&mut self) {
        let pool_writes = self.pool_writes.load(Ordering::Relaxed);
        self.changed |= pool_writes != self.pool_wrote;
        self.pool_wrote = pool_writes;
        let turn = self.turn.clone();
        // If the turn is taken, a write is in progress; the next pause tries again.
        if self.changed
            && self.noted.elapsed() >= NOTE_EVERY
            && let Ok(_turn) = turn.try_lock()
        {
            self.note(None);
        }
    }

    /// Checkpoints a long log, and updates the marker if that is overdue.
    fn tend(&mut self) {
        if self.batches >= LOOK_EVERY {
            self.batches = 0;
            match self.move_log() {
                Ok(Some(on)) => {
                    self.stuck = false;
                    return self.note(Some(on));
                }
                Ok(None) => {}
                Err(error) => {
                    if !self.stuck {
                        tracing::warn!(%error, "cannot move the write-ahead log; it is tried again");
                    }
                    self.stuck = true;
                    self.reopen();
                }
            }
        }
        if self.changed && self.noted.elapsed() >= NOTE_AT_LAST {
            self.note(None);
        }
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
            tracing::warn!(%error, "cannot note how far the store has come; it is tried again");
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
    use crate::store::Store;
    use crate::store::sqlite::SqliteStore;
    use crate::{Chat, Config};

    /// Counts warnings.
    struct Count(Arc<AtomicU32>);

    impl<S: Subscriber> Layer<S> for Count {
        fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
            if *event.metadata().level() == Level::WARN {
                self.0.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    /// A desk with a log that is due for a checkpoint, and without the table `meta`.
    fn desk(directory: &Path) -> Desk {
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
        Desk {
            file: paths.database().to_owned(),
            database,
            keeper: Arc::new(Keeper::new(paths, lock, marker)),
            turn: Arc::default(),
            pool_writes: Arc::default(),
            pool_wrote: 0,
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

    fn tend(desk: &mut Desk) {
        desk.batches = LOOK_EVERY;
        desk.tend();
    }

    #[test]
    fn a_log_that_cannot_be_moved_is_said_once_until_it_can() {
        let directory = tempfile::tempdir().expect("a directory");
        let said = Arc::new(AtomicU32::new(0));
        let counting = tracing_subscriber::registry().with(Count(said.clone()));
        tracing::subscriber::with_default(counting, || {
            let mut desk = desk(directory.path());
            for _ in 0..3 {
                tend(&mut desk);
                assert_eq!(said.load(Ordering::Relaxed), 1);
            }
            desk.database.execute_batch("alter table gone rename to meta").expect("mended");
            let written = Written { token: Token::after(None, None), on: None };
            marker::write_written(&desk.database, written).expect("written");
            tend(&mut desk);
            assert!(!desk.stuck && !desk.failed, "the log was moved");
            desk.database.execute_batch("alter table meta rename to gone").expect("broken");
            lengthen(&desk.database);
            tend(&mut desk);
            tend(&mut desk);
            assert_eq!(said.load(Ordering::Relaxed), 2, "it is another time");
        });
    }

    #[tokio::test]
    async fn a_store_that_cannot_commit_does_not_call_itself_writable() {
        let directory = tempfile::tempdir().expect("a directory");
        let store = SqliteStore::open(&directory.path().join("duet.db")).await.expect("a store");
        store.check_writable().await.expect("writable");
        store.committer.close().await;
        assert!(store.check_writable().await.is_err());
    }

    #[tokio::test]
    async fn a_thread_that_has_ended_is_a_failure_of_the_chat() {
        let directory = tempfile::tempdir().expect("a directory");
        let store = SqliteStore::open(&directory.path().join("duet.db")).await.expect("a store");
        let store: Arc<dyn Store> = Arc::new(store);
        let chat = Chat::on(Config::new(directory.path().join("duet.db")), store.clone());
        let chat = chat.await.expect("a chat");
        assert_eq!(chat.has_failed(), None);
        store.close().await;
        assert_eq!(chat.failed().await, "the thread that commits");
        chat.close().await;
    }
}
