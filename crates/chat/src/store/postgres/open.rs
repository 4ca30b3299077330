//! Reaching a database at start, and bringing it up to date. Called by
//! [`super::PostgresStore::open`], and by a move of a store to here. What goes wrong here is the operator's to change, so each
//! error says what; none shows the password.

use std::str::FromStr;
use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_STANDARD as BASE64;
use protocol::Epoch;
use sqlx::migrate::{MigrateError, Migration, MigrationType, Migrator};
use sqlx::postgres::{PgConnectOptions, PgConnection, PgSslMode};
use sqlx::{ConnectOptions, Connection, SqlSafeStr};
use tokio::time::timeout;

use crate::store::NodesSecret;

/// Run at start, in this order, never edited. Nodes of the version before serve meanwhile and
/// afterwards, and may start again: a migration adds, and takes away only what no such node uses
/// any more. One that takes away says in `meta`, under [`SERVED_FROM`], the first schema whose nodes
/// do without.
const MIGRATIONS: [(i64, &str, &str); 4] = [
    (1, "accounts", include_str!("../../../migrations/postgres/0001_accounts.sql")),
    (2, "conversations", include_str!("../../../migrations/postgres/0002_conversations.sql")),
    (3, "messages", include_str!("../../../migrations/postgres/0003_messages.sql")),
    (4, "nodes", include_str!("../../../migrations/postgres/0004_nodes.sql")),
];

/// Where the database says which schema a node must know at least.
const SERVED_FROM: &str = "served_from";
/// Where it says that a store is being moved here and is not all there: whose, by its epoch.
pub(in crate::store) const MOVE: &str = "move";
/// The oldest version whose SQL is spoken here.
const OLDEST: i32 = 15;
/// How long a server may take to answer at start.
const REACHED_WITHIN: Duration = Duration::from_secs(10);
/// What a URL may set. Others are refused: one that was written wrong would change nothing.
const PARAMETERS: [&str; 7] =
    ["sslmode", "sslrootcert", "sslcert", "sslkey", "host", "port", "application_name"];

/// Why a database could not be opened: one line for the operator.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The URL itself.
    #[error(
        "the database URL is wrong: {0}. \
         Write postgres://USER:PASSWORD@HOST/DATABASE?sslmode=verify-full"
    )]
    Url(String),
    /// Nobody answers.
    #[error(
        "cannot reach Postgres at {place}: {why}. Is it running, and is the database URL right?"
    )]
    Unreachable {
        /// Host and port.
        place: String,
        /// Why.
        why: String,
    },
    /// The server's certificate, or that it has none.
    #[error(
        "cannot trust Postgres at {place}: {why}. With sslmode=verify-full its certificate must \
         name this host, and sslrootcert=FILE the authority that signed it"
    )]
    Untrusted {
        /// Host and port.
        place: String,
        /// Why.
        why: String,
    },
    /// User or password.
    #[error(
        "Postgres at {place} does not let {user} in: {why}. \
         Check user and password of the database URL"
    )]
    Refused {
        /// Host and port.
        place: String,
        /// Who.
        user: String,
        /// Why.
        why: String,
    },
    /// No database of this name.
    #[error(
        "Postgres at {place} has no database {name}: make it, \
         with createdb or `create database {name}`"
    )]
    NoDatabase {
        /// Host and port.
        place: String,
        /// Which.
        name: String,
    },
    /// What the user may do.
    #[error("{user} may not make Duet's tables: {why}. Make {user} the owner of the database")]
    NotAllowed {
        /// Who.
        user: String,
        /// Why.
        why: String,
    },
    /// A version that does not speak all of the SQL used here.
    #[error("this is Postgres {0}, and Duet needs {OLDEST} or newer")]
    TooOld(i32),
    /// A copy that only reads.
    #[error("this Postgres is a standby, which only reads: name the primary in the database URL")]
    Standby,
    /// An encoding that cannot hold every text.
    #[error(
        "the database's encoding is {0}: make one with \
         `create database NAME encoding 'UTF8' template template0`"
    )]
    Encoding(String),
    /// A schema that this version cannot serve.
    #[error(
        "the database was changed by a newer Duet and needs one that knows schema {0}: \
         run that version or a newer one"
    )]
    Newer(i64),
    /// A copy that is not all there.
    #[error(
        "a store is being moved to this database and is not all there: run `duet move` again, it \
         goes on where it was"
    )]
    Unfinished,
    /// Anything else a migration says.
    #[error("cannot bring the database up to date: {0}")]
    Migrate(MigrateError),
    /// Anything else the database says.
    #[error("cannot open the database: {0}")]
    Database(#[from] sqlx::Error),
}

