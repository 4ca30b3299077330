//! The secret of the nodes in Postgres, and its replacement.
//!
//! Two rows of `meta`: `nodes_secret`, and `nodes_secret_before` with the secret that it replaced and
//! the time of the replacement by the database's clock, in microseconds. Called by [`super::open`],
//! [`super::leases`] and the store.

use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_STANDARD as BASE64;
use sqlx::Row;
use sqlx::postgres::{PgConnection, PgRow};

use crate::store::cluster_state::REPLACE_SECRET_EVERY;
use crate::store::{DatabaseClock, NodesSecret, NodesSecrets};

/// Reads the secrets and the clock from a row with the columns of `secrets_and_clock!`.
pub(super) fn read(row: &PgRow) -> Result<(NodesSecrets, DatabaseClock), sqlx::Error> {
    let clock: i64 = row.try_get("clock")?;
    let newest = decode(row.try_get("secret")?)?;
    let before: Option<String> = row.try_get("secret_before")?;
    let before = before.as_deref().and_then(|row| row.split_once(' ')).and_then(|(before, at)| {
        let age = clock.saturating_sub(at.parse().ok()?);
        // The clock of another server may be behind.
        let age = Duration::from_micros(u64::try_from(age).unwrap_or(0));
        Some((decode(before).ok()?, age))
    });
    let (before, age) = before.map_or((None, Duration::MAX), |(before, age)| (Some(before), age));
    Ok((NodesSecrets::at_age(newest, before, age), DatabaseClock::showing(clock)))
}

/// Reads the secrets and the clock, and makes the first secret if there is none.
pub(super) async fn read_or_make(
    connection: &mut PgConnection,
) -> Result<(NodesSecrets, DatabaseClock), sqlx::Error> {
    sqlx::query(
        "insert into meta (key, value) values ('nodes_secret', $1) on conflict (key) do nothing",
    )
    .bind(new_secret()?)
    .execute(&mut *connection)
    .await?;
    let row = sqlx::query(concat!("select ", secrets_and_clock!())).fetch_one(connection).await?;
    read(&row)
}

/// Replaces the secret; returns false if it was replaced a short time ago.
pub(super) async fn replace(connection: &mut PgConnection) -> Result<bool, sqlx::Error> {
    // The lock lets a second replacement at the same time see the first one.
    let replaced = sqlx::query(
        "with now as (select (extract(epoch from clock_timestamp()) * 1000000)::bigint as micros), \
              newest as (select value from meta where key = 'nodes_secret' for update), \
              kept as ( \
                  insert into meta (key, value) \
                  select 'nodes_secret_before', newest.value || ' ' || now.micros from newest, now \
                  on conflict (key) do update set value = excluded.value \
                  where split_part(meta.value, ' ', 2)::bigint \
                      < split_part(excluded.value, ' ', 2)::bigint - $2 \
                  returning 1) \
         update meta set value = $1 where key = 'nodes_secret' and exists (select 1 from kept)",
    )
    .bind(new_secret()?)
    .bind(i64::try_from(REPLACE_SECRET_EVERY.as_micros()).unwrap_or(i64::MAX))
    .execute(connection)
    .await?;
    Ok(replaced.rows_affected() > 0)
}

fn new_secret() -> Result<String, sqlx::Error> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(|error| sqlx::Error::Encode(Box::new(error)))?;
    Ok(BASE64.encode(bytes))
}

fn decode(text: &str) -> Result<NodesSecret, sqlx::Error> {
    let decoded = BASE64.decode(text).map_err(|error| sqlx::Error::Decode(Box::new(error)))?;
    let bytes = decoded.try_into();
    bytes.map(NodesSecret).map_err(|_| sqlx::Error::Decode("not 32 bytes".into()))
}
