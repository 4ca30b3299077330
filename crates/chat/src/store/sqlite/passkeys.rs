//! Passkeys and used ceremonies in SQLite. Implements [`PasskeyStore`]; [`super::accounts`] also
//! stores the first passkey of a new account here, and [`super::deletion`] deletes those of a deleted
//! one, inside their own transactions.

use async_trait::async_trait;
use protocol::{PasskeyId, Timestamp, UserId};
use sqlx::sqlite::SqliteTransaction;

use super::{SqliteStore, identities, sessions};
use crate::store::{
    Caller, CeremonyHash, FoundPasskey, NewPasskey, OwnPasskey, PasskeyAdded, PasskeyRemoved,
    PasskeyStore, Result, rows,
};

#[async_trait]
impl PasskeyStore for SqliteStore {
    async fn passkeys(&self, user: UserId) -> Result<Vec<OwnPasskey>> {
        let rows = sqlx::query(
            "select id, credential_id, name, created_at, used_at from passkeys \
             where user_id = $1 order by created_at, id",
        )
        .bind(user.0)
        .fetch_all(&self.read)
        .await?;
        rows::all(&rows, rows::own_passkey)
    }

    async fn passkey(&self, credential_id: &[u8]) -> Result<Option<FoundPasskey>> {
        let row = sqlx::query(
            "select u.id, u.username, u.display_name, p.id as passkey_id, p.credential \
             from passkeys p join users u on u.id = p.user_id where p.credential_id = $1",
        )
        .bind(credential_id)
        .fetch_optional(&self.read)
        .await?;
        rows::optional(row.as_ref(), rows::found_passkey)
    }

    async fn add_passkey(
        &self,
        user: Caller,
        new: NewPasskey,
        most: u32,
        now: Timestamp,
    ) -> Result<PasskeyAdded> {
        let _turn = self.turn().await;
        let mut tx = self.write.begin_with("begin immediate").await?;
        sessions::require(&mut tx, user).await?;
        let count: i64 = sqlx::query_scalar("select count(*) from passkeys where user_id = $1")
            .bind(user.user.0)
            .fetch_one(&mut *tx)
            .await?;
        if count >= i64::from(most) {
            return Ok(PasskeyAdded::TooMany);
        }
        if !insert(&mut tx, user.user, &new, now).await? {
            return Ok(PasskeyAdded::Taken);
        }
        tx.commit().await?;
        Ok(PasskeyAdded::Added)
    }

    async fn use_passkey(
        &self,
        id: PasskeyId,
        from: &str,
        to: &str,
        now: Timestamp,
    ) -> Result<bool> {
        let _turn = self.turn().await;
        let used = sqlx::query(
            "update passkeys set credential = $3, used_at = $4 where id = $1 and credential = $2",
        )
        .bind(id.0)
        .bind(from)
        .bind(to)
        .bind(now.0)
        .execute(&self.write)
        .await?;
        Ok(used.rows_affected() > 0)
    }

    async fn rename_passkey(&self, user: Caller, id: PasskeyId, name: &str) -> Result<bool> {
        let _turn = self.turn().await;
        let mut connection = self.write.acquire().await?;
        sessions::require(&mut connection, user).await?;
        let renamed = sqlx::query("update passkeys set name = $3 where id = $1 and user_id = $2")
            .bind(id.0)
            .bind(user.user.0)
            .bind(name)
            .execute(&mut *connection)
            .await?;
        Ok(renamed.rows_affected() > 0)
    }

    async fn remove_passkey(
        &self,
        user: Caller,
        id: PasskeyId,
        issuer: Option<&str>,
    ) -> Result<PasskeyRemoved> {
        let _turn = self.turn().await;
        let mut tx = self.write.begin_with("begin immediate").await?;
        sessions::require(&mut tx, user).await?;
        let removed = sqlx::query("delete from passkeys where id = $1 and user_id = $2")
            .bind(id.0)
            .bind(user.user.0)
            .execute(&mut *tx)
            .await?;
        if removed.rows_affected() == 0 {
            return Ok(PasskeyRemoved::NotFound);
        }
        if !identities::can_sign_in(&mut tx, user.user, issuer).await? {
            return Ok(PasskeyRemoved::Last);
        }
        tx.commit().await?;
        Ok(PasskeyRemoved::Removed)
    }

    async fn use_ceremony(&self, hash: &CeremonyHash, expires_at: Timestamp) -> Result<bool> {
        let _turn = self.turn().await;
        let used = sqlx::query(
            "insert into used_ceremonies (hash, expires_at) values ($1, $2) \
             on conflict (hash) do nothing",
        )
        .bind(hash.as_slice())
        .bind(expires_at.0)
        .execute(&self.write)
        .await?;
        Ok(used.rows_affected() > 0)
    }

    async fn is_ceremony_used(&self, hash: &CeremonyHash) -> Result<bool> {
        let used =
            sqlx::query_scalar("select exists (select 1 from used_ceremonies where hash = $1)")
                .bind(hash.as_slice())
                .fetch_one(&self.read)
                .await?;
        Ok(used)
    }

    async fn forget_ceremonies(&self, now: Timestamp) -> Result<()> {
        let _turn = self.turn().await;
        sqlx::query("delete from used_ceremonies where expires_at <= $1")
            .bind(now.0)
            .execute(&self.write)
            .await?;
        Ok(())
    }
}

/// Stores a passkey. False if its authenticator's id is taken.
pub(super) async fn insert(
    tx: &mut SqliteTransaction<'_>,
    user: UserId,
    new: &NewPasskey,
    now: Timestamp,
) -> Result<bool> {
    let added = sqlx::query(
        "insert into passkeys (id, user_id, credential_id, credential, name, created_at) \
         values ($1, $2, $3, $4, $5, $6) on conflict (credential_id) do nothing",
    )
    .bind(new.id.0)
    .bind(user.0)
    .bind(&new.credential_id)
    .bind(&new.credential)
    .bind(&new.name)
    .bind(now.0)
    .execute(&mut **tx)
    .await?;
    Ok(added.rows_affected() > 0)
}

/// Deletes the passkeys of a deleted account.
pub(super) async fn remove(tx: &mut SqliteTransaction<'_>, user: UserId) -> Result<()> {
    sqlx::query("delete from passkeys where user_id = $1").bind(user.0).execute(&mut **tx).await?;
    Ok(())
}
