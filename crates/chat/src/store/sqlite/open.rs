//! Opens a database file at start: takes the lock, inspects the files, recovers, migrates, and
//! records which store it is. Called by [`super::SqliteStore::open`]. A move of the store uses the
//! schema number and the check of the log.

use std::fs;
use std::path::Path;

use protocol::Epoch;
use rusqlite::{Connection, Transaction, TransactionBehavior};
use sqlx::migrate::MigrateError;
use sqlx::sqlite::SqlitePool;
use uuid::Uuid;

use super::checkpoint::checkpoint;
use super::files::{Base, Log};
use super::marker::{self, KeepError, Keeper, Marker, MarkerFile, STORE, Token, WRITTEN, Written};
use super::open_error::OpenError;
use super::paths::{StoreLock, StorePaths};
use crate::store::migrations::{self, MigrationSource};
use crate::store::{StoreError, StoreSecret};

/// The key in `meta` of the store's secret.
pub(in crate::store) const SECRET: &str = "secret";

/// The migrations, run at start in this order. Never edit one.
const MIGRATIONS: [MigrationSource; 11] = [
    (1, "accounts", include_str!("../../../migrations/sqlite/0001_accounts.sql")),
    (2, "conversations", include_str!("../../../migrations/sqlite/0002_conversations.sql")),
    (
        3,
        "messages by client id",
        include_str!("../../../migrations/sqlite/0003_messages_by_client_id.sql"),
    ),
    (4, "settings", include_str!("../../../migrations/sqlite/0004_settings.sql")),
    (5, "person words", include_str!("../../../migrations/sqlite/0005_person_words.sql")),
    (9, "username looks", include_str!("../../../migrations/sqlite/0009_username_looks.sql")),
    (10, "second factors", include_str!("../../../migrations/sqlite/0010_second_factors.sql")),
    (11, "passkeys", include_str!("../../../migrations/sqlite/0011_passkeys.sql")),
    (12, "device links", include_str!("../../../migrations/sqlite/0012_device_links.sql")),
    (13, "people", include_str!("../../../migrations/sqlite/0013_people.sql")),
    (14, "identities", include_str!("../../../migrations/sqlite/0014_identities.sql")),
];

/// A locked and recovered database. After the migrations, [`Self::finish`] completes the opening.
/// When dropped instead, the fields are dropped in their order, the lock last.
pub(super) struct Opening {
    paths: StorePaths,
    /// Open until the pools are, so that SQLite does not recover the log a second time.
    database: Connection,
    found: MarkerFile,
    /// Why the store may be older than what clients have cached. If set, clients must resync.
    doubt: Option<&'static str>,
    made: NewDatabase,
    lock: StoreLock,
}

/// Deletes the files of a new database whose opening failed. An empty leftover would look like a
/// copy made without its log.
struct NewDatabase(Option<StorePaths>);

impl Drop for NewDatabase {
    fn drop(&mut self) {
        let Some(paths) = &self.0 else { return };
        for ending in ["", "-wal", "-shm", "-journal"] {
            // A file that cannot be deleted is reported at the next start.
            let _ = fs::remove_file(paths.beside(ending));
        }
    }
}

impl Opening {
    /// Takes the lock, inspects the files, and recovers the database without a time limit. Blocks
    /// the thread.
    pub(super) fn begin(file: &Path) -> Result<Self, OpenError> {
        let paths = StorePaths::make(file)?;
        let lock = paths.lock()?;
        paths.make_private();
        let found =
            marker::find(&paths).map_err(|why| OpenError::path(&marker::path(&paths), why))?;
        let base = Base::read(&paths);
        let log =
            Log::read(&paths, &base).map_err(|why| OpenError::path(&paths.beside("-wal"), why))?;
        refuse_what_is_gone(&paths, found, &base, &log)?;
        let doubt = doubt(&paths, found, &base, &log)?;
        let made = NewDatabase(matches!(base, Base::Missing).then(|| paths.clone()));
        paths.make_database()?;
        let database = recover(&paths, &log).map_err(|why| OpenError::database(&paths, why))?;
        Ok(Self { paths, database, found, doubt, made, lock })
    }

    pub(super) fn paths(&self) -> &StorePaths {
        &self.paths
    }

