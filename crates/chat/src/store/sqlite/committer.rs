//! The thread that commits batches, with a connection of its own.
//!
//! A batch is one visit to it: begin, a few prepared statements a row, commit. The pools would cost
//! two changes of thread for every statement. [`super::SqliteStore`] sees to it that nobody else
//! writes meanwhile. What a batch decides is in [`super::commit`]; this only carries it there. The thread
//! also moves the write-ahead log into the database file, and notes how far the store has come.

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

/// More than [`commit`] has statements.
const STATEMENTS: usize = 16;
/// Pages in the write-ahead log after which they are moved into the database, 16 MiB, whoever wrote
/// them. Pages that were written many times move once, so a longer log is less work; it is read
/// again at a start after a crash, which at this size takes a moment.
const CHECKPOINT_PAGES: i64 = 4_096;
/// Batches between two looks at the length of the log, a few hundred pages.
const LOOK_EVERY: u32 = 8;
/// How often it is noted how far the store has come, while somebody writes: in the first pause
/// between two writes, so that nobody waits for it; where there is none, after the second span.
const NOTE_EVERY: Duration = Duration::from_secs(10);
const NOTE_AT_LAST: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(100);

/// The door to the thread; it ends with [`Self::close`], or when this is dropped.
pub(super) struct Committer {
    jobs: Mutex<Option<mpsc::Sender<Job>>>,
    thread: Mutex<Option<JoinHandle<()>>>,
    /// Cancelled by the thread when it ends, however it does.
    ended: CancellationToken,
}

enum Job {
    /// Commit this.
    Commit { batch: Arc<Batch>, now: Timestamp, done: oneshot::Sender<Result<Committed>> },
    /// The pool has written: look at the log.
    Tend { done: oneshot::Sender<()> },
}

