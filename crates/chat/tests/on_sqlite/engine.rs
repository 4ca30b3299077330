//! A file in a temporary directory.

use std::sync::Arc;

use chat::Database;
use chat::store::Store;
use chat::store::sqlite::SqliteStore;
use protocol::SessionId;
use rusqlite::Connection;
use tempfile::TempDir;

/// The database of one test, deleted with it.
pub(crate) struct Home(TempDir);

impl Home {
    pub(crate) async fn new() -> Self {
        Self(tempfile::tempdir().expect("a temporary directory"))
    }

    pub(crate) fn database(&self) -> Database {
        Database::Sqlite(self.0.path().join("duet.db"))
    }

    /// The store without a chat.
    pub(crate) async fn store(&self) -> Arc<dyn Store> {
        Arc::new(SqliteStore::open(&self.0.path().join("duet.db")).await.expect("a store"))
    }

    /// All bytes in the files of the store.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let entries = std::fs::read_dir(self.0.path()).expect("a directory");
        let paths = entries.map(|entry| entry.expect("an entry").path());
        paths.flat_map(|path| std::fs::read(path).expect("a file")).collect()
    }

    /// The values that a query returns.
    pub(crate) fn blobs(&self, sql: &str) -> Vec<Vec<u8>> {
        let connection = self.connection();
        let mut statement = connection.prepare(sql).expect("a query");
        let rows = statement.query_map((), |row| row.get(0)).expect("an answer");
        rows.map(|row| row.expect("a value")).collect()
    }

    /// The number that a query returns.
    pub(crate) fn number(&self, sql: &str) -> i64 {
        self.connection().query_row(sql, (), |row| row.get(0)).expect("a number")
    }

    /// Rows that reference a missing row.
    pub(crate) fn orphans(&self) -> i64 {
        self.number("select count(*) from pragma_foreign_key_check")
    }

    /// Changes the database directly.
    pub(crate) fn execute(&self, sql: &str) {
        self.connection().execute_batch(sql).expect("executed");
    }

    /// Lets this time pass for the limits of guesses, which are in memory.
    pub(crate) async fn later(&self, span: std::time::Duration) {
        tokio::time::pause();
        tokio::time::advance(span).await;
        tokio::time::resume();
    }

    /// Deletes the row of a session directly.
    pub(crate) fn end_session(&self, id: SessionId) {
        self.execute(&format!("delete from sessions where id = x'{}'", id.0.simple()));
    }

    fn connection(&self) -> Connection {
        Connection::open(self.0.path().join("duet.db")).expect("the file")
    }
}
