//! Checkpoints of the write-ahead log. Called when the store is opened, and by
//! [`super::commit_thread`].

use rusqlite::Connection;

/// The result of a checkpoint, in pages of the log.
pub(super) struct Checkpoint {
    busy: bool,
    /// The length of the log, and the part of it that is in the database file.
    pub(super) log: i64,
    moved: i64,
}

impl Checkpoint {
    /// Whether the database file holds the whole log.
    pub(super) fn is_complete(&self) -> bool {
        !self.busy && self.log == self.moved
    }
}

/// Moves pages from the log into the database file, in one of SQLite's checkpoint modes.
pub(super) fn checkpoint(database: &Connection, mode: &str) -> rusqlite::Result<Checkpoint> {
    database.query_row(&format!("pragma wal_checkpoint({mode})"), [], |row| {
        Ok(Checkpoint { busy: row.get(0)?, log: row.get(1)?, moved: row.get(2)? })
    })
}
