//! The settings of users in SQLite. Implements [`SettingsStore`], through which alone this module
//! is called.

use async_trait::async_trait;
use protocol::{Privacy, SessionId, Settings, Timestamp, User, UserId};

use super::{SqliteStore, device_links, invitations, sessions, words};
use crate::store::{Caller, ChangedPassword, Result, SettingsStore, rows};

#[async_trait]
impl SettingsStore for SqliteStore {
    async fn settings(&self, id: UserId) -> Result<Option<Settings>> {
        let row = sqlx::query(
            "select id, username, display_name, show_receipts, show_last_seen from users \
             where id = $1 and deleted_at is null",
        )
        .bind(id.0)
        .fetch_optional(&self.read)
        .await?;
        rows::optional(row.as_ref(), rows::settings)
    }

    async fn password_hash(&self, id: UserId) -> Result<Option<String>> {
        let hash = "select password_hash from users where id = $1 and deleted_at is null";
        Ok(sqlx::query_scalar(hash).bind(id.0).fetch_optional(&self.read).await?)
    }

    async fn set_display_name(
        &self,
        caller: Caller,
        name: &str,
        key: &str,
    ) -> Result<Option<User>> {
        let id = caller.user;
        let _turn = self.turn().await;
        let mut tx = self.write.begin_with("begin immediate").await?;
        sessions::require(&mut tx, caller).await?;
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
        tx.commit().await?;
        Ok(renamed)
    }

    async fn set_privacy(&self, caller: Caller, privacy: Privacy) -> Result<()> {
        let _turn = self.turn().await;
        let mut connection = self.write.acquire().await?;
        sessions::require(&mut connection, caller).await?;
        sqlx::query(
            "update users set show_receipts = $2, show_last_seen = $3 \
             where id = $1 and deleted_at is null",
        )
        .bind(caller.user.0)
        .bind(privacy.receipts)
        .bind(privacy.last_seen)
        .execute(&mut *connection)
        .await?;
        Ok(())
    }

    async fn set_password(
        &self,
        caller: Caller,
        new: ChangedPassword<'_>,
        now: Timestamp,
    ) -> Result<Option<Vec<SessionId>>> {
        let _turn = self.turn().await;
        let mut tx = self.write.begin_with("begin immediate").await?;
        sessions::require(&mut tx, caller).await?;
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
            return Ok(None);
        }
        sessions::renew_token(&mut tx, caller, new.token_hash, now).await?;
        let ended = sessions::delete_others(&mut tx, caller).await?;
        device_links::remove(&mut tx, caller.user).await?;
        if new.withdraws_invitations {
            invitations::withdraw_all(&mut tx, caller.user).await?;
        }
        tx.commit().await?;
        Ok(Some(ended))
    }

    async fn replace_password_hash(&self, id: UserId, verified: &str, hash: &str) -> Result<()> {
        let _turn = self.turn().await;
        sqlx::query(
            "update users set password_hash = $3 \
             where id = $1 and password_hash = $2 and deleted_at is null",
        )
        .bind(id.0)
        .bind(verified)
        .bind(hash)
        .execute(&self.write)
        .await?;
        Ok(())
    }
}