    /// Writes the store's id and a new token to the database and the marker. The schema must be
    /// migrated. Blocks the thread.
    pub(super) fn finish(self) -> Result<(Keeper, Epoch, StoreSecret), OpenError> {
        let Self { paths, database, found, mut doubt, mut made, lock } = self;
        made.0 = None;
        let failed = |why| OpenError::database(&paths, StoreError::Commit(why));
        let known: Option<Uuid> = marker::read(&database, STORE).map_err(failed)?;
        let written: Option<Written> = marker::read(&database, WRITTEN).map_err(failed)?;
        let (written, before) = (written.map(|written| written.token), found.marker());
        let store = known.or(before.map(|marker| marker.store)).unwrap_or_else(Uuid::now_v7);
        if let Some(marker) = before {
            if marker.store != store {
                return Err(another(&paths));
            }
            let behind = written.is_none_or(|written| {
                written.number < marker.written.number
                    || (written.number == marker.written.number && written != marker.written)
            });
            doubt = doubt.or(behind.then_some("is older than what was written here before"));
        } else if known.is_some() {
            doubt = doubt.or(Some("was brought here from elsewhere"));
        }
        if let Some(doubt) = doubt {
            tracing::warn!(
                "{} {doubt}: all pages will forget what they hold and read again",
                paths.database().display()
            );
        }
        let token = Token::after(written, before.map(|marker| marker.written));
        let (epoch, secret) = (|| {
            let tx = Transaction::new_unchecked(&database, TransactionBehavior::Immediate)?;
            marker::write(&tx, STORE, &store)?;
            marker::write_written(&tx, Written { token, on: None })?;
            let epoch = read_or_make_epoch(&tx, doubt.is_some())?;
            let secret = read_or_make_secret(&tx)?;
            tx.commit()?;
            Ok((epoch, secret))
        })()
        .map_err(failed)?;
        let keeper =
            Keeper::new(paths.clone(), lock, Marker { store, written: token, stopped: false });
        // After this checkpoint the database file identifies the store without its log, and a copy
        // of the file is never empty.
        let whole = checkpoint(&database, "truncate").map_err(failed)?.is_complete();
        keeper.note(&database, whole.then_some(token)).map_err(|error| match error {
            KeepError::Row(why) => failed(why),
            KeepError::File(why) => OpenError::path(&marker::path(&paths), why),
        })?;
        Ok((keeper, epoch, secret))
    }
}

fn another(paths: &StorePaths) -> OpenError {
    OpenError::Another {
        path: paths.database().display().to_string(),
        marker: marker::path(paths).display().to_string(),
    }
}

/// Refuses to open where a store was before and is missing now. Only the operator may decide to
/// start anew.
fn refuse_what_is_gone(
    paths: &StorePaths,
    found: MarkerFile,
    base: &Base,
    log: &Log,
) -> Result<(), OpenError> {
    let path = paths.database().display().to_string();
    match (base, found) {
        (Base::Missing | Base::Empty { .. }, MarkerFile::Marker(_) | MarkerFile::Unreadable) => {
            Err(OpenError::Gone { path, marker: marker::path(paths).display().to_string() })
        }
        // A crash during the very first start leaves a log.
        (Base::Empty { with_log: true }, MarkerFile::Nothing) if !log.exists => {
            Err(OpenError::EmptyCopy { path })
        }
        (Base::Tables(tables), MarkerFile::Marker(marker))
            if tables.store.is_some_and(|store| store != marker.store) =>
        {
            Err(another(paths))
        }
        _ => Ok(()),
    }
}

/// Why the store may be older than what clients have cached. Sets a log aside that belongs to
/// another file.
fn doubt(
    paths: &StorePaths,
    found: MarkerFile,
    base: &Base,
    log: &Log,
) -> Result<Option<&'static str>, OpenError> {
    if base.disowns(log) {
        let path = paths.beside("-wal");
        let aside = Log::set_aside(paths).map_err(|why| OpenError::path(&path, why))?;
        tracing::error!(
            "{} does not belong to the database that is beside it, which was put back from a copy: \
             it was not applied, and is kept as {}",
            path.display(),
            aside.display()
        );
        return Ok(Some("was put back from a copy"));
    }
    Ok(match found {
        MarkerFile::Unreadable => Some("has a marker that cannot be read"),
        MarkerFile::Marker(marker) if !marker.stopped && !log.exists => {
            Some("has no write-ahead log, though its server did not stop in order")
        }
        _ => None,
    })
}

/// Whether the log beside a database certainly belongs to another file. Changes nothing.
pub(in crate::store) fn log_is_foreign(paths: &StorePaths) -> Result<bool, OpenError> {
    let base = Base::read(paths);
    let log = Log::read(paths, &base).map_err(|why| OpenError::path(&paths.beside("-wal"), why))?;
    Ok(base.disowns(&log))
}

