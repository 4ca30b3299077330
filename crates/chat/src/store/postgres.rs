//! The shared store: a Postgres database that several nodes use. Any node may vanish at any moment.
//!
//! Every statement runs in READ COMMITTED. A statement locks the rows that it reads if they must
//! not change before the commit. To avoid deadlocks, several rows are locked in one order: users,
//! the looks of usernames, sessions, invitations, conversations, members, message ids; within a table by id. Ids are
//! `uuid`. Lists are passed to a statement as arrays.
//!
//! Clocks: stored times are those of the writing node, and nodes may differ by minutes. These times
//! decide only when sessions and invitations expire, which is a matter of days. Times that matter
//! within a minute, such as the end of a previous token, use the database's clock. The list of
//! conversations is sorted by stored times, so its order can differ from the order of events by as
//! much as the clocks differ.
//!
//! Commits have a connection of their own (`committer`); all other calls share a pool.

/// The SQL for the name of this running database: the version of the nodes' messages, the database's
/// oid, the oid of the table `nodes` (a copy may be in another schema), and the start time of the
/// server in microseconds. See [`super::Instance`]. Nodes whose messages have another version use
/// other subjects, because the name differs, and each kind counts the other as nodes whose events do
/// not arrive.
macro_rules! instance {
    () => {
        "('v2-' || (select oid::text from pg_database where datname = current_database()) || '-' || \
          'nodes'::regclass::oid::text || '-' || \
          (extract(epoch from pg_postmaster_start_time()) * 1000000)::bigint::text)"
    };
}

/// The columns of the nodes' secrets and of the database's clock, which [`secrets::read`] reads.
macro_rules! secrets_and_clock {
    () => {
        "(select value from meta where key = 'nodes_secret') as secret, \
         (select value from meta where key = 'nodes_secret_before') as secret_before, \
         (extract(epoch from clock_timestamp()) * 1000000)::bigint as clock"
    };
}

mod accounts;
mod allowances;
mod commit;
mod committer;
mod connections;
mod conversations;
mod deletion;
mod device_links;
mod identities;
mod invitations;
mod leases;
mod looks;
mod messages;
pub(super) mod open;
mod open_error;
mod passkeys;
mod people;
mod pooler;
#[cfg(test)]
mod query_plans;
mod reports;
mod second_factors;
mod secrets;
pub(super) mod servers;
mod sessions;
mod settings;
mod standings;
mod words;

use std::time::Duration;

use async_trait::async_trait;
use protocol::Epoch;
use sqlx::postgres::PgConnection;
use tokio::time::timeout;

use super::{
    ClusterState, DatabaseClock, Instance, NodesSecrets, Result, Store, StoreError, StoreSecret,
};
use committer::Committer;
use connections::{Lent, PATIENCE, Pool};
use open::Opened;
use servers::Servers;

pub use open_error::OpenError;

/// A store in a Postgres database.
pub struct PostgresStore {
    committer: Committer,
    pool: Pool,
    opened: Opened,
}

impl PostgresStore {
    /// Connects to the database of a URL with at most `connections` connections, and migrates its
    /// schema. Nodes that start at the same time wait for each other.
    ///
    /// # Errors
    /// One line that tells the operator what to do, without the password.
    pub async fn open(url: &str, connections: u32) -> Result<Self, OpenError> {
        Self::open_within(url, connections, Duration::ZERO).await
    }

    /// Like [`Self::open`], but retries for `patience` while no server is reachable.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub async fn open_within(
        url: &str,
        connections: u32,
        patience: Duration,
    ) -> Result<Self, OpenError> {
        let servers = Servers::of(url, |options| options)?;
        let opened = open::prepare_database(&servers, patience).await?;
        let committer = Committer::new(servers.clone());
        let pool = Pool::new(servers, connections.saturating_sub(1).max(1));
        Ok(Self { committer, pool, opened })
    }

    /// Runs a call on a connection of the pool, with the time limit [`PATIENCE`] for both. After an
    /// error or a timeout, and when the caller is cancelled, the connection is closed.
    async fn call<T>(&self, call: impl AsyncFnOnce(&mut PgConnection) -> Result<T>) -> Result<T> {
        self.call_within(PATIENCE, call).await
    }

    /// Like [`Self::call`], with another time limit.
    async fn call_within<T>(
        &self,
        limit: Duration,
        call: impl AsyncFnOnce(&mut PgConnection) -> Result<T>,
    ) -> Result<T> {
        let calling = async {
            let mut lent = Lent::from(&self.pool).await?;
            let outcome = call(lent.connection()?).await;
            lent.give_back(outcome)
        };
        timeout(limit, calling).await.unwrap_or(Err(StoreError::Silent))
    }
}

/// Whether a text can be a parameter. Postgres refuses NUL in any text, and no stored text contains
/// it.
fn can_be_parameter(text: &str) -> bool {
    !text.contains('\0')
}

#[async_trait]
impl Store for PostgresStore {
    fn epoch(&self) -> Epoch {
        self.opened.epoch
    }

    fn secret(&self) -> &StoreSecret {
        &self.opened.secret
    }

    async fn check_writable(&self) -> Result<()> {
        // Only this connection writes messages.
        self.committer.check_writable().await
    }

    async fn check_readable(&self) -> Result<()> {
        // Reads by an index, as most calls do.
        self.call(async |connection| {
            sqlx::query("select 1 from users where username_key = ''")
                .fetch_optional(connection)
                .await?;
            Ok(())
        })
        .await
    }

    async fn size(&self) -> Result<u64> {
        self.call(async |connection| {
            let bytes: i64 = sqlx::query_scalar("select pg_database_size(current_database())")
                .fetch_one(connection)
                .await?;
            Ok(u64::try_from(bytes).unwrap_or_default())
        })
        .await
    }

    async fn close(&self) {
        self.committer.close().await;
        self.pool.close().await;
    }

    fn cluster_state(&self) -> Option<&dyn ClusterState> {
        Some(self)
    }
}

#[async_trait]
impl ClusterState for PostgresStore {
    fn secrets(&self) -> &NodesSecrets {
        &self.opened.secrets
    }

    fn clock(&self) -> DatabaseClock {
        self.opened.clock
    }

    fn instance(&self) -> &Instance {
        &self.opened.instance
    }

    async fn replace_secret(&self) -> Result<bool> {
        self.call(async |connection| Ok(secrets::replace(connection).await?)).await
    }
}
