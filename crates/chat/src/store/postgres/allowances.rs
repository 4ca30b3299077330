//! Rate limits over all nodes, in Postgres.
//!
//! Usernames come as typed. A name that Postgres refuses belongs to no account, so it is never
//! limited.
//!
//! An allowance is stored as one time: the moment at which it is full again. Each use moves that
//! time on by one interval. The allowance is exhausted when another use would move it further ahead
//! than a whole burst.

use std::time::Duration;

use async_trait::async_trait;

use super::{PostgresStore, can_be_parameter};
use crate::store::{Allowance, RateLimitStore, Result};

#[async_trait]
impl RateLimitStore for PostgresStore {
    async fn take(&self, key: &str, allowance: Allowance) -> Result<Option<Duration>> {
        self.call(async |connection| {
            let each = micros(allowance.each);
            let burst = each.saturating_mul(allowance.burst);
            let taken = sqlx::query(
                "insert into allowances as held (key, full_at) values ($1, clock_timestamp() + $2) \
                 on conflict (key) do update \
                     set full_at = greatest(held.full_at, clock_timestamp()) + $2 \
                     where greatest(held.full_at, clock_timestamp()) + $2 \
                         <= clock_timestamp() + $3",
            )
            .bind(key)
            .bind(each)
            .bind(burst)
            .execute(&mut *connection)
            .await?;
            if taken.rows_affected() > 0 {
                return Ok(None);
            }
            let wait: Option<f64> = sqlx::query_scalar(
                "select extract(epoch from full_at + $2::interval - $3::interval \
                     - clock_timestamp())::float8 \
                 from allowances where key = $1",
            )
            .bind(key)
            .bind(each)
            .bind(burst)
            .fetch_optional(connection)
            .await?;
            Ok(Some(ahead(wait).unwrap_or(each)))
        })
        .await
    }

    async fn pause(&self, username_key: &str) -> Result<Option<Duration>> {
        self.call(async |connection| {
            if !can_be_parameter(username_key) {
                return Ok(None);
            }
            let wait: Option<f64> = sqlx::query_scalar(
                "select extract(epoch from until - clock_timestamp())::float8 \
                 from failures where username_key = $1",
            )
            .bind(username_key)
            .fetch_optional(connection)
            .await?;
            Ok(ahead(wait))
        })
        .await
    }

    async fn wrong_password(&self, username_key: &str, free: u32, longest: Duration) -> Result<()> {
        self.call(async |connection| {
            if !can_be_parameter(username_key) {
                return Ok(());
            }
            // The lock is one second after `free` wrong passwords and doubles each time. The
            // exponent stops at 20, which exceeds any `longest`.
            sqlx::query(
                "insert into failures as known (username_key, count, until) \
                 values ($1, 1, clock_timestamp()) \
                 on conflict (username_key) do update set \
                     count = known.count + 1, \
                     until = clock_timestamp() + case when known.count < $2 then interval '0' else \
                         least($3, interval '1 second' * power(2, least(known.count - $2, 20))) end",
            )
            .bind(username_key)
            .bind(i32::try_from(free).unwrap_or(i32::MAX))
            .bind(longest)
            .execute(connection)
            .await?;
            Ok(())
        })
        .await
    }

    async fn right_password(&self, username_key: &str) -> Result<()> {
        self.call(async |connection| {
            sqlx::query("delete from failures where username_key = $1")
                .bind(username_key)
                .execute(connection)
                .await?;
            Ok(())
        })
        .await
    }

    async fn tidy(&self, forget_after: Duration) -> Result<()> {
        self.call(async |connection| {
            sqlx::query("delete from allowances where full_at < statement_timestamp()")
                .execute(&mut *connection)
                .await?;
            sqlx::query("delete from failures where until < statement_timestamp() - $1::interval")
                .bind(forget_after)
                .execute(connection)
                .await?;
            Ok(())
        })
        .await
    }
}

/// A duration in whole microseconds, the precision of Postgres, and at least one.
fn micros(span: Duration) -> Duration {
    Duration::from_micros(u64::try_from(span.as_micros()).unwrap_or(u64::MAX).max(1))
}

/// A number of seconds as a duration; `None` unless positive.
fn ahead(seconds: Option<f64>) -> Option<Duration> {
    seconds.filter(|seconds| *seconds > 0.0).map(Duration::from_secs_f64)
}
