//! What is in the store in the end, read from its file after the server has gone.

use std::collections::HashMap;
use std::path::Path;

use anyhow::{Context, Result};
use protocol::{ClientId, ConversationId, Marks, Seq, UserId};
use rusqlite::{Connection, OpenFlags};
use serde::Serialize;
use uuid::Uuid;

/// One stored message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Row {
    /// Where.
    pub conversation: ConversationId,
    /// Its place.
    pub seq: i64,
    /// Whose.
    pub sender: UserId,
    /// Its id.
    pub id: ClientId,
    /// Its text.
    pub body: String,
}

/// All that the checker needs of a store.
#[derive(Clone, Debug, Default)]
pub struct Stored {
    /// By conversation and place.
    pub rows: Vec<Row>,
    /// The counters.
    pub last: HashMap<ConversationId, i64>,
    /// How far who has come.
    pub marks: HashMap<(ConversationId, UserId), Marks>,
    /// What `SQLite` says of its file; `ok` if it is whole.
    pub integrity: String,
}

/// Reads a store that no process has open. What waits in the write-ahead log is counted, as it is
/// when a server starts.
///
/// # Errors
/// It cannot be read.
pub fn read(directory: &Path) -> Result<Stored> {
    let file = directory.join("duet.db");
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let db = Connection::open_with_flags(&file, flags).context("cannot open the store")?;
    let integrity = db.query_row("pragma integrity_check", [], |row| row.get(0))?;
    let mut rows = db.prepare(
        "select conversation_id, seq, sender_id, client_id, body from messages \
         order by conversation_id, seq",
    )?;
    let rows = rows
        .query_map([], |row| {
            Ok(Row {
                conversation: ConversationId(id(row, 0)?),
                seq: row.get(1)?,
                sender: UserId(id(row, 2)?),
                id: ClientId(id(row, 3)?),
                body: row.get(4)?,
            })
        })?
        .collect::<rusqlite::Result<_>>()?;
    let mut last = db.prepare("select id, last_seq from conversations")?;
    let last = last
        .query_map([], |row| Ok((ConversationId(id(row, 0)?), row.get(1)?)))?
        .collect::<rusqlite::Result<_>>()?;
    let mut marks =
        db.prepare("select conversation_id, user_id, delivered_seq, read_seq from members")?;
    let marks = marks
        .query_map([], |row| {
            let marks = Marks { delivered: Seq(row.get(2)?), read: Seq(row.get(3)?) };
            Ok(((ConversationId(id(row, 0)?), UserId(id(row, 1)?)), marks))
        })?
        .collect::<rusqlite::Result<_>>()?;
    Ok(Stored { rows, last, marks, integrity })
}

fn id(row: &rusqlite::Row<'_>, column: usize) -> rusqlite::Result<Uuid> {
    Ok(Uuid::from_bytes(row.get(column)?))
}
