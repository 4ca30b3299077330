//! The settings of users in Postgres. Implements [`SettingsStore`], through which alone this module
//! is called.

use async_trait::async_trait;
use protocol::{Privacy, SessionId, Settings, Timestamp, User, UserId};
use sqlx::Connection;

use super::{PostgresStore, device_links, invitations, sessions, words};
use crate::store::{Caller, ChangedPassword, Result, SettingsStore, rows};

#[async_trait]
impl SettingsStore for PostgresStore {
    async fn settings(&self, id: UserId) -> Result<Option<Settings>> {
        self.call(async |connection| {
            let row = sqlx::query(
                "select id, username, display_name, show_receipts, show_last_seen from users \
                 where id = $1 and deleted_at is null",
            )
            .bind(id.0)
            .fetch_optional(connection)
            .await?;
            rows::optional(row.as_ref(), rows::settings)
        })
        .await
    }

    async fn password_hash(&self, id: UserId) -> Result<Option<String>> {
        self.call(async |connection| {
            let hash = "select password_hash from users where id = $1 and deleted_at is null";
            Ok(sqlx::query_scalar(hash).bind(id.0).fetch_optional(connection).await?)
        })
        .await
    }

    async fn set_display_name(
        &self,
        caller: Caller,
        name: &str,
        key: &str,
    ) -> Result<Option<User>> {
        let id = caller.user;
        self.call(async |connection| {
            let mut tx = connection.begin().await?;
            let row = sqlx::query(
                "update users set display_name = $2, display_key = $3, words_for = $3 \
                 where id = $1 and deleted_at is null returning id, username, display_name",
            )
            .bind(id.0)
            .bind(name)
            .bind(key)
            .fetch_optional(&mut *tx)
            .await?;
            let renamed = rows::optional(row.as_ref(), rows::user)?;
            if let Some(user) = &renamed {
                words::store(&mut tx, id, &user.username, &user.display_name).await?;
            }
            sessions::commit_for(tx, caller).await?;
            Ok(renamed)
        })
        .await
    }

    async fn set_privacy(&self, caller: Caller, privacy: Privacy) -> Result<()> {
        self.call(async |connection| {
            let mut tx = connection.begin().await?;
            sqlx::query(
                "update users set show_receipts = $2, show_last_seen = $3 \
                 where id = $1 and deleted_at is null",
            )
            .bind(caller.user.0)
            .bind(privacy.receipts)
            .bind(privacy.last_seen)
            .execute(&mut *tx)
            .await?;
            sessions::commit_for(tx, caller).await
        })
        .await
    }

    async fn set_password(
        &self,
        caller: Caller,
        new: ChangedPassword<'_>,
        now: Timestamp,
    ) -> Result<Option<Vec<SessionId>>> {
        self.call(async |connection| {
            let mut tx = connection.begin().await?;
            let done = sqlx::query(
                "update users set password_hash = $3 \
                 where id = $1 and password_hash = $2 and deleted_at is null",
            )
            .bind(caller.user.0)
            .bind(new.verified)
            .bind(new.hash)
            .execute(&mut *tx)
            .await?;
            if done.rows_affected() == 0 {
                tx.rollback().await?;
                return Ok(None);
            }
            sessions::renew_token(&mut tx, caller, new.token_hash, now).await?;
            let ended = sessions::delete_others(&mut tx, caller).await?;
            device_links::remove(&mut tx, caller.user).await?;
            if new.withdraws_invitations {
                invitations::withdraw_all(&mut tx, caller.user).await?;
            }
            sessions::commit_for(tx, caller).await?;
            Ok(Some(ended))
        })
        .await
    }

    async fn replace_password_hash(&self, id: UserId, verified: &str, hash: &str) -> Result<()> {
        self.call(async |connection| {
            sqlx::query(
                "update users set password_hash = $3 \
                 where id = $1 and password_hash = $2 and deleted_at is null",
            )
            .bind(id.0)
            .bind(verified)
            .bind(hash)
            .execute(connection)
            .await?;
            Ok(())
        })
        .await
    }
}
