//! Connects to the database at start, checks the server, and migrates the schema. Called by
//! [`super::PostgresStore::open`], and by a move of a store to Postgres.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use protocol::Epoch;
use sqlx::Connection;
use sqlx::migrate::{MigrateError, Migration, Migrator};
use sqlx::postgres::PgConnection;
use tokio::time::{sleep, timeout};

use super::open_error::{OLDEST, OpenError, explain};
use super::servers::{Servers, address};
use super::{leases, looks, pooler, secrets, words};
use crate::store::migrations::{self, MigrationSource};
use crate::store::{DatabaseClock, Instance, NodesSecrets, StoreError, StoreSecret};

/// The migrations, run at start in this order. Never edit one. Nodes of the previous version serve
/// during and after a migration, and may restart. A migration therefore adds, and removes only what
/// the previous version does not use. A migration that removes something stores in `meta`, under
/// [`SERVED_FROM`], the first schema whose nodes work without it.
const MIGRATIONS: [MigrationSource; 13] = [
    (1, "accounts", include_str!("../../../migrations/postgres/0001_accounts.sql")),
    (2, "conversations", include_str!("../../../migrations/postgres/0002_conversations.sql")),
    (3, "messages", include_str!("../../../migrations/postgres/0003_messages.sql")),
    (4, "nodes", include_str!("../../../migrations/postgres/0004_nodes.sql")),
    (7, "instances", include_str!("../../../migrations/postgres/0007_instances.sql")),
    (8, "person words", include_str!("../../../migrations/postgres/0008_person_words.sql")),
    (9, "guesses", include_str!("../../../migrations/postgres/0009_guesses.sql")),
    (12, "username looks", include_str!("../../../migrations/postgres/0012_username_looks.sql")),
    (13, "second factors", include_str!("../../../migrations/postgres/0013_second_factors.sql")),
    (14, "passkeys", include_str!("../../../migrations/postgres/0014_passkeys.sql")),
    (15, "device links", include_str!("../../../migrations/postgres/0015_device_links.sql")),
    (16, "people", include_str!("../../../migrations/postgres/0016_people.sql")),
    (17, "identities", include_str!("../../../migrations/postgres/0017_identities.sql")),
];

/// The key in `meta` of the lowest schema that a node must have.
const SERVED_FROM: &str = "served_from";
/// The key in `meta` of the store's secret.
pub(in crate::store) const SECRET: &str = "secret";
/// The key in `meta` that marks an unfinished copy. The value is the epoch of the source.
pub(in crate::store) const MOVE: &str = "move";
/// How long a server may take to answer at start.
const REACHED_WITHIN: Duration = Duration::from_secs(10);
/// The pause between attempts to reach a server, and between log lines about it.
const RETRY_EVERY: Duration = Duration::from_millis(500);
const LOG_EVERY: Duration = Duration::from_secs(30);

/// What a database tells at its opening.
pub(super) struct Opened {
    pub(super) epoch: Epoch,
    pub(super) secret: StoreSecret,
    pub(super) secrets: NodesSecrets,
    pub(super) clock: DatabaseClock,
    pub(super) instance: Instance,
}

/// Checks and migrates the database. Reads the store's epoch and secret, the nodes' secrets, the clock, and the
/// name of the running database.
pub(super) async fn prepare_database(
    servers: &Servers,
    patience: Duration,
) -> Result<Opened, OpenError> {
    let mut connection = up_to_date(servers, patience).await?;
    let unfinished: Option<String> = sqlx::query_scalar("select value from meta where key = $1")
        .bind(MOVE)
        .fetch_optional(&mut connection)
        .await?;
    if unfinished.is_some() {
        return Err(OpenError::Unfinished);
    }
    let failed = |error| match error {
        StoreError::Database(error) => OpenError::Database(error),
        other => OpenError::Database(sqlx::Error::Protocol(other.to_string())),
    };
    words::store_missing(&mut connection).await.map_err(failed)?;
    looks::store_missing(&mut connection).await.map_err(failed)?;
    let epoch = read_or_make_epoch(&mut connection).await?;
    let secret = read_or_make_secret(&mut connection).await?;
    let (secrets, clock) = secrets::read_or_make(&mut connection).await?;
    let instance = leases::instance(&mut connection).await?;
    connection.close().await?;
    Ok(Opened { epoch, secret, secrets, clock, instance })
}

