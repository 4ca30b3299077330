//! Reaching a database at start, and bringing it up to date. Called by
//! [`super::PostgresStore::open`], and by a move of a store to here. What goes wrong here is the operator's to change, so each
//! error says what; none shows the password.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::prelude::BASE64_STANDARD as BASE64;
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use protocol::Epoch;
use sqlx::migrate::{MigrateError, Migration, MigrationType, Migrator};
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{Connection, SqlSafeStr};
use tokio::time::{sleep, timeout};

use super::servers::{Servers, place};
use super::{leases, pooler, words};
use crate::store::{Instance, NodesSecret, StoreError};

/// Run at start, in this order, never edited. Nodes of the version before serve meanwhile and
/// afterwards, and may start again: a migration adds, and takes away only what no such node uses
/// any more. One that takes away says in `meta`, under [`SERVED_FROM`], the first schema whose nodes
/// do without.
const MIGRATIONS: [(i64, &str, &str); 6] = [
    (1, "accounts", include_str!("../../../migrations/postgres/0001_accounts.sql")),
    (2, "conversations", include_str!("../../../migrations/postgres/0002_conversations.sql")),
    (3, "messages", include_str!("../../../migrations/postgres/0003_messages.sql")),
    (4, "nodes", include_str!("../../../migrations/postgres/0004_nodes.sql")),
    (7, "instances", include_str!("../../../migrations/postgres/0007_instances.sql")),
    (8, "person words", include_str!("../../../migrations/postgres/0008_person_words.sql")),
];

/// Where the database says which schema a node must know at least.
const SERVED_FROM: &str = "served_from";
/// Where it says that a store is being moved here and is not all there: whose, by its epoch.
pub(in crate::store) const MOVE: &str = "move";
/// The oldest version whose SQL is spoken here.
const OLDEST: i32 = 15;
/// How long a server may take to answer at start.
const REACHED_WITHIN: Duration = Duration::from_secs(10);
/// Before a server that is not there yet is tried again, and how often that is said.
const TRY_AGAIN: Duration = Duration::from_millis(500);
const SAY_AGAIN: Duration = Duration::from_secs(30);
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
    #[error(
        "{user} may not make Duet's tables: {why}. Make {user} the owner of the database, or run \
         `duet migrate` as a user who may make tables"
    )]
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
    /// Of several servers, none that takes writes.
    #[error("no Postgres of the database URL takes writes: {0}")]
    NoPrimary(String),
    /// A server that is not ready to be talked to yet.
    #[error("Postgres at {place} is not ready: {why}")]
    NotReady {
        /// Host and port.
        place: String,
        /// Why.
        why: String,
    },
    /// A pooler that gives each transaction another session.
    #[error(
        "{0} is a pooler that gives each transaction another session of Postgres, and Duet needs one \
         session for each connection: set pool_mode = session there, or name Postgres itself"
    )]
    Pooled(String),
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

/// Looks whether Duet can stand on this database, makes its tables, and reads the store's epoch, the
/// nodes' secret, and the name of the running database.
pub(super) async fn prepare_database(
    servers: &Servers,
    patience: Duration,
) -> Result<(Epoch, NodesSecret, Instance), OpenError> {
    let mut connection = up_to_date(servers, patience).await?;
    let unfinished: Option<String> = sqlx::query_scalar("select value from meta where key = $1")
        .bind(MOVE)
        .fetch_optional(&mut connection)
        .await?;
    if unfinished.is_some() {
        return Err(OpenError::Unfinished);
    }
    words::store_missing(&mut connection).await.map_err(|error| match error {
        StoreError::Database(error) => OpenError::Database(error),
        other => OpenError::Database(sqlx::Error::Protocol(other.to_string())),
    })?;
    let epoch = read_or_make_epoch(&mut connection).await?;
    let secret = read_or_make_secret(&mut connection).await?;
    let instance = leases::instance(&mut connection).await?;
    connection.close().await?;
    Ok((epoch, secret, instance))
}

/// A connection to a database on which Duet can stand and that has its tables. A server that is not
/// there yet is waited for, for so long. No statement of the connection ends before its time.
pub(in crate::store) async fn up_to_date(
    servers: &Servers,
    patience: Duration,
) -> Result<PgConnection, OpenError> {
    let (at, mut connection) = wait_for_primary(servers, patience).await?;
    let options = &servers.all()[at];
    let checking = pooler::keeps_sessions(&mut connection, options);
    let is_own = timeout(REACHED_WITHIN, checking).await.map_err(|_| OpenError::Unreachable {
        place: place(options),
        why: "no second connection; Duet needs several".into(),
    })?;
    if !is_own.map_err(|error| explain(options, error))? {
        return Err(OpenError::Pooled(place(options)));
    }
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
        | OpenError::Database(error) => explain(options, error),
        other => other,
    })?;
    Ok(connection)
}

