//! Connections to Postgres: how they are made, what each is told first, and how calls borrow one.
//! Called by [`super::PostgresStore`] and [`super::committer`].
//!
//! A server that is elsewhere may fall silent at any moment. It is told to let go of nodes that
//! did; this end waits for each call no longer than [`PATIENCE`], and a connection on which a call
//! did not end well is closed and not lent again.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgConnection, PgPool, PgPoolOptions};
use sqlx::{Connection, Postgres};
use tokio::time::timeout;

use super::servers::Servers;
use crate::store::{Result, StoreError};

/// How long a call may take in all; the server ends each of its statements before that.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);
/// How long a call may wait for a connection; most of it, for one to be made.
const ACQUIRE_WITHIN: Duration = Duration::from_secs(3);
/// One that was not used for this long may have died meanwhile, and is asked before it is lent.
const ASK_AFTER: Duration = Duration::from_secs(1);

/// What each connection is told first. A commit is on disk when it returns, whatever the server
/// does by default. No statement waits for ever, here or for a lock; a node that vanished holds its
/// locks for seconds. Each statement keeps one plan, which finds rows by an index: every statement
/// has one, and what the server knows of tables that were just made would mislead it.
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

/// A connection of its own, ready for statements.
pub(super) async fn connect(servers: &Servers) -> Result<PgConnection> {
    let connecting = async {
        let mut connection = servers.connect().await?;
        prepare(&mut connection).await?;
        Ok(connection)
    };
    timeout(ACQUIRE_WITHIN, connecting).await.unwrap_or(Err(StoreError::Silent))
}

async fn prepare(connection: &mut PgConnection) -> std::result::Result<(), sqlx::Error> {
    sqlx::query(SETTINGS).persistent(false).execute(connection).await.map(drop)
}

/// Connections for all calls but commits.
pub(super) struct Pool {
    pool: PgPool,
    servers: Servers,
    /// To which of the servers connections are made.
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
                    if idle.idle_for < ASK_AFTER {
                        return Ok(true);
                    }
                    Ok(matches!(timeout(ASK_AFTER, connection.ping()).await, Ok(Ok(()))))
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

    /// A connection. Where there are several servers, another one may take writes by now.
    async fn acquire(&self) -> Result<PoolConnection<Postgres>> {
        self.follow();
        match self.pool.acquire().await {
            Ok(connection) => return Ok(connection),
            Err(error) if !self.servers.are_several() => return Err(error.into()),
            Err(error) => tracing::debug!(%error, "looking for the server that takes writes"),
        }
        // Only to know which one it is. It is closed either way.
        let _ = connect(&self.servers).await?.close().await;
        self.follow();
        Ok(self.pool.acquire().await?)
    }

    /// Connects to the server that took writes last, from now on.
    fn follow(&self) {
        let (at, options) = self.servers.current();
        if self.leads_to.swap(at, Ordering::AcqRel) != at {
            self.pool.set_connect_options(options.clone());
        }
    }
}

/// A connection that is lent to a call. If the call does not give it back, because it failed or
/// nobody waits for it any more, it is closed.
pub(super) struct Lent(Option<PoolConnection<Postgres>>);

impl Lent {
    pub(super) async fn from(pool: &Pool) -> Result<Self> {
        Ok(Self(Some(pool.acquire().await?)))
    }

    pub(super) fn connection(&mut self) -> Result<&mut PgConnection> {
        self.0.as_deref_mut().ok_or(StoreError::Closed)
    }

    /// Back to the pool, if the call ended well.
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
