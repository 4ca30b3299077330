//! Passkeys and used ceremonies in Postgres. Implements [`PasskeyStore`]; [`super::accounts`] also
//! stores the first passkey of a new account here, and [`super::deletion`] deletes those of a deleted
//! one, inside their own transactions.
//!
//! The lock on the user's row orders the changes of one user's passkeys, so that two nodes cannot
//! exceed the maximum together, or remove the last two passkeys at once.

use async_trait::async_trait;
use protocol::{PasskeyId, Timestamp, UserId};
use sqlx::Connection;
use sqlx::postgres::PgConnection;

use super::{PostgresStore, identities, sessions};
use crate::store::{
    Caller, CeremonyHash, FoundPasskey, NewPasskey, OwnPasskey, PasskeyAdded, PasskeyRemoved,
    PasskeyStore, Result, rows,
};

#[async_trait]
impl PasskeyStore for PostgresStore {
    async fn passkeys(&self, user: UserId) -> Result<Vec<OwnPasskey>> {
        self.call(async |connection| {
            let rows = sqlx::query(
                "select id, credential_id, name, created_at, used_at from passkeys \
                 where user_id = $1 order by created_at, id",
            )
            .bind(user.0)
            .fetch_all(connection)
            .await?;
            rows::all(&rows, rows::own_passkey)
        })
        .await
    }

    async fn passkey(&self, credential_id: &[u8]) -> Result<Option<FoundPasskey>> {
        self.call(async |connection| {
            let row = sqlx::query(
                "select u.id, u.username, u.display_name, p.id as passkey_id, p.credential \
                 from passkeys p join users u on u.id = p.user_id where p.credential_id = $1",
            )
            .bind(credential_id)
            .fetch_optional(connection)
            .await?;
            rows::optional(row.as_ref(), rows::found_passkey)
        })
        .await
    }

    async fn add_passkey(
        &self,
        user: Caller,
        new: NewPasskey,
        most: u32,
        now: Timestamp,
    ) -> Result<PasskeyAdded> {
        self.call(async |connection| {
            let mut tx = connection.begin().await?;
            lock_user(&mut tx, user.user).await?;
            let count: i64 = sqlx::query_scalar("select count(*) from passkeys where user_id = $1")
                .bind(user.user.0)
                .fetch_one(&mut *tx)
                .await?;
            if count >= i64::from(most) {
                tx.rollback().await?;
                return Ok(PasskeyAdded::TooMany);
            }
            if !insert(&mut tx, user.user, &new, now).await? {
                tx.rollback().await?;
                return Ok(PasskeyAdded::Taken);
            }
            sessions::commit_for(tx, user).await?;
            Ok(PasskeyAdded::Added)
        })
        .await
    }

    async fn use_passkey(
        &self,
        id: PasskeyId,
        from: &str,
        to: &str,
        now: Timestamp,
    ) -> Result<bool> {
        self.call(async |connection| {
            let used = sqlx::query(
                "update passkeys set credential = $3, used_at = $4 \
                 where id = $1 and credential = $2",
            )
            .bind(id.0)
            .bind(from)
            .bind(to)
            .bind(now.0)
            .execute(connection)
            .await?;
            Ok(used.rows_affected() > 0)
        })
        .await
    }

    async fn rename_passkey(&self, user: Caller, id: PasskeyId, name: &str) -> Result<bool> {
        self.call(async |connection| {
            let mut tx = connection.begin().await?;
            let renamed =
                sqlx::query("update passkeys set name = $3 where id = $1 and user_id = $2")
                    .bind(id.0)
                    .bind(user.user.0)
                    .bind(name)
                    .execute(&mut *tx)
                    .await?;
            sessions::commit_for(tx, user).await?;
            Ok(renamed.rows_affected() > 0)
        })
        .await
    }

    async fn remove_passkey(
        &self,
        user: Caller,
        id: PasskeyId,
        issuer: Option<&str>,
    ) -> Result<PasskeyRemoved> {
        self.call(async |connection| {
            let mut tx = connection.begin().await?;
            lock_user(&mut tx, user.user).await?;
            let removed = sqlx::query("delete from passkeys where id = $1 and user_id = $2")
                .bind(id.0)
                .bind(user.user.0)
                .execute(&mut *tx)
                .await?;
            if removed.rows_affected() == 0 {
                sessions::commit_for(tx, user).await?;
                return Ok(PasskeyRemoved::NotFound);
            }
            if !identities::can_sign_in(&mut tx, user.user, issuer).await? {
                tx.rollback().await?;
                return Ok(PasskeyRemoved::Last);
            }
            sessions::commit_for(tx, user).await?;
            Ok(PasskeyRemoved::Removed)
        })
        .await
    }

    async fn use_ceremony(&self, hash: &CeremonyHash, expires_at: Timestamp) -> Result<bool> {
        self.call(async |connection| {
            let used = sqlx::query(
                "insert into used_ceremonies (hash, expires_at) values ($1, $2) \
                 on conflict (hash) do nothing",
            )
            .bind(hash.as_slice())
            .bind(expires_at.0)
            .execute(connection)
            .await?;
            Ok(used.rows_affected() > 0)
        })
        .await
    }

    async fn is_ceremony_used(&self, hash: &CeremonyHash) -> Result<bool> {
        self.call(async |connection| {
            let used =
                sqlx::query_scalar("select exists (select 1 from used_ceremonies where hash = $1)")
                    .bind(hash.as_slice())
                    .fetch_one(connection)
                    .await?;
            Ok(used)
        })
        .await
    }

    async fn forget_ceremonies(&self, now: Timestamp) -> Result<()> {
        self.call(async |connection| {
            // Several nodes forget at once, so that the order of the locks is fixed.
            sqlx::query(
                "delete from used_ceremonies where hash = any (array( \
                     select hash from used_ceremonies where expires_at <= $1 \
                     order by hash for update))",
            )
            .bind(now.0)
            .execute(connection)
            .await?;
            Ok(())
        })
        .await
    }
}

pub(super) async fn lock_user(connection: &mut PgConnection, user: UserId) -> Result<()> {
    sqlx::query("select 1 from users where id = $1 for no key update")
        .bind(user.0)
        .execute(connection)
        .await?;
    Ok(())
}

/// Stores a passkey. False if its authenticator's id is taken.
pub(super) async fn insert(
    connection: &mut PgConnection,
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
    .execute(connection)
    .await?;
    Ok(added.rows_affected() > 0)
}

/// Deletes the passkeys of a deleted account.
pub(super) async fn remove(connection: &mut PgConnection, user: UserId) -> Result<()> {
    sqlx::query("delete from passkeys where user_id = $1").bind(user.0).execute(connection).await?;
    Ok(())
}
