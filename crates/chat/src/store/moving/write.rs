//! The target of a move: a Postgres database that is empty or holds the unfinished copy of this
//! store.
//!
//! While a move is unfinished, a row of `meta` marks the database and no node serves it. The tables
//! themselves show how far the move has come: rows are written in the order of their keys, and each
//! statement writes all of its rows or none. Called by [`super`] and [`super::check`].

use std::time::Duration;

use rusqlite::types::Value;
use sqlx::postgres::{PgConnection, PgRow};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Row};
use tokio::time::{sleep, timeout};
use uuid::Uuid;

use super::read::{Column, RowKey, Rows, Source};
use super::tables::{Kind, TABLES, Table};
use super::{MoveError, Result};
use crate::store::postgres::open::{MOVE, SECRET, newest_schema, up_to_date};
use crate::store::postgres::servers::Servers;

/// The advisory lock that allows one move at a time into a database. The number is arbitrary.
const LOCK: i64 = 0x6475_6574_6d6f_7665;
/// How long to wait for the lock. A killed process holds the lock until its last statement ends.
const LOCK_WITHIN: Duration = Duration::from_secs(20);
const LOCK_AGAIN: Duration = Duration::from_millis(100);
/// How long a server may take to answer.
pub(super) const ANSWER_WITHIN: Duration = Duration::from_secs(300);

/// Removes the time limits of statements, and makes the planner read rows in index order. The
/// keepalive settings let the server drop the connection of a vanished process.
const SETTINGS: &str = "select set_config(name, value, false) from (values \
    ('synchronous_commit', 'on'), \
    ('default_transaction_isolation', 'read committed'), \
    ('statement_timeout', '0'), \
    ('lock_timeout', '0'), \
    ('tcp_keepalives_idle', '10'), \
    ('tcp_keepalives_interval', '5'), \
    ('tcp_keepalives_count', '3'), \
    ('tcp_user_timeout', '20000'), \
    ('enable_seqscan', 'off'), \
    ('enable_sort', 'off'), \
    ('jit', 'off')) as settings (name, value)";

/// The connection to the target.
pub(super) struct Target {
    pub(super) connection: PgConnection,
    /// Whether an earlier run began the copy.
    pub(super) resumed: bool,
}

impl Target {
    /// Connects, creates the tables if necessary, and marks the database as the unfinished copy of
    /// this store. Refuses a database with other contents. The copy gets the store's secret, by
    /// which known devices stay known.
    pub(super) async fn begin(url: &str, source: &Source) -> Result<Self> {
        // Slow statements are normal here and need no log line.
        let servers = Servers::of(url, |options| options.disable_statement_logging())?;
        let mut connection = up_to_date(&servers, Duration::ZERO).await?;
        sqlx::query(SETTINGS).execute(&mut connection).await?;
        let newest: i64 = sqlx::query_scalar("select max(version) from _sqlx_migrations")
            .fetch_one(&mut connection)
            .await?;
        if newest > newest_schema() {
            return Err(MoveError::NewerTarget(newest));
        }
        lock(&mut connection).await?;
        let resumed = claim(&mut connection, &source.epoch).await?;
        if let Some(secret) = &source.secret {
            sqlx::query(
                "insert into meta (key, value) values ($1, $2) \
                 on conflict (key) do update set value = excluded.value",
            )
            .bind(SECRET)
            .bind(secret)
            .execute(&mut connection)
            .await?;
        }
        Ok(Self { connection, resumed })
    }

    /// The key of the last row written.
    pub(super) async fn last_key(&mut self, table: &Table) -> Result<Option<RowKey>> {
        let sql = format!(
            "select {} from {} order by {} limit 1",
            table.key(),
            table.name,
            table.last_first()
        );
        let last = sqlx::query(AssertSqlSafe(sql)).fetch_optional(&mut self.connection).await?;
        last.map(|row| row_key(table, &row)).transpose()
    }

    /// Writes a batch, all rows or none.
    pub(super) async fn write(&mut self, table: &Table, rows: Rows) -> Result<()> {
        let arrays: Vec<String> =
            table.kinds().map(|(at, kind)| format!("${}::{}[]", at + 1, name(kind))).collect();
        let sql = format!(
            "insert into {} ({}) select * from unnest({})",
            table.name,
            table.columns(),
            arrays.join(", ")
        );
        let mut query = sqlx::query(AssertSqlSafe(sql));
        for column in rows.columns {
            query = match column {
                Column::Ids(all) => query.bind(all),
                Column::Bytes(all) => query.bind(all),
                Column::Texts(all) => query.bind(all),
                Column::Numbers(all) => query.bind(all),
                Column::Flags(all) => query.bind(all),
            };
        }
        timeout(ANSWER_WITHIN, query.execute(&mut self.connection))
            .await
            .map_err(|_| MoveError::Silent)?
            .map(drop)
            .map_err(|error| explain(table, error))
    }

