//! A file in a temporary directory.

use std::sync::Arc;

use chat::Database;
use chat::store::Store;
use chat::store::sqlite::SqliteStore;
use rusqlite::Connection;
use tempfile::TempDir;

/// The database of one test, deleted with it.
pub struct Home(TempDir);

impl Home {
    pub async fn new() -> Self {
        Self(tempfile::tempdir().expect("a temporary directory"))
    }

    pub fn database(&self) -> Database {
        Database::Sqlite(self.0.path().join("duet.db"))
    }

    /// The store without a chat.
    pub async fn store(&self) -> Arc<dyn Store> {
        Arc::new(SqliteStore::open(&self.0.path().join("duet.db")).await.expect("a store"))
    }

    /// The number that a query returns.
    pub fn number(&self, sql: &str) -> i64 {
        self.connection().query_row(sql, (), |row| row.get(0)).expect("a number")
    }

    /// Rows that reference a missing row.
    pub fn orphans(&self) -> i64 {
        self.number("select count(*) from pragma_foreign_key_check")
    }

    /// Changes the database directly.
    pub fn execute(&self, sql: &str) {
        self.connection().execute_batch(sql).expect("executed");
    }

    fn connection(&self) -> Connection {
        Connection::open(self.0.path().join("duet.db")).expect("the file")
    }
}
