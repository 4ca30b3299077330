//! Identities in SQLite. Implements [`IdentityStore`]; [`super::accounts`] also stores the first
//! identity of a new account here, and [`super::deletion`] deletes those of a deleted one, inside their
//! own transactions.

use async_trait::async_trait;
use protocol::{IdentityId, IdentityInfo, Timestamp, User, UserId};
use sqlx::sqlite::SqliteTransaction;

use super::{SqliteStore, sessions};
use crate::store::{
    Caller, IdentityAdded, IdentityRemoved, IdentityStore, NewIdentity, Result, rows,
};

#[async_trait]
impl IdentityStore for SqliteStore {
    async fn identities(&self, user: UserId, issuer: &str) -> Result<Vec<IdentityInfo>> {
        let rows = sqlx::query(
            "select id, name, created_at, used_at from identities \
             where user_id = $1 and issuer = $2 order by created_at, id",
        )
        .bind(user.0)
        .bind(issuer)
        .fetch_all(&self.read)
        .await?;
        rows::all(&rows, rows::identity_info)
    }

    async fn identity(&self, issuer: &str, subject: &str) -> Result<Option<(IdentityId, User)>> {
        let row = sqlx::query(
            "select u.id, u.username, u.display_name, i.id as identity_id \
             from identities i join users u on u.id = i.user_id \
             where i.issuer = $1 and i.subject = $2",
        )
        .bind(issuer)
        .bind(subject)
        .fetch_optional(&self.read)
        .await?;
        rows::optional(row.as_ref(), rows::found_identity)
    }

    async fn add_identity(
        &self,
        user: Caller,
        new: NewIdentity,
        most: u32,
        now: Timestamp,
    ) -> Result<IdentityAdded> {
        let _turn = self.turn().await;
        let mut tx = self.write.begin_with("begin immediate").await?;
        sessions::require(&mut tx, user).await?;
        let count: i64 = sqlx::query_scalar(
            "select count(*) from identities where user_id = $1 and issuer = $2",
        )
        .bind(user.user.0)
        .bind(&new.issuer)
        .fetch_one(&mut *tx)
        .await?;
        if count >= i64::from(most) {
            return Ok(IdentityAdded::TooMany);
        }
        if !insert(&mut tx, user.user, &new, now).await? {
            return Ok(IdentityAdded::Taken);
        }
        tx.commit().await?;
        Ok(IdentityAdded::Added)
    }

    async fn use_identity(&self, id: IdentityId, now: Timestamp) -> Result<bool> {
        let _turn = self.turn().await;
        let used = sqlx::query("update identities set used_at = $2 where id = $1")
            .bind(id.0)
            .bind(now.0)
            .execute(&self.write)
            .await?;
        Ok(used.rows_affected() > 0)
    }

    async fn remove_identity(
        &self,
        user: Caller,
        id: IdentityId,
        issuer: &str,
    ) -> Result<IdentityRemoved> {
        let _turn = self.turn().await;
        let mut tx = self.write.begin_with("begin immediate").await?;
        sessions::require(&mut tx, user).await?;
        let removed = sqlx::query("delete from identities where id = $1 and user_id = $2")
            .bind(id.0)
            .bind(user.user.0)
            .execute(&mut *tx)
            .await?;
        if removed.rows_affected() == 0 {
            return Ok(IdentityRemoved::NotFound);
        }
        if !can_sign_in(&mut tx, user.user, Some(issuer)).await? {
            return Ok(IdentityRemoved::Last);
        }
        tx.commit().await?;
        Ok(IdentityRemoved::Removed)
    }
}

/// Whether the user has a password, a passkey, or an identity at the operator's provider.
pub(super) async fn can_sign_in(
    tx: &mut SqliteTransaction<'_>,
    user: UserId,
    issuer: Option<&str>,
) -> Result<bool> {
    let can = sqlx::query_scalar(
        "select exists (select 1 from users where id = $1 and password_hash <> '') \
             or exists (select 1 from passkeys where user_id = $1) \
             or exists (select 1 from identities where user_id = $1 and issuer = $2)",
    )
    .bind(user.0)
    .bind(issuer)
    .fetch_one(&mut **tx)
    .await?;
    Ok(can)
}

/// Stores an identity. False if a user has it.
pub(super) async fn insert(
    tx: &mut SqliteTransaction<'_>,
    user: UserId,
    new: &NewIdentity,
    now: Timestamp,
) -> Result<bool> {
    let added = sqlx::query(
        "insert into identities (id, user_id, issuer, subject, name, created_at) \
         values ($1, $2, $3, $4, $5, $6) on conflict (issuer, subject) do nothing",
    )
    .bind(new.id.0)
    .bind(user.0)
    .bind(&new.issuer)
    .bind(&new.subject)
    .bind(&new.name)
    .bind(now.0)
    .execute(&mut **tx)
    .await?;
    Ok(added.rows_affected() > 0)
}

/// Deletes the identities of a deleted account.
pub(super) async fn remove(tx: &mut SqliteTransaction<'_>, user: UserId) -> Result<()> {
    sqlx::query("delete from identities where user_id = $1")
        .bind(user.0)
        .execute(&mut **tx)
        .await?;
    Ok(())
}
