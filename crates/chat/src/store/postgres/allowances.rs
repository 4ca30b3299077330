//! Rate limits over all nodes, in Postgres. Implements [`RateLimitStore`], through which alone this
//! module is called.
//!
//! An allowance is stored as one time: the moment at which it is full again. Each use moves that
//! time on by one interval. The allowance is exhausted when another use would move it further ahead
//! than a whole burst. Guesses are stored as their number and the time of the last one.

use std::time::Duration;

use async_trait::async_trait;
use sqlx::postgres::PgConnection;

use super::PostgresStore;
use crate::store::{Allowance, AllowanceKey, GuessEnd, Pauses, RateLimitStore, Result};

/// The SQL for the pause after the guesses of the row `held`: see [`Pauses::after`]. `$2` is
/// [`Pauses::free`], `$3` is [`Pauses::longest`]. The exponent stops at 20, which exceeds any longest
/// pause.
macro_rules! pause {
    () => {
        "case when held.count <= $2 then interval '0' else \
             least($3::interval, \
                   interval '1 second' * power(2, least(held.count - $2 - 1, 20))) end"
    };
}

/// Strangers choose the keys of most rows, so the number of rows is bounded: a key belongs to a bucket
/// by its first bits, which are of a keyed hash, and a bucket keeps the most used rows. That makes
/// 262,144 rows of each kind.
const BUCKET_BITS: u32 = 12;
const MOST_PER_BUCKET: i64 = 64;

/// The wait that is reported when a pause ended between two statements.
const SOON: Duration = Duration::from_secs(1);

#[async_trait]
impl RateLimitStore for PostgresStore {
    async fn take(&self, of: AllowanceKey, allowance: Allowance) -> Result<Option<Duration>> {
        let key = of.to_string();
        self.call(async |connection| {
            let each = micros(allowance.each);
            let burst = each.saturating_mul(allowance.burst);
            let is_first: Option<bool> = sqlx::query_scalar(
                "insert into allowances as held (key, full_at) values ($1, clock_timestamp() + $2) \
                 on conflict (key) do update \
                     set full_at = greatest(held.full_at, clock_timestamp()) + $2 \
                     where greatest(held.full_at, clock_timestamp()) + $2 \
                         <= clock_timestamp() + $3 \
                 returning full_at <= clock_timestamp() + $2",
            )
            .bind(&key)
            .bind(each)
            .bind(burst)
            .fetch_optional(&mut *connection)
            .await?;
            if let Some(is_first) = is_first {
                if let (true, AllowanceKey::Stranger(rate, hash)) = (is_first, of) {
                    forget_least_used(connection, &key, rate, hash).await?;
                }
                return Ok(None);
            }
            let wait: Option<f64> = sqlx::query_scalar(
                "select extract(epoch from full_at + $2::interval - $3::interval \
                     - clock_timestamp())::float8 \
                 from allowances where key = $1",
            )
            .bind(&key)
            .bind(each)
            .bind(burst)
            .fetch_optional(connection)
            .await?;
            Ok(Some(ahead(wait).unwrap_or(each)))
        })
        .await
    }

    async fn give_back(&self, of: AllowanceKey, span: Duration) -> Result<()> {
        let key = of.to_string();
        self.call(async |connection| {
            sqlx::query("update allowances set full_at = full_at - $2::interval where key = $1")
                .bind(&key)
                .bind(micros(span))
                .execute(connection)
                .await?;
            Ok(())
        })
        .await
    }

    async fn count_guess(&self, key: &[u8; 16], pauses: Pauses) -> Result<Option<Duration>> {
        let free = i32::try_from(pauses.free).unwrap_or(i32::MAX);
        self.call(async |connection| {
            let count: Option<i32> = sqlx::query_scalar(concat!(
                "insert into guesses as held (key, count, counted_at) \
                     values ($1, 1, clock_timestamp()) \
                 on conflict (key) do update set \
                     count = case when held.counted_at <= clock_timestamp() - $4::interval then 1 \
                         else held.count + 1 end, \
                     counted_at = clock_timestamp() \
                 where held.counted_at + ",
                pause!(),
                " <= clock_timestamp() returning count"
            ))
            .bind(&key[..])
            .bind(free)
            .bind(pauses.longest)
            .bind(pauses.forget_after)
            .fetch_optional(&mut *connection)
            .await?;
            if let Some(count) = count {
                if count == 1 {
                    forget_fewest_guesses(connection, key).await?;
                }
                return Ok(None);
            }
            let wait: Option<f64> = sqlx::query_scalar(concat!(
                "select extract(epoch from held.counted_at + ",
                pause!(),
                " - clock_timestamp())::float8 from guesses as held where key = $1"
            ))
            .bind(&key[..])
            .bind(free)
            .bind(pauses.longest)
            .fetch_optional(connection)
            .await?;
            Ok(Some(ahead(wait).unwrap_or(SOON)))
        })
        .await
    }