impl Committer {
    /// Opens its connection to a database that is up to date.
    pub(super) fn start(
        file: &Path,
        keeper: Arc<Keeper>,
        turn: Arc<tokio::sync::Mutex<()>>,
        pool_writes: Arc<AtomicU32>,
    ) -> Result<Self> {
        // As long as the writer's queue of groups, which is one; the thread ends with the sender.
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

    /// Waits until the thread has ended.
    pub(super) async fn ended(&self) {
        self.ended.cancelled().await;
    }

    /// Commits a batch and returns when it is on disk.
    pub(super) async fn commit(&self, batch: Arc<Batch>, now: Timestamp) -> Result<Committed> {
        let (done, outcome) = oneshot::channel();
        if !self.ask(Job::Commit { batch, now, done }) {
            return Err(StoreError::Closed);
        }
        outcome.await.map_err(|_| StoreError::Closed)?
    }

    /// Looks at the log after the pool has written. Whoever asks has the turn.
    pub(super) async fn tend(&self) {
        let (done, tended) = oneshot::channel();
        if self.ask(Job::Tend { done }) {
            // A thread that has ended has nothing to tend.
            let _ = tended.await;
        }
    }

    fn ask(&self, job: Job) -> bool {
        let jobs = self.jobs.lock().unwrap_or_else(PoisonError::into_inner).clone();
        jobs.is_some_and(|jobs| jobs.send(job).is_ok())
    }

    /// Lets the thread end what it does, and waits for that.
    pub(super) async fn close(&self) {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner).take();
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread {
            // It can only have panicked, which is in the log already.
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
    // The log is moved by this thread, for all that write: see `Desk::tend`.
    database.pragma_update(None, "wal_autocheckpoint", 0)?;
    database.busy_timeout(super::ACQUIRE_TIMEOUT)?;
    database.set_prepared_statement_cache_capacity(STATEMENTS);
    Ok(database)
}

/// What a checkpoint found, in pages of the log.
pub(super) struct Checkpoint {
    busy: bool,
    /// How long the log is, and how much of it is in the database file.
    log: i64,
    moved: i64,
}

impl Checkpoint {
    /// Whether the database file has everything.
    pub(super) fn is_complete(&self) -> bool {
        !self.busy && self.log == self.moved
    }
}

/// Moves what is in the log into the database file, in one of SQLite's modes.
pub(super) fn checkpoint(database: &Connection, mode: &str) -> rusqlite::Result<Checkpoint> {
    database.query_row(&format!("pragma wal_checkpoint({mode})"), [], |row| {
        Ok(Checkpoint { busy: row.get(0)?, log: row.get(1)?, moved: row.get(2)? })
    })
}

/// The thread's own: its connection, and when it last did what has to be done from time to time.
struct Desk {
    file: PathBuf,
    database: Connection,
    keeper: Arc<Keeper>,
    /// Held by whoever waits for a batch; taken here only when nobody does.
    turn: Arc<tokio::sync::Mutex<()>>,
    /// How often the pool has written, and had when that was last looked at.
    pool_writes: Arc<AtomicU32>,
    pool_wrote: u32,
    /// Since the last look at the log.
    batches: u32,
    noted: Instant,
    /// Whether something was written since then.
    changed: bool,
    /// Whether the last attempt failed, which is said once.
    failed: bool,
    /// Whether the log could not be moved, which is said once until it is.
    stuck: bool,
}

impl Desk {
    fn run(mut self, jobs: &mpsc::Receiver<Job>) {
        loop {
            let due = NOTE_EVERY.saturating_sub(self.noted.elapsed()).max(PAUSE);
            match jobs.recv_timeout(if self.changed { due } else { NOTE_EVERY }) {
                Ok(Job::Commit { batch, now, done }) => {
                    let outcome = self.commit(batch, now);
                    // Whoever asked may have gone; the batch stands, and a repeat gets the same answer.
                    let _ = done.send(outcome);
                }
                Ok(Job::Tend { done }) => {
                    self.batches = LOOK_EVERY;
                    self.tend();
                    // As above.
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
        // Whoever waits takes the batch apart.
        drop(batch);
        if outcome.is_ok() {
            self.batches += 1;
            // Before the answer: until then nobody else writes.
            self.tend();
        } else {
            self.reopen();
        }
        outcome
    }

    /// After a failed write nothing that the connection remembers is relied on.
    fn reopen(&mut self) {
        if let Ok(anew) = open(&self.file) {
            self.database = anew;
        }
    }

    /// Nobody has written for a moment: notes how far the store has come when that is due.
    fn pause(&mut self) {
        let pool_writes = self.pool_writes.load(Ordering::Relaxed);
        self.changed |= pool_writes != self.pool_wrote;
        self.pool_wrote = pool_writes;
        let turn = self.turn.clone();
        // Whoever has the turn writes; the next pause comes.
        if self.changed
            && self.noted.elapsed() >= NOTE_EVERY
            && let Ok(_turn) = turn.try_lock()
        {
            self.note(None);
        }
    }

    /// Moves the log when it is long, and notes how far the store has come when that is overdue.
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

    /// Answers the token that the database file has, if all of the log is in it now. The next
    /// write begins a new log, and is the note of that.
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
    use super::super::place::Place;
    use super::*;
    use crate::store::Store;
    use crate::store::sqlite::SqliteStore;
    use crate::{Chat, Config};

    /// Counts the warnings.
    struct Count(Arc<AtomicU32>);

    impl<S: Subscriber> Layer<S> for Count {
        fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
            if *event.metadata().level() == Level::WARN {
                self.0.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    /// A desk whose log is longer than it may be, and where that cannot be read which is to be noted.
    fn desk(directory: &Path) -> Desk {
        let place = Place::make(&directory.join("duet.db")).expect("a place");
        let lock = place.lock().expect("nobody else's");
        let database = open(place.database()).expect("open");
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
            file: place.database().to_owned(),
            database,
            keeper: Arc::new(Keeper::new(place, lock, marker)),
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
