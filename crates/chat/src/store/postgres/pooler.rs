//! Whether each connection is one session of the server. A pooler in between may give every
//! transaction to another session; then what a connection was told is forgotten, and its locks and
//! prepared statements with it. Called once, by [`super::open`].

use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Row};
use uuid::Uuid;

/// What is written into the session.
const MARK: &str = "duet.session";

/// Whether both connections keep a session of their own. One writes a mark into its session; the
/// other one begins a transaction, for which a pooler has to take the session that was used last, or
/// another one; and then each reads.
pub(super) async fn keeps_sessions(
    one: &mut PgConnection,
    options: &PgConnectOptions,
) -> Result<bool, sqlx::Error> {
    let mark = Uuid::now_v7();
    // In the simple form of the protocol: a pooler may not know the statements of a session.
    let write = format!("select set_config('{MARK}', '{mark}', false)");
    sqlx::raw_sql(AssertSqlSafe(write)).execute(&mut *one).await?;
    let mut other = options.connect().await?;
    if let Err(error) = sqlx::raw_sql("begin").execute(&mut other).await {
        return match &error {
            // A pooler that gives each statement to another session has no transactions at all.
            sqlx::Error::Database(_) => Ok(false),
            _ => Err(error),
        };
    }
    let is_shared = read(&mut other).await?.is_some_and(|found| found == mark.to_string());
    let is_kept = is_shared || read(one).await?.is_some_and(|found| found == mark.to_string());
    sqlx::raw_sql("rollback").execute(&mut other).await?;
    // It is gone either way.
    let _ = other.close().await;
    Ok(is_kept && !is_shared)
}

async fn read(connection: &mut PgConnection) -> Result<Option<String>, sqlx::Error> {
    let read = format!("select current_setting('{MARK}', true)");
    sqlx::raw_sql(AssertSqlSafe(read)).fetch_one(connection).await?.try_get(0)
}
