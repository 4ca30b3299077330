//! The source of a move: an SQLite file, opened exclusively, which is only read.
//!
//! SQLite's exclusive mode succeeds only while no other connection exists. A running server always
//! holds connections, each with a shared lock, so the mode detects a server and also keeps a new
//! server from opening the file. All reads are in one transaction. Called by [`super`] and
//! [`super::check`].

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::types::Value;
use rusqlite::{Connection, ErrorCode, OpenFlags, OptionalExtension, Row, params_from_iter};
use tokio::sync::mpsc;
use uuid::Uuid;

use super::tables::{Kind, Table};
use super::{MoveError, Result};
use crate::mutex::lock;
use crate::store::sqlite::OpenError;
use crate::store::sqlite::open::{SECRET, log_is_foreign, newest_schema};
use crate::store::sqlite::paths::{StoreLock, StorePaths};

/// The maximum number of rows in a batch.
const ROWS: usize = 5_000;
/// The size of text, in bytes, at which a batch is full.
const BYTES: usize = 4 * 1024 * 1024;
/// Batches read ahead of the writer.
const AHEAD: usize = 2;
/// How long to wait for another process that holds the file briefly.
const MOMENT: Duration = Duration::from_secs(2);

/// The open source file.
pub(super) struct Source {
    file: PathBuf,
    connection: Mutex<Connection>,
    /// Keeps servers from starting on the file.
    _lock: StoreLock,
    /// The epoch of the store.
    pub(super) epoch: String,
    /// The secret of the store; `None` if no server of this version has opened the file yet.
    pub(super) secret: Option<String>,
}

/// The values of one column of a batch. All columns have the same length.
pub(super) enum Column {
    Ids(Vec<Option<Uuid>>),
    Bytes(Vec<Option<Vec<u8>>>),
    Texts(Vec<Option<String>>),
    Numbers(Vec<Option<i64>>),
    Flags(Vec<Option<bool>>),
}

/// A batch of rows of one table, stored by column.
pub(super) struct Rows {
    pub(super) columns: Vec<Column>,
    pub(super) count: usize,
    bytes: usize,
}

/// The key of a row, in SQLite's types.
pub(super) type RowKey = Vec<Value>;

impl Source {
    /// Locks and opens the file.
    pub(super) fn open(file: &Path) -> Result<Self> {
        let name = file.display().to_string();
        if !file.is_file() {
            return Err(MoveError::NoSource(name));
        }
        let lock = take_files(file)?;
        let (connection, epoch) = take(file).map_err(|error| match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
                MoveError::InUse(name.clone())
            }
            _ => MoveError::Source { file: name.clone(), why: error },
        })?;
        match epoch {
            Ok(epoch) => {
                let secret = secret(&connection)
                    .map_err(|why| MoveError::Source { file: name.clone(), why })?;
                let connection = Mutex::new(connection);
                Ok(Self { file: file.to_owned(), connection, _lock: lock, epoch, secret })
            }
            Err(schema) if schema > newest_schema() => Err(MoveError::NewerSource(name, schema)),
            Err(_) => Err(MoveError::OlderSource(name)),
        }
    }

    fn explain(&self, why: rusqlite::Error) -> MoveError {
        MoveError::Source { file: self.file.display().to_string(), why }
    }

    /// The number of rows up to a key, or of all rows.
    pub(super) fn count(&self, table: &Table, up_to: Option<&RowKey>) -> Result<u64> {
        let key = up_to.cloned().unwrap_or_default();
        let sql = format!(
            "select count(*) from {}{}",
            table.source,
            if up_to.is_some() { beyond(table, "<=") } else { String::new() }
        );
        let count: i64 = lock(&self.connection)
            .query_row(&sql, params_from_iter(key), |row| row.get(0))
            .map_err(|error| self.explain(error))?;
        Ok(count.unsigned_abs())
    }

    /// Calls `show` for each row after a key, in the order of keys, until `show` returns false.
    pub(super) fn each(
        &self,
        table: &Table,
        after: Option<RowKey>,
        mut show: impl FnMut(&Row<'_>) -> rusqlite::Result<bool>,
    ) -> Result<()> {
        let sql = format!(
            "select {} from {}{} order by {}",
            table.columns(),
            table.source,
            if after.is_some() { beyond(table, ">") } else { String::new() },
            table.key()
        );
        let connection = lock(&self.connection);
        let reading = || {
            let mut statement = connection.prepare(&sql)?;
            let mut rows = statement.query(params_from_iter(after.unwrap_or_default()))?;
            while let Some(row) = rows.next()? {
                if !show(row)? {
                    break;
                }
            }
            Ok(())
        };
        reading().map_err(|error| self.explain(error))
    }

    /// The rows after a key in batches, read on a thread of its own. Reading stops when the
    /// receiver is dropped.
    pub(super) fn batches(
        self: &Arc<Self>,
        table: &'static Table,
        after: Option<RowKey>,
    ) -> mpsc::Receiver<Result<Rows>> {
        let (give, take) = mpsc::channel(AHEAD);
        let source = self.clone();
        tokio::task::spawn_blocking(move || {
            let mut rows = Rows::new(table);
            let read = source.each(table, after, |row| {
                rows.push(table, row)?;
                if rows.count < ROWS && rows.bytes < BYTES {
                    return Ok(true);
                }
                let full = std::mem::replace(&mut rows, Rows::new(table));
                // Sending fails if the receiver is gone, which ends the reading.
                Ok(give.blocking_send(Ok(full)).is_ok())
            });
            let last = read.map(|()| rows);
            if !matches!(&last, Ok(rows) if rows.count == 0) {
                let _ = give.blocking_send(last);
            }
        });
        take
    }
}