/// What a URL says.
pub(in crate::store) fn options(url: &str) -> Result<PgConnectOptions, OpenError> {
    let names: Vec<&str> = match url.split_once('?') {
        Some((_, query)) => query.split('&').filter_map(|pair| pair.split('=').next()).collect(),
        None => Vec::new(),
    };
    if let Some(unknown) = names.iter().find(|name| !PARAMETERS.contains(name)) {
        return Err(OpenError::Url(format!("it has no parameter {unknown}")));
    }
    let options = PgConnectOptions::from_str(url).map_err(|error| match error {
        sqlx::Error::Configuration(why) => OpenError::Url(why.to_string()),
        other => OpenError::Url(other.to_string()),
    })?;
    let verifies = matches!(options.get_ssl_mode(), PgSslMode::VerifyCa | PgSslMode::VerifyFull);
    if names.contains(&"sslrootcert") && !verifies {
        return Err(OpenError::Url(
            "sslrootcert is looked at with sslmode=verify-full only".into(),
        ));
    }
    if !verifies && options.get_socket().is_none() && !is_this_machine(options.get_host()) {
        tracing::warn!(
            host = options.get_host(),
            "the database's certificate is not verified: whoever is on the way can read and change \
             everything. Add sslmode=verify-full to the database URL"
        );
    }
    Ok(match options.get_application_name() {
        Some(_) => options,
        None => options.application_name("duet"),
    })
}

fn is_this_machine(host: &str) -> bool {
    let host = host.trim_matches(['[', ']']);
    host == "localhost" || host.parse().is_ok_and(|ip: std::net::IpAddr| ip.is_loopback())
}

/// Looks whether Duet can stand on this database, makes its tables, and reads the store's epoch and
/// the nodes' secret.
pub(super) async fn prepare_database(
    options: &PgConnectOptions,
) -> Result<(Epoch, NodesSecret), OpenError> {
    let mut connection = up_to_date(options).await?;
    let unfinished: Option<String> = sqlx::query_scalar("select value from meta where key = $1")
        .bind(MOVE)
        .fetch_optional(&mut connection)
        .await?;
    if unfinished.is_some() {
        return Err(OpenError::Unfinished);
    }
    let epoch = read_or_make_epoch(&mut connection).await?;
    let secret = read_or_make_secret(&mut connection).await?;
    connection.close().await?;
    Ok((epoch, secret))
}

/// A connection to a database on which Duet can stand and that has its tables. No statement of it
/// ends before its time.
pub(in crate::store) async fn up_to_date(
    options: &PgConnectOptions,
) -> Result<PgConnection, OpenError> {
    let place = || format!("{}:{}", options.get_host(), options.get_port());
    let mut connection = timeout(REACHED_WITHIN, options.connect())
        .await
        .map_err(|_| OpenError::Unreachable { place: place(), why: "no answer".into() })?
        .map_err(|error| explain(options, place(), error))?;
    check_server(&mut connection).await?;
    // Another node that makes the tables just now is waited for, however long it takes.
    sqlx::query(
        "select set_config(name, value, false) \
         from (values ('statement_timeout', '0'), ('lock_timeout', '0'), \
                      ('client_min_messages', 'warning')) as settings (name, value)",
    )
    .execute(&mut connection)
    .await?;
    migrate(&mut connection).await.map_err(|error| match error {
        OpenError::Migrate(
            MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _),
        )
        | OpenError::Database(error) => explain(options, place(), error),
        other => other,
    })?;
    Ok(connection)
}

