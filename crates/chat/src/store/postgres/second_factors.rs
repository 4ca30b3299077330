//! The second factors of users in Postgres. Implements [`SecondFactorStore`], through which alone
//! this module is called. Recovery codes are deleted with their second factor by the foreign key.

use async_trait::async_trait;
use protocol::{Timestamp, UserId};
use sqlx::Connection;
use sqlx::postgres::PgConnection;

use super::{PostgresStore, sessions};
use crate::store::{Caller, CodeHash, Result, SecondFactor, SecondFactorStore, rows};

#[async_trait]
impl SecondFactorStore for PostgresStore {
    async fn second_factor(&self, user: UserId) -> Result<Option<SecondFactor>> {
        self.call(async |connection| {
            let row = sqlx::query(
                "select secret, confirmed_at, \
                        (select count(*) from recovery_codes r where r.user_id = $1) as codes \
                 from second_factors where user_id = $1",
            )
            .bind(user.0)
            .fetch_optional(connection)
            .await?;
            rows::optional(row.as_ref(), rows::second_factor)
        })
        .await
    }

    async fn begin_second_factor(
        &self,
        caller: Caller,
        secret: &[u8],
        now: Timestamp,
    ) -> Result<bool> {
        self.call(async |connection| {
            let mut tx = connection.begin().await?;
            // The lock on the user's row keeps an account from being deleted meanwhile, which would
            // leave the new row behind.
            let account = sqlx::query(
                "select 1 from users where id = $1 and deleted_at is null for no key update",
            )
            .bind(caller.user.0)
            .fetch_optional(&mut *tx)
            .await?;
            if account.is_none() {
                sessions::require(&mut tx, caller).await?;
                tx.rollback().await?;
                return Ok(false);
            }
            let begun = sqlx::query(
                "insert into second_factors (user_id, secret, created_at) values ($1, $2, $3) \
                 on conflict (user_id) do update \
                     set secret = excluded.secret, created_at = excluded.created_at \
                     where second_factors.confirmed_at is null",
            )
            .bind(caller.user.0)
            .bind(secret)
            .bind(now.0)
            .execute(&mut *tx)
            .await?;
            sessions::commit_for(tx, caller).await?;
            Ok(begun.rows_affected() > 0)
        })
        .await
    }

    async fn confirm_second_factor(
        &self,
        caller: Caller,
        secret: &[u8],
        step: i64,
        codes: &[CodeHash],
        now: Timestamp,
    ) -> Result<bool> {
        self.call(async |connection| {
            let mut tx = connection.begin().await?;
            let confirmed = sqlx::query(
                "update second_factors set confirmed_at = $4, last_step = $3 \
                 where user_id = $1 and secret = $2 and confirmed_at is null",
            )
            .bind(caller.user.0)
            .bind(secret)
            .bind(step)
            .bind(now.0)
            .execute(&mut *tx)
            .await?;
            if confirmed.rows_affected() == 0 {
                sessions::require(&mut tx, caller).await?;
                tx.rollback().await?;
                return Ok(false);
            }
            insert_codes(&mut tx, caller.user, codes).await?;
            sessions::commit_for(tx, caller).await?;
            Ok(true)
        })
        .await
    }

    async fn accept_step(&self, user: UserId, secret: &[u8], step: i64) -> Result<bool> {
        self.call(async |connection| {
            let accepted = sqlx::query(
                "update second_factors set last_step = $3 \
                 where user_id = $1 and secret = $2 and confirmed_at is not null \
                   and last_step < $3",
            )
            .bind(user.0)
            .bind(secret)
            .bind(step)
            .execute(connection)
            .await?;
            Ok(accepted.rows_affected() > 0)
        })
        .await
    }

    async fn use_recovery_code(&self, user: UserId, code: &CodeHash) -> Result<bool> {
        self.call(async |connection| {
            let used =
                sqlx::query("delete from recovery_codes where user_id = $1 and code_hash = $2")
                    .bind(user.0)
                    .bind(code.as_slice())
                    .execute(connection)
                    .await?;
            Ok(used.rows_affected() > 0)
        })
        .await
    }

    async fn replace_recovery_codes(&self, caller: Caller, codes: &[CodeHash]) -> Result<bool> {
        self.call(async |connection| {
            let mut tx = connection.begin().await?;
            // The lock orders concurrent replacements, which would otherwise add their codes up.
            let confirmed = sqlx::query(
                "select 1 from second_factors \
                 where user_id = $1 and confirmed_at is not null for no key update",
            )
            .bind(caller.user.0)
            .fetch_optional(&mut *tx)
            .await?;
            if confirmed.is_none() {
                sessions::require(&mut tx, caller).await?;
                tx.rollback().await?;
                return Ok(false);
            }
            sqlx::query("delete from recovery_codes where user_id = $1")
                .bind(caller.user.0)
                .execute(&mut *tx)
                .await?;
            insert_codes(&mut tx, caller.user, codes).await?;
            sessions::commit_for(tx, caller).await?;
            Ok(true)
        })
        .await
    }

    async fn turn_off_second_factor(&self, caller: Caller) -> Result<bool> {
        self.call(async |connection| {
            let mut tx = connection.begin().await?;
            let is_deleted = delete_confirmed(&mut tx, caller.user).await?;
            sessions::commit_for(tx, caller).await?;
            Ok(is_deleted)
        })
        .await
    }

    async fn delete_second_factor(&self, user: UserId) -> Result<bool> {
        self.call(async |connection| delete_confirmed(connection, user).await).await
    }
}

async fn delete_confirmed(connection: &mut PgConnection, user: UserId) -> Result<bool> {
    let deleted =
        sqlx::query("delete from second_factors where user_id = $1 and confirmed_at is not null")
            .bind(user.0)
            .execute(connection)
            .await?;
    Ok(deleted.rows_affected() > 0)
}

async fn insert_codes(tx: &mut PgConnection, user: UserId, codes: &[CodeHash]) -> Result<()> {
    let codes: Vec<&[u8]> = codes.iter().map(<[u8; 32]>::as_slice).collect();
    sqlx::query(
        "insert into recovery_codes (user_id, code_hash) select $1, * from unnest($2::bytea[])",
    )
    .bind(user.0)
    .bind(codes)
    .execute(tx)
    .await?;
    Ok(())
}

/// Deletes the second factor of a deleted account, confirmed or not.
pub(super) async fn remove(tx: &mut PgConnection, user: UserId) -> Result<()> {
    sqlx::query("delete from second_factors where user_id = $1").bind(user.0).execute(tx).await?;
    Ok(())
}