    /// Updates the planner's statistics.
    pub(super) async fn analyze(&mut self) -> Result<()> {
        for table in &TABLES {
            let sql = AssertSqlSafe(format!("analyze {}", table.name));
            sqlx::query(sql).execute(&mut self.connection).await?;
        }
        Ok(())
    }

    /// The epoch stored in the copy.
    pub(super) async fn epoch(&mut self) -> Result<Option<String>> {
        Ok(meta(&mut self.connection, "epoch").await?)
    }

    /// Removes the mark, so that nodes may serve the copy. Fails if a node serves the database:
    /// such a node started just before the mark was set and holds another epoch.
    pub(super) async fn finish(mut self) -> Result<()> {
        refuse_if_served(&mut self.connection).await?;
        sqlx::query("delete from meta where key = $1")
            .bind(MOVE)
            .execute(&mut self.connection)
            .await?;
        // The move is complete even if closing the connection fails.
        let _ = self.connection.close().await;
        Ok(())
    }
}

fn name(kind: Kind) -> &'static str {
    match kind {
        Kind::Id => "uuid",
        Kind::Bytes => "bytea",
        Kind::Text => "text",
        Kind::Number => "bigint",
        Kind::Flag => "boolean",
    }
}

fn row_key(table: &Table, row: &PgRow) -> Result<RowKey> {
    let value = |(at, kind)| {
        Ok(match kind {
            Kind::Id => Value::Blob(row.try_get::<Uuid, _>(at)?.as_bytes().to_vec()),
            Kind::Bytes => Value::Blob(row.try_get(at)?),
            Kind::Text => Value::Text(row.try_get(at)?),
            Kind::Number => Value::Integer(row.try_get(at)?),
            Kind::Flag => Value::Integer(row.try_get::<bool, _>(at)?.into()),
        })
    };
    table.kinds().take(table.key).map(value).collect()
}

/// Separates errors that a retry would repeat from lost connections.
fn explain(table: &Table, error: sqlx::Error) -> MoveError {
    let code = error.as_database_error().and_then(|said| said.code());
    match code.as_deref() {
        // 22: the value does not fit the column. 23: a constraint is violated.
        Some(code) if code.starts_with("22") || code.starts_with("23") => {
            MoveError::Row { table: table.name, why: error }
        }
        _ => MoveError::Lost(error),
    }
}

async fn lock(connection: &mut PgConnection) -> Result<()> {
    let mut waited = Duration::ZERO;
    loop {
        let ours: bool = sqlx::query_scalar("select pg_try_advisory_lock($1)")
            .bind(LOCK)
            .fetch_one(&mut *connection)
            .await?;
        if ours {
            return Ok(());
        }
        if waited >= LOCK_WITHIN {
            return Err(MoveError::AnotherMove);
        }
        sleep(LOCK_AGAIN).await;
        waited += LOCK_AGAIN;
    }
}

async fn meta(connection: &mut PgConnection, key: &str) -> sqlx::Result<Option<String>> {
    sqlx::query_scalar("select value from meta where key = $1")
        .bind(key)
        .fetch_optional(connection)
        .await
}

async fn refuse_if_served(connection: &mut PgConnection) -> Result<()> {
    let nodes = "select exists (select from nodes where until >= clock_timestamp() and not ending)";
    let served: bool = sqlx::query_scalar(nodes).fetch_one(connection).await?;
    if served { Err(MoveError::Served) } else { Ok(()) }
}

/// Marks the database as a copy of this store. Returns whether an earlier run had marked it.
async fn claim(connection: &mut PgConnection, epoch: &str) -> Result<bool> {
    refuse_if_served(connection).await?;
    match meta(connection, MOVE).await? {
        Some(unfinished) if unfinished == epoch => return Ok(true),
        Some(_) => return Err(MoveError::OtherCopy),
        None => {}
    }
    let used: bool = sqlx::query_scalar(
        "select exists (select from users) or exists (select from messages) \
         or exists (select from client_ids)",
    )
    .fetch_one(&mut *connection)
    .await?;
    if used {
        let ours = meta(connection, "epoch").await?.is_some_and(|there| there == epoch);
        return Err(if ours { MoveError::Moved } else { MoveError::Taken });
    }
    sqlx::query(
        "insert into meta (key, value) values ('epoch', $1), ($2, $1) \
         on conflict (key) do update set value = excluded.value",
    )
    .bind(epoch)
    .bind(MOVE)
    .execute(connection)
    .await?;
    Ok(false)
}