fn explain(options: &PgConnectOptions, place: String, error: sqlx::Error) -> OpenError {
    let user = options.get_username().to_owned();
    match &error {
        // A handshake that fails comes as bad data.
        sqlx::Error::Io(why) if why.kind() == std::io::ErrorKind::InvalidData => {
            OpenError::Untrusted { place, why: why.to_string() }
        }
        // Nothing else is read from a file on the way to a port.
        sqlx::Error::Io(why)
            if why.kind() == std::io::ErrorKind::NotFound && options.get_socket().is_none() =>
        {
            OpenError::Untrusted { place, why: format!("one of its certificate files: {why}") }
        }
        sqlx::Error::Io(why) => OpenError::Unreachable { place, why: why.to_string() },
        sqlx::Error::Tls(why) => OpenError::Untrusted { place, why: why.to_string() },
        sqlx::Error::Database(said) => {
            let why = said.message().to_owned();
            match said.code().as_deref() {
                Some("28P01" | "28000") => OpenError::Refused { place, user, why },
                Some("3D000") => {
                    let name = options.get_database().unwrap_or(&user).to_owned();
                    OpenError::NoDatabase { place, name }
                }
                Some("42501") => OpenError::NotAllowed { user, why },
                _ => OpenError::Database(error),
            }
        }
        _ => OpenError::Database(error),
    }
}

async fn check_server(connection: &mut PgConnection) -> Result<(), OpenError> {
    let (version, encoding, standby): (i32, String, bool) = sqlx::query_as(
        "select current_setting('server_version_num')::int / 10000, \
                current_setting('server_encoding'), pg_is_in_recovery()",
    )
    .fetch_one(connection)
    .await?;
    if version < OLDEST {
        return Err(OpenError::TooOld(version));
    }
    if standby {
        return Err(OpenError::Standby);
    }
    if encoding != "UTF8" {
        return Err(OpenError::Encoding(encoding));
    }
    Ok(())
}

/// The number of the last migration.
pub(in crate::store) fn newest_schema() -> i64 {
    MIGRATIONS.iter().map(|(version, ..)| *version).max().unwrap_or_default()
}

/// Under a lock of the whole database, so that nodes that start together run each of them once.
async fn migrate(connection: &mut PgConnection) -> Result<(), OpenError> {
    let migrations = MIGRATIONS
        .into_iter()
        .map(|(version, name, sql)| {
            Migration::new(version, name.into(), MigrationType::Simple, sql.into_sql_str(), false)
        })
        .collect();
    let mut migrator = Migrator::with_migrations(migrations);
    // What a newer version has added does not disturb.
    migrator.set_ignore_missing(true);
    migrator.run_direct(None, &mut *connection, false).await.map_err(OpenError::Migrate)?;
    let served_from: Option<String> = sqlx::query_scalar("select value from meta where key = $1")
        .bind(SERVED_FROM)
        .fetch_optional(connection)
        .await?;
    match served_from.and_then(|version| version.parse().ok()) {
        Some(needed) if needed > newest_schema() => Err(OpenError::Newer(needed)),
        _ => Ok(()),
    }
}

async fn read_or_make_epoch(connection: &mut PgConnection) -> Result<Epoch, sqlx::Error> {
    let text = read_or_make(connection, "epoch", &Epoch::new().to_string()).await?;
    text.parse().map_err(|error| sqlx::Error::Decode(Box::new(error)))
}

async fn read_or_make_secret(connection: &mut PgConnection) -> Result<NodesSecret, sqlx::Error> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(|error| sqlx::Error::Encode(Box::new(error)))?;
    let text = read_or_make(connection, "nodes_secret", &BASE64.encode(bytes)).await?;
    let decoded = BASE64.decode(text).map_err(|error| sqlx::Error::Decode(Box::new(error)))?;
    let bytes = decoded.try_into();
    bytes.map(NodesSecret).map_err(|_| sqlx::Error::Decode("not 32 bytes".into()))
}

/// A fact about the store, made once, by whichever node is first.
async fn read_or_make(
    connection: &mut PgConnection,
    key: &str,
    new: &str,
) -> Result<String, sqlx::Error> {
    sqlx::query("insert into meta (key, value) values ($1, $2) on conflict (key) do nothing")
        .bind(key)
        .bind(new)
        .execute(&mut *connection)
        .await?;
    sqlx::query_scalar("select value from meta where key = $1")
        .bind(key)
        .fetch_one(connection)
        .await
}