/// A connection to a checked and migrated database. Retries for `patience` while no server is
/// reachable. Statements on the connection have no time limit.
pub(in crate::store) async fn up_to_date(
    servers: &Servers,
    patience: Duration,
) -> Result<PgConnection, OpenError> {
    let (at, mut connection) = wait_for_primary(servers, patience).await?;
    let options = &servers.all()[at];
    let checking = pooler::keeps_sessions(&mut connection, options);
    let is_own = timeout(REACHED_WITHIN, checking).await.map_err(|_| OpenError::Unreachable {
        address: address(options),
        why: "no second connection; Duet needs several".into(),
    })?;
    if !is_own.map_err(|error| explain(options, error))? {
        return Err(OpenError::Pooled(address(options)));
    }
    check_server(&mut connection).await?;
    // Another node may be migrating, which can take any time.
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
    let mut logged: Option<Instant> = None;
    loop {
        let error = match connect(servers).await {
            Ok(connected) => return Ok(connected),
            Err(error) => error,
        };
        let may_recover = matches!(
            error,
            OpenError::Unreachable { .. } | OpenError::NoPrimary(_) | OpenError::NotReady { .. }
        );
        if !may_recover || began.elapsed() >= patience {
            return Err(error);
        }
        if logged.is_none_or(|at| at.elapsed() >= LOG_EVERY) {
            let seconds = patience.saturating_sub(began.elapsed()).as_secs();
            tracing::warn!("{error} Duet retries for {seconds} s.");
            logged = Some(Instant::now());
        }
        sleep(RETRY_EVERY).await;
    }
}

/// Connects to the primary.
async fn connect(servers: &Servers) -> Result<(usize, PgConnection), OpenError> {
    if !servers.are_several() {
        return connect_to(servers, 0).await;
    }
    // At most one server is the primary, so the first success decides.
    let mut attempts: FuturesUnordered<_> =
        (0..servers.all().len()).map(|at| connect_to(servers, at)).collect();
    let mut failed = Vec::new();
    while let Some(outcome) = attempts.next().await {
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
        OpenError::Unreachable { address, why } | OpenError::NotReady { address, why } => {
            format!("{address}: {why}")
        }
        other => other.to_string(),
    };
    Err(OpenError::NoPrimary(failed.into_iter().map(why).collect::<Vec<_>>().join("; ")))
}

async fn connect_to(servers: &Servers, at: usize) -> Result<(usize, PgConnection), OpenError> {
    let options = &servers.all()[at];
    let connected = timeout(REACHED_WITHIN, servers.connect_to(at)).await;
    let why = || OpenError::Unreachable { address: address(options), why: "no answer".into() };
    let connection = connected.map_err(|_| why())?.map_err(|error| explain(options, error))?;
    Ok((at, connection))
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
    migrations::newest(&MIGRATIONS)
}

/// Runs the missing migrations. The migrator holds a database-wide lock, so that nodes that start
/// together run each migration once.
async fn migrate(connection: &mut PgConnection) -> Result<(), OpenError> {
    let mut migrator = migrations::migrator(&MIGRATIONS);
    // Migrations of a newer version may exist.
    migrator.set_ignore_missing(true);
    // A user without the right to create tables can serve a migrated database.
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

/// Whether all migrations have run, with the checksums of this version.
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

async fn read_or_make_secret(connection: &mut PgConnection) -> Result<StoreSecret, sqlx::Error> {
    let new = StoreSecret::new().map_err(|error| sqlx::Error::Encode(Box::new(error)))?;
    let text = read_or_make(connection, SECRET, &new.to_text()).await?;
    StoreSecret::parse(&text).ok_or_else(|| sqlx::Error::Decode("not 32 bytes".into()))
}

/// Reads a value of `meta`, or stores `new` if there is none. All nodes get the same value.
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
