//! The thread that commits batches, with a connection of its own.
//!
//! A batch is one visit to it: begin, a few prepared statements a row, commit. The pools would cost
//! two changes of thread for every statement. [`super::SqliteStore`] sees to it that nobody else
//! writes meanwhile. What a batch decides is in [`super::commit`]; this only carries it there.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread::JoinHandle;

use protocol::Timestamp;
use rusqlite::Connection;
use tokio::sync::oneshot;

use super::commit::commit;
use crate::store::{Batch, Committed, Result, StoreError};

/// More than [`commit`] has statements.
const STATEMENTS: usize = 16;
/// Pages in the write-ahead log after which they are moved into the database, 16 MiB. Pages that
/// were written many times move once, so a longer log is less work; it is read again at a start
/// after a crash, which at this size takes a moment.
const CHECKPOINT_PAGES: u32 = 4_096;

/// The door to the thread; it ends with [`Self::close`], or when this is dropped.
pub(super) struct Committer {
    jobs: Mutex<Option<mpsc::Sender<Job>>>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

struct Job {
    batch: Arc<Batch>,
    now: Timestamp,
    done: oneshot::Sender<Result<Committed>>,
}

impl Committer {
    /// Opens its connection to a database that is up to date.
    pub(super) fn start(file: &Path) -> Result<Self> {
        let (jobs, waiting) = mpsc::channel();
        let (file, database) = (file.to_owned(), open(file)?);
        let thread = std::thread::Builder::new()
            .name("duet-committer".to_owned())
            .spawn(move || run(&file, database, &waiting))
            .map_err(|_| StoreError::Closed)?;
        Ok(Self { jobs: Mutex::new(Some(jobs)), thread: Mutex::new(Some(thread)) })
    }

    /// Commits a batch and returns when it is on disk.
    pub(super) async fn commit(&self, batch: Arc<Batch>, now: Timestamp) -> Result<Committed> {
        let (done, outcome) = oneshot::channel();
        let jobs = self.jobs.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let sent = jobs.is_some_and(|jobs| jobs.send(Job { batch, now, done }).is_ok());
        if !sent {
            return Err(StoreError::Closed);
        }
        outcome.await.map_err(|_| StoreError::Closed)?
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
    database.pragma_update(None, "wal_autocheckpoint", CHECKPOINT_PAGES)?;
    database.busy_timeout(super::ACQUIRE_TIMEOUT)?;
    database.set_prepared_statement_cache_capacity(STATEMENTS);
    Ok(database)
}

fn run(file: &Path, mut database: Connection, jobs: &mpsc::Receiver<Job>) {
    while let Ok(Job { batch, now, done }) = jobs.recv() {
        let outcome = commit(&mut database, &batch, now).map_err(StoreError::from);
        // Whoever waits takes the batch apart.
        drop(batch);
        if outcome.is_err()
            && let Ok(anew) = open(file)
        {
            // After a failed write nothing that this connection remembers is relied on.
            database = anew;
        }
        // Whoever asked may have gone; the batch stands, and a repeat gets the same answer.
        let _ = done.send(outcome);
    }
}

#[cfg(test)]
mod tests {
    use crate::store::Store;
    use crate::store::sqlite::SqliteStore;

    #[tokio::test]
    async fn a_store_that_cannot_commit_does_not_call_itself_writable() {
        let directory = tempfile::tempdir().expect("a directory");
        let store = SqliteStore::open(&directory.path().join("duet.db")).await.expect("a store");
        store.check_writable().await.expect("writable");
        store.committer.close().await;
        assert!(store.check_writable().await.is_err());
    }
}
