//! The errors of [`super::open`], which `server` prints when it cannot start. The operator must fix
//! most of them, so each text tells the operator what to do.

use std::path::Path;

use sqlx::migrate::MigrateError;

use super::paths::StorePaths;
use crate::store::StoreError;

/// Why a store could not be opened: one line for the operator.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The directory or a file cannot be used.
    #[error(
        "cannot use {path} for the database: {why}. Choose another directory with DUET_DATA or --data"
    )]
    Path {
        /// The path of the directory or file.
        path: String,
        /// The system's error.
        why: std::io::Error,
    },
    /// Another process serves or moves the store.
    #[error(
        "another Duet{holder} has {path} open: stop that one first, or choose another directory with \
         DUET_DATA or --data"
    )]
    InUse {
        /// The path of the database.
        path: String,
        /// " (process 123)", or empty if the process is unknown.
        holder: String,
    },
    /// The file system has no locks, so two processes could open the store at once.
    #[error(
        "cannot lock {path}: {why}. SQLite and Duet need a file system with locks: choose a \
         directory on a local disk with DUET_DATA or --data, or use Postgres (DUET_DATABASE_URL)"
    )]
    NoLocks {
        /// The path of the lock file.
        path: String,
        /// The system's error.
        why: std::io::Error,
    },
    /// The marker exists, but the database does not.
    #[error(
        "{path} is missing or empty, but there was a store here ({marker} says so): put the \
         database back; or, to begin with an empty one, run `duet accept-store` first"
    )]
    Gone {
        /// The path of the database.
        path: String,
        /// The path of the marker.
        marker: String,
    },
    /// The database is of another store than the marker.
    #[error(
        "{path} is another store than the one that was here ({marker} says so): put the right \
         database back; or, to serve this one, run `duet accept-store` first"
    )]
    Another {
        /// The path of the database.
        path: String,
        /// The path of the marker.
        marker: String,
    },
    /// The database is a copy made without its write-ahead log, which held all of its content.
    #[error(
        "{path} was in use and has no table: it is a copy that was made without its write-ahead log. \
         Put a whole copy in its place; or, to begin with an empty store, run `duet accept-store` first"
    )]
    EmptyCopy {
        /// The path of the database.
        path: String,
    },
    /// The schema is newer than this version.
    #[error(
        "the database was written by a newer Duet (schema {0}); run that version or a newer one"
    )]
    Newer(i64),
    /// Any other error of a migration.
    #[error("cannot bring the database up to date: {0}")]
    Migrate(MigrateError),
    /// Any other error of the database.
    #[error("cannot open the database {path}: {why}")]
    Database {
        /// The path of the database.
        path: String,
        /// The database's error.
        why: StoreError,
    },
}

impl OpenError {
    pub(super) fn path(path: &Path, why: std::io::Error) -> Self {
        Self::Path { path: path.display().to_string(), why }
    }

    /// Adds the path to an error of SQLite.
    pub(super) fn database(paths: &StorePaths, why: impl Into<StoreError>) -> Self {
        Self::Database { path: paths.database().display().to_string(), why: why.into() }
    }
}
