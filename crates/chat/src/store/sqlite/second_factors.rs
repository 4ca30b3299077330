//! The second factors of users in SQLite. Implements [`SecondFactorStore`], through which alone
//! this module is called. Recovery codes are deleted with their second factor by the foreign key.

use async_trait::async_trait;
use protocol::{Timestamp, UserId};
use sqlx::sqlite::{SqliteConnection, SqliteTransaction};

use super::{SqliteStore, sessions};
use crate::store::{Caller, CodeHash, Result, SecondFactor, SecondFactorStore, rows};

#[async_trait]
impl SecondFactorStore for SqliteStore {
    async fn second_factor(&self, user: UserId) -> Result<Option<SecondFactor>> {
        let row = sqlx::query(
            "select secret, confirmed_at, \
                    (select count(*) from recovery_codes r where r.user_id = $1) as codes \
             from second_factors where user_id = $1",
        )
        .bind(user.0)
        .fetch_optional(&self.read)
        .await?;
        rows::optional(row.as_ref(), rows::second_factor)
    }

    async fn begin_second_factor(
        &self,
        caller: Caller,
        secret: &[u8],
        now: Timestamp,
    ) -> Result<bool> {
        let _turn = self.turn().await;
        let mut connection = self.write.acquire().await?;
        sessions::require(&mut connection, caller).await?;
        let begun = sqlx::query(
            "insert into second_factors (user_id, secret, created_at) \
             select id, $2, $3 from users where id = $1 and deleted_at is null \
             on conflict (user_id) do update \
                 set secret = excluded.secret, created_at = excluded.created_at \
                 where second_factors.confirmed_at is null",
        )
        .bind(caller.user.0)
        .bind(secret)
        .bind(now.0)
        .execute(&mut *connection)
        .await?;
        Ok(begun.rows_affected() > 0)
    }

    async fn confirm_second_factor(
        &self,
        caller: Caller,
        secret: &[u8],
        step: i64,
        codes: &[CodeHash],
        now: Timestamp,
    ) -> Result<bool> {
        let _turn = self.turn().await;
        let mut tx = self.write.begin_with("begin immediate").await?;
        sessions::require(&mut tx, caller).await?;
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
            return Ok(false);
        }
        insert_codes(&mut tx, caller.user, codes).await?;
        tx.commit().await?;
        Ok(true)
    }

    async fn accept_step(&self, user: UserId, secret: &[u8], step: i64) -> Result<bool> {
        let _turn = self.turn().await;
        let accepted = sqlx::query(
            "update second_factors set last_step = $3 \
             where user_id = $1 and secret = $2 and confirmed_at is not null and last_step < $3",
        )
        .bind(user.0)
        .bind(secret)
        .bind(step)
        .execute(&self.write)
        .await?;
        Ok(accepted.rows_affected() > 0)
    }

    async fn use_recovery_code(&self, user: UserId, code: &CodeHash) -> Result<bool> {
        let _turn = self.turn().await;
        let used = sqlx::query("delete from recovery_codes where user_id = $1 and code_hash = $2")
            .bind(user.0)
            .bind(code.as_slice())
            .execute(&self.write)
            .await?;
        Ok(used.rows_affected() > 0)
    }

    async fn replace_recovery_codes(&self, caller: Caller, codes: &[CodeHash]) -> Result<bool> {
        let _turn = self.turn().await;
        let mut tx = self.write.begin_with("begin immediate").await?;
        sessions::require(&mut tx, caller).await?;
        let is_confirmed: bool = sqlx::query_scalar(
            "select exists (select 1 from second_factors \
                            where user_id = $1 and confirmed_at is not null)",
        )
        .bind(caller.user.0)
        .fetch_one(&mut *tx)
        .await?;
        if !is_confirmed {
            return Ok(false);
        }
        sqlx::query("delete from recovery_codes where user_id = $1")
            .bind(caller.user.0)
            .execute(&mut *tx)
            .await?;
        insert_codes(&mut tx, caller.user, codes).await?;
        tx.commit().await?;
        Ok(true)
    }

    async fn turn_off_second_factor(&self, caller: Caller) -> Result<bool> {
        let _turn = self.turn().await;
        let mut connection = self.write.acquire().await?;
        sessions::require(&mut connection, caller).await?;
        delete_confirmed(&mut connection, caller.user).await
    }

    async fn delete_second_factor(&self, user: UserId) -> Result<bool> {
        let _turn = self.turn().await;
        let mut connection = self.write.acquire().await?;
        delete_confirmed(&mut connection, user).await
    }
}

async fn delete_confirmed(connection: &mut SqliteConnection, user: UserId) -> Result<bool> {
    let deleted =
        sqlx::query("delete from second_factors where user_id = $1 and confirmed_at is not null")
            .bind(user.0)
            .execute(connection)
            .await?;
    Ok(deleted.rows_affected() > 0)
}

async fn insert_codes(
    tx: &mut SqliteTransaction<'_>,
    user: UserId,
    codes: &[CodeHash],
) -> Result<()> {
    for code in codes {
        sqlx::query("insert into recovery_codes (user_id, code_hash) values ($1, $2)")
            .bind(user.0)
            .bind(code.as_slice())
            .execute(&mut **tx)
            .await?;
    }
    Ok(())
}

/// Deletes the second factor of a deleted account, confirmed or not.
pub(super) async fn remove(tx: &mut SqliteTransaction<'_>, user: UserId) -> Result<()> {
    sqlx::query("delete from second_factors where user_id = $1")
        .bind(user.0)
        .execute(&mut **tx)
        .await?;
    Ok(())
}
