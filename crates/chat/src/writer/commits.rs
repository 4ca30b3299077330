//! The seam between the writer and the way in which this node commits.
//!
//! The writer knows only the trait [`Commits`]. A node without a broker commits each batch in a
//! transaction of its own ([`LocalCommits`]). A node with a broker may let the leader commit, and
//! merges the batches of other nodes into its transactions ([`crate::cluster::ClusterCommits`]).
//!
//! # What an implementation promises
//! - It returns after the batch is on disk, or with an error. After an error the batch may be on
//!   disk all the same; a retry is harmless, because the store recognises repeats.
//! - The results have the order and the lengths of the batch's lists. They contain a deferred
//!   result only if [`Batch::yields`] is set.
//! - The batch is committed as a whole, in one transaction. In each conversation, a batch that was
//!   handed over after another one had returned gets higher seqs.
//! - No reference to the batch remains when the call returns, so the writer takes the batch back
//!   without copying it.
//! - Store failures are logged by the implementation, at most one line per kind and interval.
//! - It waits at most one second for a leader, and otherwise only for transactions of the store.
//!
//! # What the writer promises
//! - It hands over one batch at a time, and polls the commit before it answers the previous batch.
//! - It awaits every call to its end: implementations are not cancel safe.

use std::sync::Arc;

use async_trait::async_trait;

use crate::clock;
use crate::health::{Health, Work};
use crate::store::{Batch, Committed, Store, StoreError};

/// The result of a commit. Batches of one transaction share its error.
pub(crate) type CommitResult = Result<Committed, Arc<StoreError>>;

/// Commits batches for the writer; see the module for what both sides promise.
#[async_trait]
pub(crate) trait Commits: Send + Sync {
    /// Commits a batch, and returns when it is on disk.
    async fn commit(&self, batch: Arc<Batch>) -> CommitResult;
}

/// Commits each batch at this node, in a transaction of its own.
pub(crate) struct LocalCommits {
    store: Arc<dyn Store>,
    health: Arc<Health>,
}

impl LocalCommits {
    pub(crate) fn new(store: Arc<dyn Store>, health: Arc<Health>) -> Self {
        Self { store, health }
    }
}

#[async_trait]
impl Commits for LocalCommits {
    async fn commit(&self, batch: Arc<Batch>) -> CommitResult {
        let committed = self.store.commit(batch, clock::now()).await;
        committed.map_err(|error| {
            self.health.failed(Work::Commit, &error);
            Arc::new(error)
        })
    }
}