/// Opens the database and lets SQLite replay the log.
fn recover(paths: &StorePaths, log: &Log) -> rusqlite::Result<Connection> {
    if log.bytes > 0 {
        tracing::info!(
            "recovering {}: it was not closed in order, {} KiB of write-ahead log are read",
            paths.database().display(),
            log.bytes.div_ceil(1024)
        );
    }
    let database = Connection::open(paths.database())?;
    database.busy_timeout(super::ACQUIRE_TIMEOUT)?;
    let durable = [("journal_mode", "wal"), ("synchronous", "full")];
    for (setting, value) in durable.into_iter().chain(super::FORGETTING) {
        database.pragma_update(None, setting, value)?;
    }
    database.pragma_update(None, "wal_autocheckpoint", 0)?;
    let _tables: i64 =
        database.query_row("select count(*) from sqlite_schema", [], |row| row.get(0))?;
    Ok(database)
}

/// Lets the next start accept the files as they are: deletes the marker, and renames an empty
/// database. Returns a line for the operator.
///
/// # Errors
/// One line for the operator.
pub fn accept_store(file: &Path) -> Result<String, OpenError> {
    if file.parent().is_some_and(|parent| !parent.as_os_str().is_empty() && !parent.is_dir()) {
        let why = std::io::ErrorKind::NotFound.into();
        return Err(OpenError::path(file, why));
    }
    let paths = StorePaths::of(file)?;
    let _lock = paths.lock()?;
    let path = paths.database().display();
    let failed = |why| OpenError::path(paths.database(), why);
    let base = Base::read(&paths);
    if matches!(base, Base::Missing | Base::Empty { .. }) {
        // SQLite would delete a log without a database.
        let log = Log::read(&paths, &base).map_err(failed)?;
        if log.exists {
            Log::set_aside(&paths).map_err(failed)?;
        }
        match fs::rename(paths.database(), paths.beside("-empty")) {
            Err(why) if why.kind() != std::io::ErrorKind::NotFound => return Err(failed(why)),
            _ => {}
        }
    }
    match fs::remove_file(marker::path(&paths)) {
        Err(why) if why.kind() != std::io::ErrorKind::NotFound => Err(failed(why)),
        _ if paths.database().exists() => {
            Ok(format!("The next start takes {path} as it is, and all pages read again."))
        }
        _ => Ok(format!("The next start makes an empty store in {path}.")),
    }
}

/// The number of the last migration.
pub(in crate::store) fn newest_schema() -> i64 {
    migrations::newest(&MIGRATIONS)
}

pub(super) async fn migrate(pool: &SqlitePool) -> Result<(), OpenError> {
    migrations::migrator(&MIGRATIONS).run(pool).await.map_err(|error| match error {
        MigrateError::VersionMissing(version) => OpenError::Newer(version),
        other => OpenError::Migrate(other),
    })
}

/// Reads the epoch, or makes a new one. With `anew` the epoch changes, so that all clients resync.
fn read_or_make_epoch(database: &Connection, anew: bool) -> rusqlite::Result<Epoch> {
    if !anew && let Some(epoch) = marker::read(database, "epoch")? {
        return Ok(epoch);
    }
    let epoch = Epoch::new();
    marker::write(database, "epoch", &epoch)?;
    Ok(epoch)
}

fn read_or_make_secret(database: &Connection) -> rusqlite::Result<StoreSecret> {
    let stored: Option<String> = marker::read(database, SECRET)?;
    if let Some(secret) = stored.as_deref().and_then(StoreSecret::parse) {
        return Ok(secret);
    }
    let secret = StoreSecret::new()
        .map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))?;
    marker::write(database, SECRET, &secret.to_text())?;
    Ok(secret)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Store;
    use crate::store::sqlite::SqliteStore;

    #[tokio::test]
    async fn an_opening_that_fails_takes_away_what_it_made_and_nothing_else() {
        let directory = tempfile::tempdir().expect("a directory");
        let file = directory.path().join("duet.db");
        for _ in 0..2 {
            drop(Opening::begin(&file).expect("there is nothing in its way"));
            let left = fs::read_dir(directory.path()).expect("a directory");
            let left: Vec<_> = left.map(|entry| entry.expect("an entry").file_name()).collect();
            assert_eq!(left, ["duet.db-lock"]);
        }
        let store = SqliteStore::open(&file).await.expect("a store");
        let epoch = store.epoch();
        store.close().await;
        drop(store);
        drop(Opening::begin(&file).expect("the store"));
        let store = SqliteStore::open(&file).await.expect("it is still there");
        assert_eq!(store.epoch(), epoch);
        store.close().await;
    }
}
