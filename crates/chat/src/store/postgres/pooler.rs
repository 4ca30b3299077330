//! Detects poolers that do not keep sessions. Such a pooler may run each transaction in another
//! session of the server, and then settings, locks and prepared statements are lost. Called by
//! [`super::open`] at start.

use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Row};
use uuid::Uuid;

/// The setting that marks a session.
const MARK: &str = "duet.session";

/// Whether each connection keeps its session. The first connection marks its session. The second
/// one begins a transaction, for which a pooler must assign the marked session or another one. Then
/// both read the mark: only the first may see it.
pub(super) async fn keeps_sessions(
    one: &mut PgConnection,
    options: &PgConnectOptions,
) -> Result<bool, sqlx::Error> {
    let mark = Uuid::now_v7();
    // Uses the simple query protocol, because a pooler may not support prepared statements.
    let write = format!("select set_config('{MARK}', '{mark}', false)");
    sqlx::raw_sql(AssertSqlSafe(write)).execute(&mut *one).await?;
    let mut other = options.connect().await?;
    if let Err(error) = sqlx::raw_sql("begin").execute(&mut other).await {
        return match &error {
            // A pooler that assigns a session to each statement refuses transactions.
            sqlx::Error::Database(_) => Ok(false),
            _ => Err(error),
        };
    }
    let is_shared = read(&mut other).await?.is_some_and(|found| found == mark.to_string());
    let is_kept = is_shared || read(one).await?.is_some_and(|found| found == mark.to_string());
    sqlx::raw_sql("rollback").execute(&mut other).await?;
    // The connection is no longer used, even if closing it fails.
    let _ = other.close().await;
    Ok(is_kept && !is_shared)
}

async fn read(connection: &mut PgConnection) -> Result<Option<String>, sqlx::Error> {
    let read = format!("select current_setting('{MARK}', true)");
    sqlx::raw_sql(AssertSqlSafe(read)).fetch_one(connection).await?.try_get(0)
}
