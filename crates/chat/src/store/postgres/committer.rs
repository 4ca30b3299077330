//! Commits batches on a connection that does nothing else, so that a message never waits for a page
//! of history, and retries failed commits.
//!
//! A batch that conflicts with another node's is retried. If the connection breaks during a commit,
//! the result is unknown, so the batch is retried once on a new connection. Messages that are then
//! already stored are reported as stored now, so that the recipients are notified.
//! [`super::commit`] decides what a batch does.

use std::time::Duration;

use protocol::Timestamp;
use sqlx::Connection;
use sqlx::postgres::PgConnection;
use tokio::sync::Mutex;
use tokio::time::{sleep, timeout};

use super::commit::{self, Earlier};
use super::connections::{self, PATIENCE};
use super::servers::Servers;
use crate::store::{Batch, Committed, Result, StoreError};

/// The maximum number of attempts for a batch that conflicts with others. In each conflict another
/// batch is committed.
const ATTEMPTS: u32 = 8;
/// Time limit of the check for writability, short enough for a health probe.
const CHECKED_WITHIN: Duration = Duration::from_secs(4);
/// The pause after a conflict, times the number of attempts, so that the same two batches do not
/// meet again.
const APART: Duration = Duration::from_millis(2);

pub(super) struct Committer {
    servers: Servers,
    /// Held while a batch commits, for at most [`PATIENCE`].
    slot: Mutex<CommitConnection>,
}

enum CommitConnection {
    /// Not connected yet, or the connection was lost.
    Disconnected,
    Connected(PgConnection),
    Closed,
}

/// Kinds of failed commits.
enum Failure {
    /// Another node committed first; nothing was stored.
    Met,
    /// The batch may have been stored.
    Lost,
    /// Nothing was stored, and a retry would fail too.
    Final,
}

impl Committer {
    pub(super) fn new(servers: Servers) -> Self {
        Self { servers, slot: Mutex::new(CommitConnection::Disconnected) }
    }

    /// Commits a batch and returns when it is on disk. If the caller is cancelled, the batch may
    /// still be committed, and the connection is closed.
    pub(super) async fn commit(&self, batch: &Batch, now: Timestamp) -> Result<Committed> {
        let mut slot = self.slot.lock().await;
        timeout(PATIENCE, self.persist(&mut slot, batch, now))
            .await
            .unwrap_or(Err(StoreError::Silent))
    }

    /// Writes a dummy value on the connection for commits.
    pub(super) async fn check_writable(&self) -> Result<()> {
        let checking = async {
            let mut slot = self.slot.lock().await;
            let mut connection = self.take(&mut slot).await?;
            let checked = commit::check_writable(&mut connection).await;
            if checked.is_ok() {
                *slot = CommitConnection::Connected(connection);
            }
            checked
        };
        timeout(CHECKED_WITHIN, checking).await.unwrap_or(Err(StoreError::Silent))
    }

    /// Waits for the commit in progress, then closes the connection.
    pub(super) async fn close(&self) {
        if let CommitConnection::Connected(connection) =
            std::mem::replace(&mut *self.slot.lock().await, CommitConnection::Closed)
        {
            // The connection is no longer used, even if closing it fails.
            let _ = connection.close().await;
        }
    }

    async fn persist(
        &self,
        slot: &mut CommitConnection,
        batch: &Batch,
        now: Timestamp,
    ) -> Result<Committed> {
        let mut earlier = Earlier::IsRepeated;
        let mut attempt = 1;
        loop {
            let mut connection = self.take(slot).await?;
            let error = match commit::commit(&mut connection, batch, now, earlier).await {
                Ok(committed) => {
                    *slot = CommitConnection::Connected(connection);
                    return Ok(committed);
                }
                // The server answered normally, and no transaction is open.
                Err(StoreError::Elsewhere) => {
                    *slot = CommitConnection::Connected(connection);
                    return Err(StoreError::Elsewhere);
                }
                Err(error) => error,
            };
            match failure(&error) {
                Failure::Met if attempt < ATTEMPTS => {
                    *slot = CommitConnection::Connected(connection);
                    sleep(APART.saturating_mul(attempt)).await;
                }
                Failure::Lost if earlier == Earlier::IsRepeated => earlier = Earlier::IsStored,
                Failure::Met | Failure::Lost | Failure::Final => return Err(error),
            }
            attempt += 1;
        }
    }

    /// Takes the connection out of `slot`, or makes a new one. The caller puts it back after
    /// success. A cancelled or failed call drops it, because its state is unknown.
    async fn take(&self, slot: &mut CommitConnection) -> Result<PgConnection> {
        match std::mem::replace(slot, CommitConnection::Disconnected) {
            CommitConnection::Connected(connection) => Ok(connection),
            CommitConnection::Disconnected => connections::connect(&self.servers).await,
            CommitConnection::Closed => {
                *slot = CommitConnection::Closed;
                Err(StoreError::Closed)
            }
        }
    }
}

fn failure(error: &StoreError) -> Failure {
    let StoreError::Database(error) = error else { return Failure::Final };
    match error {
        sqlx::Error::Io(_) | sqlx::Error::Protocol(_) => Failure::Lost,
        sqlx::Error::Database(said) => match said.code().as_deref() {
            // A message id used in the meantime; a serialisation failure; a deadlock.
            Some("23505" | "40001" | "40P01") => Failure::Met,
            // The server shuts down, crashes, or has lost the connection.
            Some(code) if code.starts_with("57P") || code.starts_with("08") => Failure::Lost,
            _ => Failure::Final,
        },
        _ => Failure::Final,
    }
}
