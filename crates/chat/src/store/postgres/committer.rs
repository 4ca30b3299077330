//! Where batches are committed: one connection that does nothing else, so that a page of history
//! never waits before a message, and what to do when a commit fails.
//!
//! A batch that met another node's is tried again. When the connection is lost in the midst of a
//! commit nobody knows what became of it, so it is tried once more on another connection; whatever
//! is found to be stored by then counts as stored now, and everyone concerned is told of it. What a
//! batch decides is in [`super::commit`].

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

/// How often a batch is tried that meets others'. Each time one of them has come through.
const ATTEMPTS: u32 = 8;
/// Whoever watches the process learns within this that nothing can be stored.
const CHECKED_WITHIN: Duration = Duration::from_secs(4);
/// A little apart, so that two that met do not meet again.
const APART: Duration = Duration::from_millis(2);

pub(super) struct Committer {
    servers: Servers,
    /// Held while a batch commits; nothing else waits for it for longer than [`PATIENCE`].
    line: Mutex<Line>,
}

enum Line {
    /// None yet, or the last one was lost.
    Down,
    Up(PgConnection),
    Closed,
}

/// What a failure is.
enum Failure {
    /// Another node was quicker; nothing was stored.
    Met,
    /// Nobody knows what was stored.
    Lost,
    /// Nothing was stored, and trying again would not help.
    Final,
}

impl Committer {
    pub(super) fn new(servers: Servers) -> Self {
        Self { servers, line: Mutex::new(Line::Down) }
    }

    /// Commits a batch and returns when it is on disk.
    pub(super) async fn commit(&self, batch: &Batch, now: Timestamp) -> Result<Committed> {
        let mut line = self.line.lock().await;
        timeout(PATIENCE, self.persist(&mut line, batch, now))
            .await
            .unwrap_or(Err(StoreError::Silent))
    }

    /// Writes something of no meaning in the way that batches go.
    pub(super) async fn check_writable(&self) -> Result<()> {
        let checking = async {
            let mut line = self.line.lock().await;
            let mut connection = self.take(&mut line).await?;
            let checked = commit::check_writable(&mut connection).await;
            if checked.is_ok() {
                *line = Line::Up(connection);
            }
            checked
        };
        timeout(CHECKED_WITHIN, checking).await.unwrap_or(Err(StoreError::Silent))
    }

    /// Waits for what is under way, and lets go of the connection.
    pub(super) async fn close(&self) {
        if let Line::Up(connection) = std::mem::replace(&mut *self.line.lock().await, Line::Closed)
        {
            // It is gone either way.
            let _ = connection.close().await;
        }
    }

    async fn persist(&self, line: &mut Line, batch: &Batch, now: Timestamp) -> Result<Committed> {
        let mut earlier = Earlier::IsRepeated;
        let mut attempt = 1;
        loop {
            let mut connection = self.take(line).await?;
            let error = match commit::commit(&mut connection, batch, now, earlier).await {
                Ok(committed) => {
                    *line = Line::Up(connection);
                    return Ok(committed);
                }
                // The server answered in order, and nothing is open.
                Err(StoreError::Elsewhere) => {
                    *line = Line::Up(connection);
                    return Err(StoreError::Elsewhere);
                }
                Err(error) => error,
            };
            match failure(&error) {
                Failure::Met if attempt < ATTEMPTS => {
                    *line = Line::Up(connection);
                    sleep(APART.saturating_mul(attempt)).await;
                }
                Failure::Lost if earlier == Earlier::IsRepeated => earlier = Earlier::IsStored,
                Failure::Met | Failure::Lost | Failure::Final => return Err(error),
            }
            attempt += 1;
        }
    }

    /// The connection, which is lost if it is not put back: whoever stops waiting leaves it in an
    /// unknown state.
    async fn take(&self, line: &mut Line) -> Result<PgConnection> {
        match std::mem::replace(line, Line::Down) {
            Line::Up(connection) => Ok(connection),
            Line::Down => connections::connect(&self.servers).await,
            Line::Closed => {
                *line = Line::Closed;
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
            // An id of a message that was used meanwhile; a serialisation failure; a deadlock.
            Some("23505" | "40001" | "40P01") => Failure::Met,
            // The server is told to stop, or crashes, or has lost the connection.
            Some(code) if code.starts_with("57P") || code.starts_with("08") => Failure::Lost,
            _ => Failure::Final,
        },
        _ => Failure::Final,
    }
}
