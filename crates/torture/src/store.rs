//! Reads the stored messages from the SQLite file or from Postgres after the servers have ended.

use std::collections::HashMap;
use std::path::Path;

use anyhow::{Context, Result};
use harness::Postgres;
use protocol::{ClientId, ConversationId, Marks, Seq, UserId};
use rusqlite::{Connection, OpenFlags};
use serde::Serialize;
use uuid::Uuid;

/// A stored message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Row {
    pub conversation: ConversationId,
    pub seq: i64,
    pub sender: UserId,
    pub id: ClientId,
    pub body: String,
}

/// The content of a store that the checker needs.
#[derive(Clone, Debug, Default)]
pub(crate) struct Stored {
    /// Ordered by conversation and seq.
    pub rows: Vec<Row>,
    /// The last seq of each conversation.
    pub last: HashMap<ConversationId, i64>,
    /// The marks of each user in each conversation.
    pub marks: HashMap<(ConversationId, UserId), Marks>,
    /// `ok` if the store is intact, otherwise a description of the damage.
    pub integrity: String,
}

/// Reads a file that no process has open. Includes the content of the write-ahead log, like a
/// starting server.
///
/// # Errors
/// Fails if the file cannot be read.
pub(crate) fn read(directory: &Path) -> Result<Stored> {
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

/// Counts client ids without their message and messages without their client id.
const UNMATCHED: &str = "\
select count(*) from messages m full join client_ids i \
on i.client_id = m.client_id and i.sender_id = m.sender_id \
and i.conversation_id = m.conversation_id and i.seq = m.seq \
where m.seq is null or i.seq is null";

/// Reads a database that no node uses any more, from the output of `psql`.
///
/// # Errors
/// Fails if the database cannot be read.
pub(crate) fn read_postgres(postgres: &Postgres, database: &str) -> Result<Stored> {
    // Reads bodies in hexadecimal, because a body may contain the separator.
    let rows = table(
        postgres,
        database,
        "select conversation_id, seq, sender_id, client_id, encode(convert_to(body, 'UTF8'), 'hex') \
         from messages order by conversation_id, seq",
        |[conversation, seq, sender, id, body]| {
            Ok(Row {
                conversation: ConversationId(conversation.parse()?),
                seq: seq.parse()?,
                sender: UserId(sender.parse()?),
                id: ClientId(id.parse()?),
                body: text_of(body)?,
            })
        },
    )?;
    let last = table(postgres, database, "select id, last_seq from conversations", |[id, seq]| {
        Ok((ConversationId(id.parse()?), seq.parse()?))
    })?;
    let marks = table(
        postgres,
        database,
        "select conversation_id, user_id, delivered_seq, read_seq from members",
        |[conversation, user, delivered, read]| {
            let marks = Marks { delivered: Seq(delivered.parse()?), read: Seq(read.parse()?) };
            Ok(((ConversationId(conversation.parse()?), UserId(user.parse()?)), marks))
        },
    )?;
    let integrity = match postgres.sql(database, UNMATCHED)?.as_str() {
        "0" => "ok".to_owned(),
        count => format!("{count} messages without a client id, or client ids without a message"),
    };
    Ok(Stored {
        rows,
        last: last.into_iter().collect(),
        marks: marks.into_iter().collect(),
        integrity,
    })
}

fn table<T, const COLUMNS: usize>(
    postgres: &Postgres,
    database: &str,
    query: &str,
    read: impl Fn([&str; COLUMNS]) -> Result<T>,
) -> Result<Vec<T>> {
    let text = postgres.sql(database, query)?;
    let row = |line: &str| {
        let columns: Vec<&str> = line.split('|').collect();
        let columns: [&str; COLUMNS] =
            columns.try_into().ok().context("unexpected number of columns")?;
        read(columns)
    };
    text.lines().map(|line| row(line).with_context(|| format!("row {line:?}"))).collect()
}

fn text_of(hex: &str) -> Result<String> {
    let byte =
        |pair: &[u8]| -> Result<u8> { Ok(u8::from_str_radix(std::str::from_utf8(pair)?, 16)?) };
    let bytes = hex.as_bytes().chunks(2).map(byte).collect::<Result<Vec<u8>>>()?;
    Ok(String::from_utf8(bytes)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_read_from_postgres_unchanged() {
        let postgres = Postgres::start().expect("Postgres");
        let (id, body) = (Uuid::now_v7(), "a|b\n\u{1F337} 'c' \\ näher");
        let hex: String = body.bytes().map(|byte| format!("{byte:02x}")).collect();
        postgres.create_database("duet", None).expect("a database");
        let tables = format!(
            "create table messages (conversation_id uuid, seq bigint, sender_id uuid, \
                 client_id uuid, body text); \
             create table client_ids (client_id uuid, sender_id uuid, conversation_id uuid, \
                 seq bigint); \
             create table conversations (id uuid, last_seq bigint); \
             create table members (conversation_id uuid, user_id uuid, delivered_seq bigint, \
                 read_seq bigint); \
             insert into messages values \
                 ('{id}', 1, '{id}', '{id}', convert_from(decode('{hex}', 'hex'), 'UTF8')); \
             insert into client_ids values ('{id}', '{id}', '{id}', 1); \
             insert into conversations values ('{id}', 1); \
             insert into members values ('{id}', '{id}', 1, 0)"
        );
        postgres.sql("duet", &tables).expect("tables");
        let stored = read_postgres(&postgres, "duet").expect("a store");
        let (conversation, user) = (ConversationId(id), UserId(id));
        let row = Row { conversation, seq: 1, sender: user, id: ClientId(id), body: body.into() };
        assert_eq!(stored.rows, [row]);
        assert_eq!(stored.last.get(&conversation), Some(&1));
        let marks = Marks { delivered: Seq(1), read: Seq(0) };
        assert_eq!(stored.marks.get(&(conversation, user)), Some(&marks));
        assert_eq!(stored.integrity, "ok");
        postgres.sql("duet", "delete from client_ids").expect("an id");
        assert_ne!(read_postgres(&postgres, "duet").expect("a store").integrity, "ok");
    }
}
