//! Moves a store from SQLite to Postgres with all durable data. Sessions, `seq` numbers, times and
//! the epoch stay, so users remain signed in and open pages continue.
//!
//! A move can be interrupted anywhere; the next run resumes. The move must not change the source or
//! serve clients, and nodes must not serve the copy before the check at the end. Only the server's
//! command calls this module, through [`crate::move_store`]. No server may have the source open
//! meanwhile.

mod check;
mod read;
mod tables;
mod write;

use std::path::Path;
use std::sync::Arc;

use read::Source;
use tables::TABLES;
use write::Target;

use super::{postgres, sqlite};

/// Why a store was not moved: one line for the operator, without a password.
#[derive(Debug, thiserror::Error)]
pub enum MoveError {
    /// The source file does not exist.
    #[error(
        "there is no file {0}: name the SQLite store with --data DIRECTORY or --from sqlite:PATH"
    )]
    NoSource(String),
    /// Another process has the source open.
    #[error("a server has {0} open: stop it, then run this again")]
    InUse(String),
    /// The source's path, lock file or write-ahead log cannot be used.
    #[error(transparent)]
    Files(sqlite::OpenError),
    /// The source has an older schema, is no file of Duet, or has another file's log beside it.
    #[error(
        "{0} is not as this version of Duet makes it: start this version on it once, stop it, and \
         run this again"
    )]
    OlderSource(String),
    /// The source has a newer schema.
    #[error("{0} was written by a newer Duet (schema {1}): move it with that version")]
    NewerSource(String, i64),
    /// Any other error of the source.
    #[error("cannot read {file}: {why}")]
    Source {
        /// The path of the file.
        file: String,
        /// SQLite's error.
        why: rusqlite::Error,
    },
    /// The target cannot be reached or used.
    #[error(transparent)]
    Target(#[from] postgres::OpenError),
    /// The target has a newer schema.
    #[error("the Postgres database was made by a newer Duet (schema {0}): move with that version")]
    NewerTarget(i64),
    /// A node serves the target.
    #[error(
        "a Duet is serving this Postgres database: stop it (one that crashed is forgotten after ten \
         seconds), or name another database"
    )]
    Served,
    /// The target holds another store.
    #[error("there are people in this Postgres database already: make an empty one for the move")]
    Taken,
    /// The target holds a complete copy of this store.
    #[error(
        "this store was moved to this Postgres database already, and is served from there: there \
         is nothing to do"
    )]
    Moved,
    /// The target holds an unfinished copy of another store.
    #[error(
        "this Postgres database is the unfinished copy of another store: end that move, or make an \
         empty database for this one"
    )]
    OtherCopy,
    /// Another move into the target is running.
    #[error("another move into this Postgres database is under way: wait for it to end")]
    AnotherMove,
    /// Postgres returned an error, or the connection broke.
    #[error("Postgres did not do it: {0}. Run this again: it goes on where it was")]
    Lost(#[from] sqlx::Error),
    /// Postgres did not answer in time.
    #[error("Postgres has not answered for minutes. Run this again: it goes on where it was")]
    Silent,
    /// A task of the move panicked or was cancelled.
    #[error("the move ended too early. Run this again: it goes on where it was")]
    Broken,
    /// Postgres refused a row.
    #[error(
        "Postgres does not take a row of {table}: {why}. If the copy was changed meanwhile, make an \
         empty database in its place and run this again"
    )]
    Row {
        /// The table of the row.
        table: &'static str,
        /// Postgres' error.
        why: sqlx::Error,
    },
    /// The check found a difference between source and copy.
    #[error(
        "the copy is not the same: {0}. One side was changed after the move began; the copy will \
         not be served. Make an empty database in its place and run this again"
    )]
    Different(String),
}

type Result<T, E = MoveError> = std::result::Result<T, E>;

/// The phase of a move, and the table that it processes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Rows of the table are being written.
    Copying(&'static str),
    /// Rows of the table are being compared.
    Checking(&'static str),
}

/// The progress of a phase, in rows of all tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// The phase.
    pub stage: Stage,
    /// Rows processed. While copying, includes the rows of earlier runs.
    pub done: u64,
    /// Rows in total.
    pub of: u64,
}

/// The result of a successful move.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moved {
    /// Each table and its number of rows.
    pub tables: Vec<(&'static str, u64)>,
    /// Rows that an earlier run had written.
    pub resumed_at: u64,
}

/// Moves the store from an SQLite file to the Postgres of a URL and compares both. Only then may
/// nodes serve the copy. The file is not changed.
///
/// # Errors
/// One line for the operator. After most errors the same call resumes the move.
pub async fn move_store(
    from: &Path,
    to: &str,
    mut progress: impl FnMut(Progress),
) -> Result<Moved, MoveError> {
    let file = from.to_owned();
    let source = tokio::task::spawn_blocking(move || Source::open(&file));
    let source = Arc::new(source.await.map_err(|_| MoveError::Broken)??);
    let mut target = Target::begin(to, &source).await?;
    let resumed_at = copy(&source, &mut target, &mut progress).await?;
    target.analyze().await?;
    let tables = check_all(&source, &mut target, &mut progress).await?;
    target.finish().await?;
    Ok(Moved { tables, resumed_at })
}

/// Copies the missing rows. Returns the number of rows that an earlier run had copied.
async fn copy(
    source: &Arc<Source>,
    target: &mut Target,
    progress: &mut impl FnMut(Progress),
) -> Result<u64> {
    let mut keys = Vec::new();
    let (mut done, mut of) = (0, 0);
    for table in &TABLES {
        let key = if target.resumed { target.last_key(table).await? } else { None };
        if key.is_some() {
            done += source.count(table, key.as_ref())?;
        }
        of += source.count(table, None)?;
        keys.push((table, key));
    }
    let resumed_at = done;
    for (table, key) in keys {
        let stage = Stage::Copying(table.name);
        progress(Progress { stage, done, of });
        let mut batches = source.batches(table, key);
        while let Some(rows) = batches.recv().await {
            let rows = rows?;
            let count = rows.count as u64;
            target.write(table, rows).await?;
            done += count;
            progress(Progress { stage, done, of });
        }
    }
    Ok(resumed_at)
}

async fn check_all(
    source: &Arc<Source>,
    target: &mut Target,
    progress: &mut impl FnMut(Progress),
) -> Result<Vec<(&'static str, u64)>> {
    let of = TABLES.iter().map(|table| source.count(table, None)).sum::<Result<u64>>()?;
    let (mut done, mut tables) = (0, Vec::new());
    for table in &TABLES {
        let stage = Stage::Checking(table.name);
        progress(Progress { stage, done, of });
        let report = |rows| progress(Progress { stage, done: done + rows, of });
        let rows = check::compare(source, target, table, report).await?;
        done += rows;
        tables.push((table.name, rows));
    }
    if target.epoch().await?.as_ref() != Some(&source.epoch) {
        return Err(MoveError::Different("the epoch is another one".to_owned()));
    }
    Ok(tables)
}
