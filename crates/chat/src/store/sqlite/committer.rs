//! The handle of the thread that commits batches. Called by [`super::SqliteStore`], which ensures
//! that nothing else writes during a commit. [`super::commit_thread`] has the thread itself.

use std::path::Path;
use std::sync::atomic::AtomicU32;
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread::JoinHandle;

use protocol::Timestamp;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use super::commit_thread::CommitThread;
use super::marker::Keeper;
use crate::store::{Batch, Committed, Result, StoreError};

/// The handle of the thread. The thread ends with [`Self::close`], or when the handle is dropped.
pub(super) struct Committer {
    jobs: Mutex<Option<mpsc::Sender<Job>>>,
    thread: Mutex<Option<JoinHandle<()>>>,
    /// Cancelled when the thread ends, also by a panic.
    ended: CancellationToken,
}

/// A job of the thread.
pub(super) enum Job {
    /// Commit a batch.
    Commit { batch: Arc<Batch>, now: Timestamp, done: oneshot::Sender<Result<Committed>> },
    /// Check the log's length after writes by the pool.
    CheckLog { done: oneshot::Sender<()> },
    /// Empty the log after a deletion.
    EmptyLog { done: oneshot::Sender<()> },
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
        let state = CommitThread::new(file, keeper, turn, pool_writes)?;
        let ended = CancellationToken::new();
        let ends = ended.clone().drop_guard();
        let thread = std::thread::Builder::new()
            .name("duet-committer".to_owned())
            .spawn(move || {
                let _ended = ends;
                state.run(&waiting);
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
        if !self.send(Job::Commit { batch, now, done }) {
            return Err(StoreError::Closed);
        }
        outcome.await.map_err(|_| StoreError::Closed)?
    }

    /// Checks the log's length after writes by the pool. The caller must hold `turn`.
    pub(super) async fn check_log(&self) {
        let (done, checked) = oneshot::channel();
        if self.send(Job::CheckLog { done }) {
            // If the thread has ended there is nothing to do.
            let _ = checked.await;
        }
    }

    /// Empties the log, which contains what a write by the pool has deleted. The caller must hold
    /// `turn`.
    pub(super) async fn empty_log(&self) {
        let (done, emptied) = oneshot::channel();
        if self.send(Job::EmptyLog { done }) {
            // If the thread has ended, the next start empties the log.
            let _ = emptied.await;
        }
    }

    fn send(&self, job: Job) -> bool {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Store;
    use crate::store::sqlite::SqliteStore;
    use crate::{Chat, Config};

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
