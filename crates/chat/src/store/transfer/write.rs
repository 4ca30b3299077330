//! The copy: a Postgres in which nobody is yet, or in which this move was interrupted.
//!
//! While a move is unfinished the database says so in `meta`, and no node serves it. How far it has
//! come is read from the tables themselves: rows arrive in the order of their keys, and those of one
//! statement together or not at all.

use std::time::Duration;

use rusqlite::types::Value;
use sqlx::postgres::{PgConnection, PgRow};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Row};
use tokio::time::{sleep, timeout};
use uuid::Uuid;

use super::read::{Column, Place, Rows};
use super::tables::{Kind, TABLES, Table};
use super::{MoveError, Result};
use crate::store::postgres::open::{MOVE, newest_schema, up_to_date};
use crate::store::postgres::servers::Servers;

/// Of all moves into a database, one at a time. A number of no meaning.
const LOCK: i64 = 0x6475_6574_6d6f_7665;
/// Whoever was killed is gone from the database when the statement it was in has ended.
const LOCK_WITHIN: Duration = Duration::from_secs(20);
const LOCK_AGAIN: Duration = Duration::from_millis(100);
/// A server that says nothing for so long says nothing any more.
pub(super) const SILENCE: Duration = Duration::from_secs(300);

/// Statements last as long as they must, and find the order of rows in an index. A server lets go
/// of a command that vanished.
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

/// See the module.
pub(super) struct Target {
    pub(super) connection: PgConnection,
    /// Whether an earlier run has begun it.
    pub(super) resumed: bool,
}

impl Target {
    /// Comes to the database, makes the tables if there are none, and says there that it is the
    /// unfinished copy of this store; or refuses it as it is.
    pub(super) async fn begin(url: &str, epoch: &str) -> Result<Self> {
        // Long statements are what is to be expected here.
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
        let resumed = claim(&mut connection, epoch).await?;
        Ok(Self { connection, resumed })
    }

    /// The last row that is there.
    pub(super) async fn place(&mut self, table: &Table) -> Result<Option<Place>> {
        let sql = format!(
            "select {} from {} order by {} limit 1",
            table.key(),
            table.name,
            table.last_first()
        );
        let last = sqlx::query(AssertSqlSafe(sql)).fetch_optional(&mut self.connection).await?;
        last.map(|row| place(table, &row)).transpose()
    }

    /// Writes rows, all or none.
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
        timeout(SILENCE, query.execute(&mut self.connection))
            .await
            .map_err(|_| MoveError::Silent)?
            .map(drop)
            .map_err(|error| explain(table, error))
    }

    /// Tells the database how much there is of everything, for its plans.
    pub(super) async fn analyze(&mut self) -> Result<()> {
        for table in &TABLES {
            let sql = AssertSqlSafe(format!("analyze {}", table.name));
            sqlx::query(sql).execute(&mut self.connection).await?;
        }
        Ok(())
    }

    /// The life of the store, as the copy has it.
    pub(super) async fn epoch(&mut self) -> Result<Option<String>> {
        Ok(meta(&mut self.connection, "epoch").await?)
    }

    /// From here on nodes may serve it. One that does already came in the moment before the database
    /// was claimed, and believes it to be another store.
    pub(super) async fn finish(mut self) -> Result<()> {
        refuse_if_served(&mut self.connection).await?;
        sqlx::query("delete from meta where key = $1")
            .bind(MOVE)
            .execute(&mut self.connection)
            .await?;
        // It is finished, whether the connection ends well or not.
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

fn place(table: &Table, row: &PgRow) -> Result<Place> {
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

/// What the database refuses, it would refuse again.
fn explain(table: &Table, error: sqlx::Error) -> MoveError {
    let code = error.as_database_error().and_then(|said| said.code());
    match code.as_deref() {
        // Data that does not fit the column, or a row that is not one's own.
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

/// Says whether it was claimed already.
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
