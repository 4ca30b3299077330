//! Makes connections to Postgres, configures them, and lends them to calls. Called by
//! [`super::PostgresStore`] and [`super::committer`].
//!
//! A remote server may stop answering at any moment, and so may a node. The settings let the server
//! drop the connections of vanished nodes. A node waits for a call at most [`PATIENCE`]; a
//! connection on which a call failed or timed out is closed and not reused.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgConnection, PgPool, PgPoolOptions};
use sqlx::{Connection, Postgres};
use tokio::time::timeout;

use super::servers::Servers;
use crate::store::{Result, StoreError};

/// The maximum duration of a call. The server ends each statement earlier.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);
/// How long a call may wait for a connection. Most of this time is for making a new connection.
const ACQUIRE_WITHIN: Duration = Duration::from_secs(3);
/// A connection idle for this long may have broken, so it is pinged before use.
const PING_AFTER: Duration = Duration::from_secs(1);

/// The settings of each connection. A commit is on disk when it returns, whatever the server's
/// default. Statements and lock waits have time limits, and the locks of a vanished node last
/// seconds. Each statement keeps one generic plan that uses an index; every statement has such a
/// plan, and the statistics of new tables would mislead the planner.
const SETTINGS: &str = "select set_config(name, value, false) from (values \
    ('synchronous_commit', 'on'), \
    ('default_transaction_isolation', 'read committed'), \
    ('statement_timeout', '5000'), \
    ('lock_timeout', '4000'), \
    ('idle_in_transaction_session_timeout', '10000'), \
    ('tcp_keepalives_idle', '10'), \
    ('tcp_keepalives_interval', '5'), \
    ('tcp_keepalives_count', '3'), \
    ('tcp_user_timeout', '20000'), \
    ('plan_cache_mode', 'force_generic_plan'), \
    ('enable_seqscan', 'off'), \
    ('jit', 'off')) as settings (name, value)";

/// A configured connection outside the pool.
pub(super) async fn connect(servers: &Servers) -> Result<PgConnection> {
    let connecting = async {
        let mut connection = servers.connect().await?;
        prepare(&mut connection).await?;
        Ok(connection)
    };
    timeout(ACQUIRE_WITHIN, connecting).await.unwrap_or(Err(StoreError::Silent))
}

async fn prepare(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    sqlx::query(SETTINGS).persistent(false).execute(connection).await.map(drop)
}

/// The connections for all calls except commits.
pub(super) struct Pool {
    pool: PgPool,
    servers: Servers,
    /// The index of the server to which the pool connects.
    leads_to: AtomicUsize,
}

impl Pool {
    pub(super) fn new(servers: Servers, most: u32) -> Self {
        let (at, options) = servers.current();
        let checked = servers.clone();
        let pool = PgPoolOptions::new()
            .max_connections(most)
            .acquire_timeout(ACQUIRE_WITHIN)
            .test_before_acquire(false)
            .before_acquire(|connection, idle| {
                Box::pin(async move {
                    if idle.idle_for < PING_AFTER {
                        return Ok(true);
                    }
                    Ok(matches!(timeout(PING_AFTER, connection.ping()).await, Ok(Ok(()))))
                })
            })
            .after_connect(move |connection, _| {
                let servers = checked.clone();
                Box::pin(async move {
                    servers.check(connection).await?;
                    prepare(connection).await
                })
            })
            .connect_lazy_with(options.clone());
        Self { pool, leads_to: AtomicUsize::new(at), servers }
    }

    pub(super) async fn close(&self) {
        self.pool.close().await;
    }

    /// Takes a connection from the pool. If that fails and there are several servers, looks for a
    /// new primary first.
    async fn acquire(&self) -> Result<PoolConnection<Postgres>> {
        self.follow();
        match self.pool.acquire().await {
            Ok(connection) => return Ok(connection),
            Err(error) if !self.servers.are_several() => return Err(error.into()),
            Err(error) => tracing::debug!(%error, "looking for the server that takes writes"),
        }
        // Connects only to find the primary, so an error in closing is irrelevant.
        let _ = connect(&self.servers).await?.close().await;
        self.follow();
        Ok(self.pool.acquire().await?)
    }

    /// Directs new connections of the pool to the current primary.
    fn follow(&self) {
        let (at, options) = self.servers.current();
        if self.leads_to.swap(at, Ordering::AcqRel) != at {
            self.pool.set_connect_options(options.clone());
        }
    }
}

/// A connection lent to a call. Closed on drop unless it was given back, so a failed or cancelled
/// call never returns it to the pool.
pub(super) struct Lent(Option<PoolConnection<Postgres>>);

impl Lent {
    pub(super) async fn from(pool: &Pool) -> Result<Self> {
        Ok(Self(Some(pool.acquire().await?)))
    }

    pub(super) fn connection(&mut self) -> Result<&mut PgConnection> {
        self.0.as_deref_mut().ok_or(StoreError::Closed)
    }

    /// Returns the connection to the pool if the call succeeded.
    pub(super) fn give_back<T>(mut self, outcome: Result<T>) -> Result<T> {
        if outcome.is_ok() {
            drop(self.0.take());
        }
        outcome
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        if let Some(connection) = &mut self.0 {
            connection.close_on_drop();
        }
    }
}
