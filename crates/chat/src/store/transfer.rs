//! Moving a store from the embedded engine to the shared one, with everything that lasts: nobody is
//! signed out, numbers and times stay, and the epoch with them, so that open pages go on.
//!
//! It can be interrupted anywhere and goes on where it was. It must not change the source, serve
//! anybody, or leave a copy that serves before it was checked. Called through [`crate::move_store`]
//! by the command of the server alone; no server may have the source open meanwhile.

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
    /// Nothing to move.
    #[error(
        "there is no file {0}: name the SQLite store with --data DIRECTORY or --from sqlite:PATH"
    )]
    NoSource(String),
    /// Somebody would go on writing to it.
    #[error("a server has {0} open: stop it, then run this again")]
    InUse(String),
    /// The lock of the file, or a log beside it that is another's.
    #[error(transparent)]
    Files(sqlite::OpenError),
    /// A file of a version before, or none of Duet's.
    #[error(
        "{0} is not as this version of Duet makes it: start this version on it once, stop it, and \
         run this again"
    )]
    OlderSource(String),
    /// A file of a later version.
    #[error("{0} was written by a newer Duet (schema {1}): move it with that version")]
    NewerSource(String, i64),
    /// Anything else of the file.
    #[error("cannot read {file}: {why}")]
    Source {
        /// Which.
        file: String,
        /// Why.
        why: rusqlite::Error,
    },
    /// The way to the database, or what it is.
    #[error(transparent)]
    Target(#[from] postgres::OpenError),
    /// A database of a later version.
    #[error("the Postgres database was made by a newer Duet (schema {0}): move with that version")]
    NewerTarget(i64),
    /// Somebody serves it.
    #[error(
        "a Duet is serving this Postgres database: stop it (one that crashed is forgotten after ten \
         seconds), or name another database"
    )]
    Served,
    /// It is somebody else's.
    #[error("there are people in this Postgres database already: make an empty one for the move")]
    Taken,
    /// It was done before.
    #[error(
        "this store was moved to this Postgres database already, and is served from there: there \
         is nothing to do"
    )]
    Moved,
    /// It is the unfinished copy of another one.
    #[error(
        "this Postgres database is the unfinished copy of another store: end that move, or make an \
         empty database for this one"
    )]
    OtherCopy,
    /// At the same moment.
    #[error("another move into this Postgres database is under way: wait for it to end")]
    AnotherMove,
    /// The database was lost on the way.
    #[error("Postgres did not do it: {0}. Run this again: it goes on where it was")]
    Lost(#[from] sqlx::Error),
    /// The database fell silent.
    #[error("Postgres has not answered for minutes. Run this again: it goes on where it was")]
    Silent,
    /// Something of ours.
    #[error("the move ended too early. Run this again: it goes on where it was")]
    Broken,
    /// A row that cannot be there.
    #[error(
        "Postgres does not take a row of {table}: {why}. If the copy was changed meanwhile, make an \
         empty database in its place and run this again"
    )]
    Row {
        /// Which.
        table: &'static str,
        /// Why.
        why: sqlx::Error,
    },
    /// The copy is not the same.
    #[error(
        "the copy is not the same: {0}. One side was changed after the move began; the copy will \
         not be served. Make an empty database in its place and run this again"
    )]
    Different(String),
}

type Result<T> = std::result::Result<T, MoveError>;

/// What is under way, and with which table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Rows are written.
    Copying(&'static str),
    /// Rows are read back on both sides.
    Checking(&'static str),
}

/// How far a stage has come, in rows of all tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Which.
    pub stage: Stage,
    /// Those of an earlier run with it.
    pub done: u64,
    /// Of so many.
    pub of: u64,
}

/// What was moved, and is the same on both sides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moved {
    /// Each table and how many rows it has.
    pub tables: Vec<(&'static str, u64)>,
    /// Rows that an earlier run had written.
    pub resumed_at: u64,
}

/// Moves the store in an SQLite file to the Postgres of a URL, checks that both are the same, and
/// only then lets nodes serve the copy. The file stays as it is.
///
/// # Errors
/// One line for the operator. After most of them the same call goes on where it was.
pub async fn move_store(
    from: &Path,
    to: &str,
    mut progress: impl FnMut(Progress),
) -> std::result::Result<Moved, MoveError> {
    let file = from.to_owned();
    let source = tokio::task::spawn_blocking(move || Source::open(&file));
    let source = Arc::new(source.await.map_err(|_| MoveError::Broken)??);
    let mut target = Target::begin(to, &source.epoch).await?;
    let resumed_at = copy(&source, &mut target, &mut progress).await?;
    target.analyze().await?;
    let tables = check_all(&source, &mut target, &mut progress).await?;
    target.finish().await?;
    Ok(Moved { tables, resumed_at })
}

/// Says how many rows were there already.
async fn copy(
    source: &Arc<Source>,
    target: &mut Target,
    progress: &mut impl FnMut(Progress),
) -> Result<u64> {
    let mut places = Vec::new();
    let (mut done, mut of) = (0, 0);
    for table in &TABLES {
        let place = if target.resumed { target.place(table).await? } else { None };
        if place.is_some() {
            done += source.count(table, place.as_ref())?;
        }
        of += source.count(table, None)?;
        places.push((table, place));
    }
    let resumed_at = done;
    for (table, place) in places {
        let stage = Stage::Copying(table.name);
        progress(Progress { stage, done, of });
        let mut batches = source.batches(table, place);
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
        let word = |rows| progress(Progress { stage, done: done + rows, of });
        let rows = check::compare(source, target, table, word).await?;
        done += rows;
        tables.push((table.name, rows));
    }
    if target.epoch().await?.as_ref() != Some(&source.epoch) {
        return Err(MoveError::Different("the epoch is another one".to_owned()));
    }
    Ok(tables)
}
