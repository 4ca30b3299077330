//! The errors of [`super::open`], which `server` prints when it cannot start. The operator must fix
//! most of them, so each text tells the operator what to do. No text may contain the password.

use sqlx::migrate::MigrateError;
use sqlx::postgres::PgConnectOptions;

use super::servers::address;

/// The oldest supported version of Postgres.
pub(super) const OLDEST: i32 = 15;

/// Why a database could not be opened: one line for the operator.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The URL is malformed.
    #[error(
        "the database URL is wrong: {0}. \
         Write postgres://USER:PASSWORD@HOST/DATABASE?sslmode=verify-full"
    )]
    Url(String),
    /// No server answers.
    #[error(
        "cannot reach Postgres at {address}: {why}. Is it running, and is the database URL right?"
    )]
    Unreachable {
        /// Host and port.
        address: String,
        /// The system's error.
        why: String,
    },
    /// The server has no valid certificate.
    #[error(
        "cannot trust Postgres at {address}: {why}. With sslmode=verify-full its certificate must \
         name this host, and sslrootcert=FILE the authority that signed it"
    )]
    Untrusted {
        /// Host and port.
        address: String,
        /// The error of the TLS handshake.
        why: String,
    },
    /// The user name or password is wrong.
    #[error(
        "Postgres at {address} does not let {user} in: {why}. \
         Check user and password of the database URL"
    )]
    Refused {
        /// Host and port.
        address: String,
        /// The user name.
        user: String,
        /// The server's message.
        why: String,
    },
    /// The database does not exist.
    #[error(
        "Postgres at {address} has no database {name}: make it, \
         with createdb or `create database {name}`"
    )]
    NoDatabase {
        /// Host and port.
        address: String,
        /// The name of the database.
        name: String,
    },
    /// The user lacks the right to create tables.
    #[error(
        "{user} may not make Duet's tables: {why}. Make {user} the owner of the database, or run \
         `duet migrate` as a user who may make tables"
    )]
    NotAllowed {
        /// The user name.
        user: String,
        /// The server's message.
        why: String,
    },
    /// The server is older than the oldest supported version.
    #[error("this is Postgres {0}, and Duet needs {OLDEST} or newer")]
    TooOld(i32),
    /// The server is a read-only standby.
    #[error("this Postgres is a standby, which only reads: name the primary in the database URL")]
    Standby,
    /// None of the several servers accepts writes.
    #[error("no Postgres of the database URL takes writes: {0}")]
    NoPrimary(String),
    /// The server is starting, stopping, or out of connections.
    #[error("Postgres at {address} is not ready: {why}")]
    NotReady {
        /// Host and port.
        address: String,
        /// The server's message.
        why: String,
    },
    /// A pooler runs each transaction in another session.
    #[error(
        "{0} is a pooler that gives each transaction another session of Postgres, and Duet needs one \
         session for each connection: set pool_mode = session there, or name Postgres itself"
    )]
    Pooled(String),
    /// The database's encoding is not UTF-8.
    #[error(
        "the database's encoding is {0}: make one with \
         `create database NAME encoding 'UTF8' template template0`"
    )]
    Encoding(String),
    /// The schema needs a newer version of Duet.
    #[error(
        "the database was changed by a newer Duet and needs one that knows schema {0}: \
         run that version or a newer one"
    )]
    Newer(i64),
    /// The database is an unfinished copy.
    #[error(
        "a store is being moved to this database and is not all there: run `duet move` again, it \
         goes on where it was"
    )]
    Unfinished,
    /// Any other error of a migration.
    #[error("cannot bring the database up to date: {0}")]
    Migrate(MigrateError),
    /// Any other error of the database.
    #[error("cannot open the database: {0}")]
    Database(#[from] sqlx::Error),
}

/// The error of a connection attempt, with the cause that the operator can act on.
pub(super) fn explain(options: &PgConnectOptions, error: sqlx::Error) -> OpenError {
    let address = address(options);
    let user = options.get_username().to_owned();
    match &error {
        // sqlx reports a failed TLS handshake as invalid data.
        sqlx::Error::Io(why) if why.kind() == std::io::ErrorKind::InvalidData => {
            OpenError::Untrusted { address, why: why.to_string() }
        }
        // For a TCP connection, sqlx reads no files except certificates and keys.
        sqlx::Error::Io(why)
            if why.kind() == std::io::ErrorKind::NotFound && options.get_socket().is_none() =>
        {
            OpenError::Untrusted { address, why: format!("one of its certificate files: {why}") }
        }
        sqlx::Error::Io(why) => OpenError::Unreachable { address, why: why.to_string() },
        sqlx::Error::Tls(why) => OpenError::Untrusted { address, why: why.to_string() },
        sqlx::Error::Database(said) => {
            let why = said.message().to_owned();
            match said.code().as_deref() {
                Some("28P01" | "28000") => OpenError::Refused { address, user, why },
                Some("3D000") => {
                    let name = options.get_database().unwrap_or(&user).to_owned();
                    OpenError::NoDatabase { address, name }
                }
                Some("42501") => OpenError::NotAllowed { user, why },
                // The server is starting, stopping, or out of connections.
                Some(code) if code.starts_with("57P0") || code == "53300" => {
                    OpenError::NotReady { address, why }
                }
                _ => OpenError::Database(error),
            }
        }
        _ => OpenError::Database(error),
    }
}