async fn wait_for_primary(
    servers: &Servers,
    patience: Duration,
) -> Result<(usize, PgConnection), OpenError> {
    let began = Instant::now();
    let mut said: Option<Instant> = None;
    loop {
        let error = match connect(servers).await {
            Ok(connected) => return Ok(connected),
            Err(error) => error,
        };
        let may_come = matches!(
            error,
            OpenError::Unreachable { .. } | OpenError::NoPrimary(_) | OpenError::NotReady { .. }
        );
        if !may_come || began.elapsed() >= patience {
            return Err(error);
        }
        if said.is_none_or(|at| at.elapsed() >= SAY_AGAIN) {
            let seconds = patience.saturating_sub(began.elapsed()).as_secs();
            tracing::warn!("{error} It is tried again for {seconds} s.");
            said = Some(Instant::now());
        }
        sleep(TRY_AGAIN).await;
    }
}

/// Connects to the server that takes writes.
async fn connect(servers: &Servers) -> Result<(usize, PgConnection), OpenError> {
    if !servers.are_several() {
        return connect_to(servers, 0).await;
    }
    // One of them at most takes writes, so the first is the one.
    let mut asked: FuturesUnordered<_> =
        (0..servers.all().len()).map(|at| connect_to(servers, at)).collect();
    let mut failed = Vec::new();
    while let Some(outcome) = asked.next().await {
        match outcome {
            Ok((at, connection)) => {
                servers.set_current(at);
                return Ok((at, connection));
            }
            Err(error) => failed.push(error),
        }
    }
    let is_wrong = |error: &OpenError| {
        !matches!(error, OpenError::Unreachable { .. } | OpenError::NotReady { .. })
    };
    if let Some(at) = failed.iter().position(is_wrong) {
        return Err(failed.swap_remove(at));
    }
    let why = |error: OpenError| match error {
        OpenError::Unreachable { place, why } | OpenError::NotReady { place, why } => {
            format!("{place}: {why}")
        }
        other => other.to_string(),
    };
    Err(OpenError::NoPrimary(failed.into_iter().map(why).collect::<Vec<_>>().join("; ")))
}

async fn connect_to(servers: &Servers, at: usize) -> Result<(usize, PgConnection), OpenError> {
    let options = &servers.all()[at];
    let connected = timeout(REACHED_WITHIN, servers.connect_to(at)).await;
    let why = || OpenError::Unreachable { place: place(options), why: "no answer".into() };
    let connection = connected.map_err(|_| why())?.map_err(|error| explain(options, error))?;
    Ok((at, connection))
}

fn explain(options: &PgConnectOptions, error: sqlx::Error) -> OpenError {
    let place = place(options);
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
                // It starts, stops, or has no connection left.
                Some(code) if code.starts_with("57P0") || code == "53300" => {
                    OpenError::NotReady { place, why }
                }
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
    // Whoever may not make tables can serve those that are there.
    if !is_finished(connection, &migrator).await? {
        migrator.run_direct(None, &mut *connection, false).await.map_err(OpenError::Migrate)?;
    }
    let served_from: Option<String> = sqlx::query_scalar("select value from meta where key = $1")
        .bind(SERVED_FROM)
        .fetch_optional(connection)
        .await?;
    match served_from.and_then(|version| version.parse().ok()) {
        Some(needed) if needed > newest_schema() => Err(OpenError::Newer(needed)),
        _ => Ok(()),
    }
}

/// Whether all migrations were run, each as it is known here.
async fn is_finished(
    connection: &mut PgConnection,
    migrator: &Migrator,
) -> Result<bool, sqlx::Error> {
    let is_there: bool = sqlx::query_scalar("select to_regclass('_sqlx_migrations') is not null")
        .fetch_one(&mut *connection)
        .await?;
    if !is_there {
        return Ok(false);
    }
    let run: Vec<(i64, Vec<u8>)> =
        sqlx::query_as("select version, checksum from _sqlx_migrations where success")
            .fetch_all(connection)
            .await?;
    let run: HashMap<i64, Vec<u8>> = run.into_iter().collect();
    let is_run = |migration: &Migration| {
        run.get(&migration.version).is_some_and(|checksum| *checksum == *migration.checksum)
    };
    Ok(migrator.iter().all(is_run))
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