    async fn end_guess(&self, key: &[u8; 16], end: GuessEnd) -> Result<()> {
        let sql = match end {
            GuessEnd::Right => "delete from guesses where key = $1",
            GuessEnd::Wrong => "update guesses set counted_at = clock_timestamp() where key = $1",
            GuessEnd::NotCompared => {
                "update guesses set count = greatest(count - 1, 0) where key = $1"
            }
        };
        self.call(async |connection| {
            sqlx::query(sql).bind(&key[..]).execute(connection).await?;
            Ok(())
        })
        .await
    }

    async fn tidy(&self, forget_after: Duration) -> Result<()> {
        self.call(async |connection| {
            sqlx::query("delete from allowances where full_at < statement_timestamp()")
                .execute(&mut *connection)
                .await?;
            sqlx::query(
                "delete from guesses where counted_at < statement_timestamp() - $1::interval",
            )
            .bind(forget_after)
            .execute(&mut *connection)
            .await?;
            // Only nodes of an older version fill this table.
            sqlx::query("delete from failures where until < statement_timestamp() - $1::interval")
                .bind(forget_after)
                .execute(connection)
                .await?;
            Ok(())
        })
        .await
    }
}

/// Deletes the least used allowances of strangers beyond [`MOST_PER_BUCKET`] in the bucket of a new
/// one, which stays.
async fn forget_least_used(
    connection: &mut PgConnection,
    key: &str,
    rate: &str,
    hash: [u8; 16],
) -> Result<()> {
    let bucket = format!("{rate} {:03x}", u128::from_be_bytes(hash) >> (128 - BUCKET_BITS));
    sqlx::query(
        "with bucket as materialized ( \
             select key, full_at from allowances where key >= $1 and key < $1 || 'g'), \
         least_used as materialized ( \
             select key from bucket where key <> $2 order by full_at desc offset $3) \
         delete from allowances where key = any (array( \
             select key from allowances where key = any (array(select key from least_used)) \
             for update skip locked))",
    )
    .bind(bucket)
    .bind(key)
    .bind(MOST_PER_BUCKET - 1)
    .execute(connection)
    .await?;
    Ok(())
}

/// The same for guesses: deletes those with the fewest uses.
async fn forget_fewest_guesses(connection: &mut PgConnection, key: &[u8; 16]) -> Result<()> {
    let bits = u128::MAX >> BUCKET_BITS;
    let (first, last) = (u128::from_be_bytes(*key) & !bits, u128::from_be_bytes(*key) | bits);
    sqlx::query(
        "with bucket as materialized ( \
             select key, count, counted_at from guesses where key >= $1 and key <= $2), \
         fewest as materialized ( \
             select key from bucket where key <> $3 \
             order by count desc, counted_at desc offset $4) \
         delete from guesses where key = any (array( \
             select key from guesses where key = any (array(select key from fewest)) \
             for update skip locked))",
    )
    .bind(&first.to_be_bytes()[..])
    .bind(&last.to_be_bytes()[..])
    .bind(&key[..])
    .bind(MOST_PER_BUCKET - 1)
    .execute(connection)
    .await?;
    Ok(())
}

/// A duration in whole microseconds, the precision of Postgres, and at least one.
fn micros(span: Duration) -> Duration {
    Duration::from_micros(u64::try_from(span.as_micros()).unwrap_or(u64::MAX).max(1))
}

/// A number of seconds as a duration; `None` unless positive.
fn ahead(seconds: Option<f64>) -> Option<Duration> {
    seconds.filter(|seconds| *seconds > 0.0).map(Duration::from_secs_f64)
}