/// Builds ` where (key) > (?, ?)`.
fn beyond(table: &Table, operator: &str) -> String {
    let marks = vec!["?"; table.key].join(", ");
    format!(" where ({}) {operator} ({marks})", table.key())
}

/// Takes the same lock as a server, and checks that the log beside the file belongs to the file.
fn take_files(file: &Path) -> Result<StoreLock> {
    let paths = StorePaths::of(file).map_err(MoveError::Files)?;
    let lock = paths.lock().map_err(|error| match error {
        OpenError::InUse { path, holder } => MoveError::InUse(format!("{path}{holder}")),
        other => MoveError::Files(other),
    })?;
    paths.make_private();
    if log_is_foreign(&paths).map_err(MoveError::Files)? {
        return Err(MoveError::OlderSource(file.display().to_string()));
    }
    Ok(lock)
}

/// Opens an exclusive connection in a transaction, and reads the epoch. If the schema differs,
/// returns the file's schema number instead.
fn take(file: &Path) -> rusqlite::Result<(Connection, Result<String, i64>)> {
    // If a killed server left a log, the connection reads the log but does not checkpoint it on
    // close.
    let mut log = file.as_os_str().to_owned();
    log.push("-wal");
    let left = std::fs::metadata(log).is_ok_and(|log| log.len() > 0);
    let connection = Connection::open_with_flags(file, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, left)?;
    connection.busy_timeout(MOMENT)?;
    connection.execute_batch(
        "pragma locking_mode = exclusive; begin exclusive; pragma query_only = on",
    )?;
    let known = "select count(*) from sqlite_schema where name = '_sqlx_migrations'";
    let known: i64 = connection.query_row(known, [], |row| row.get(0))?;
    let schema = match known {
        0 => 0,
        _ => connection.query_row(
            "select coalesce(max(version), 0) from _sqlx_migrations where success",
            [],
            |row| row.get(0),
        )?,
    };
    if schema != newest_schema() {
        return Ok((connection, Err(schema)));
    }
    let epoch =
        connection.query_row("select value from meta where key = 'epoch'", [], |row| row.get(0))?;
    Ok((connection, Ok(epoch)))
}

fn secret(connection: &Connection) -> rusqlite::Result<Option<String>> {
    let sql = "select value from meta where key = ?1";
    connection.query_row(sql, [SECRET], |row| row.get(0)).optional()
}

impl Rows {
    fn new(table: &Table) -> Self {
        let column = |(_, kind)| match kind {
            Kind::Id => Column::Ids(Vec::new()),
            Kind::Bytes => Column::Bytes(Vec::new()),
            Kind::Text => Column::Texts(Vec::new()),
            Kind::Number => Column::Numbers(Vec::new()),
            Kind::Flag => Column::Flags(Vec::new()),
        };
        Self { columns: table.kinds().map(column).collect(), count: 0, bytes: 0 }
    }

    fn push(&mut self, table: &Table, row: &Row<'_>) -> rusqlite::Result<()> {
        for ((at, _), column) in table.kinds().zip(&mut self.columns) {
            match column {
                Column::Ids(ids) => ids.push(id(row, at)?),
                Column::Bytes(all) => all.push(row.get(at)?),
                Column::Texts(texts) => {
                    let text: Option<String> = row.get(at)?;
                    self.bytes += text.as_ref().map_or(0, String::len);
                    texts.push(text);
                }
                Column::Numbers(numbers) => numbers.push(row.get(at)?),
                Column::Flags(flags) => flags.push(row.get(at)?),
            }
        }
        self.count += 1;
        Ok(())
    }
}

pub(super) fn id(row: &Row<'_>, at: usize) -> rusqlite::Result<Option<Uuid>> {
    let bytes: Option<[u8; 16]> = row.get(at)?;
    Ok(bytes.map(Uuid::from_bytes))
}
