//! The migrator of an engine's list of migrations. The engines call this module when they open a
//! database, and for a move, which compares schema numbers. The lists and their SQL stay with the
//! engines.

use sqlx::SqlSafeStr;
use sqlx::migrate::{Migration, MigrationType, Migrator};

/// The number, the name and the SQL of a migration.
pub(super) type MigrationSource = (i64, &'static str, &'static str);

pub(super) fn migrator(sources: &[MigrationSource]) -> Migrator {
    let migration = |&(version, name, sql): &MigrationSource| {
        Migration::new(version, name.into(), MigrationType::Simple, sql.into_sql_str(), false)
    };
    Migrator::with_migrations(sources.iter().map(migration).collect())
}

/// The number of the last migration.
pub(super) fn newest(sources: &[MigrationSource]) -> i64 {
    sources.iter().map(|(version, ..)| *version).max().unwrap_or_default()
}
