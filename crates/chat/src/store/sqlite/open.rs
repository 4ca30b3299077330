//! Bringing a database file up to date at start. Called by [`super::SqliteStore::open`]; a move of
//! the store asks which schema that is.

use std::path::Path;

use protocol::Epoch;
use sqlx::SqlSafeStr;
use sqlx::migrate::{MigrateError, Migration, MigrationType, Migrator};
use sqlx::sqlite::SqlitePool;

use crate::store::StoreError;

/// Run at start, in this order, never edited.
const MIGRATIONS: [(i64, &str, &str); 4] = [
    (1, "accounts", include_str!("../../../migrations/sqlite/0001_accounts.sql")),
    (2, "conversations", include_str!("../../../migrations/sqlite/0002_conversations.sql")),
    (
        3,
        "messages by client id",
        include_str!("../../../migrations/sqlite/0003_messages_by_client_id.sql"),
    ),
    (4, "settings", include_str!("../../../migrations/sqlite/0004_settings.sql")),
];

/// Why a store could not be opened: one line for the operator.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The directory or file.
    #[error(
        "cannot use {path} for the database: {source}. Choose another directory with DUET_DATA or --data."
    )]
    Path {
        /// Which.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// Migration numbers beyond ours.
    #[error(
        "the database was written by a newer Duet (schema {0}); run that version or a newer one"
    )]
    Newer(i64),
    /// Anything else a migration says.
    #[error("cannot bring the database up to date: {0}")]
    Migrate(MigrateError),
    /// Anything else the database says.
    #[error("cannot open the database: {0}")]
    Database(#[from] sqlx::Error),
    /// The connection that commits.
    #[error("cannot open the database: {0}")]
    Commit(#[from] StoreError),
}

/// Messages are private: nobody else on the machine reads the directory.
pub(super) fn create_private_directory(directory: &Path) -> std::io::Result<()> {
    if directory.as_os_str().is_empty() || directory.is_dir() {
        return Ok(());
    }
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(directory)
}

/// The number of the last of them.
pub(in crate::store) fn newest_schema() -> i64 {
    MIGRATIONS.iter().map(|(version, ..)| *version).max().unwrap_or_default()
}

pub(super) async fn migrate(pool: &SqlitePool) -> std::result::Result<(), OpenError> {
    let migrations = MIGRATIONS
        .into_iter()
        .map(|(version, name, sql)| {
            Migration::new(version, name.into(), MigrationType::Simple, sql.into_sql_str(), false)
        })
        .collect();
    Migrator::with_migrations(migrations).run(pool).await.map_err(|error| match error {
        MigrateError::VersionMissing(version) => OpenError::Newer(version),
        other => OpenError::Migrate(other),
    })
}

pub(super) async fn read_or_make_epoch(
    pool: &SqlitePool,
) -> std::result::Result<Epoch, sqlx::Error> {
    sqlx::query("insert into meta (key, value) values ('epoch', $1) on conflict (key) do nothing")
        .bind(Epoch::new().to_string())
        .execute(pool)
        .await?;
    let text: String =
        sqlx::query_scalar("select value from meta where key = 'epoch'").fetch_one(pool).await?;
    text.parse().map_err(|error| sqlx::Error::Decode(Box::new(error)))
}
