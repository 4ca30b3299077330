//! Identities in Postgres. Implements [`IdentityStore`]; [`super::accounts`] also stores the first
//! identity of a new account here, and [`super::deletion`] deletes those of a deleted one, inside their
//! own transactions.
//!
//! The lock on the user's row orders the changes of one user's ways to sign in, so that two nodes cannot
//! exceed the maximum together, or remove the last two at once.

use async_trait::async_trait;
use protocol::{IdentityId, IdentityInfo, Timestamp, User, UserId};
use sqlx::Connection;
use sqlx::postgres::PgConnection;

use super::passkeys::lock_user;
use super::{PostgresStore, can_be_parameter, sessions};
use crate::store::{
    Caller, IdentityAdded, IdentityRemoved, IdentityStore, NewIdentity, Result, rows,
};

#[async_trait]
impl IdentityStore for PostgresStore {
    async fn identities(&self, user: UserId, issuer: &str) -> Result<Vec<IdentityInfo>> {
        self.call(async |connection| {
            let rows = sqlx::query(
                "select id, name, created_at, used_at from identities \
                 where user_id = $1 and issuer = $2 order by created_at, id",
            )
            .bind(user.0)
            .bind(issuer)
            .fetch_all(connection)
            .await?;
            rows::all(&rows, rows::identity_info)
        })
        .await
    }

    async fn identity(&self, issuer: &str, subject: &str) -> Result<Option<(IdentityId, User)>> {
        if !can_be_parameter(subject) {
            return Ok(None);
        }
        self.call(async |connection| {
            let row = sqlx::query(
                "select u.id, u.username, u.display_name, i.id as identity_id \
                 from identities i join users u on u.id = i.user_id \
                 where i.issuer = $1 and i.subject = $2",
            )
            .bind(issuer)
            .bind(subject)
            .fetch_optional(connection)
            .await?;
            rows::optional(row.as_ref(), rows::found_identity)
        })
        .await
    }

    async fn add_identity(
        &self,
        user: Caller,
        new: NewIdentity,
        most: u32,
        now: Timestamp,
    ) -> Result<IdentityAdded> {
        self.call(async |connection| {
            let mut tx = connection.begin().await?;
            lock_user(&mut tx, user.user).await?;
            let count: i64 = sqlx::query_scalar(
                "select count(*) from identities where user_id = $1 and issuer = $2",
            )
            .bind(user.user.0)
            .bind(&new.issuer)
            .fetch_one(&mut *tx)
            .await?;
            if count >= i64::from(most) {
                tx.rollback().await?;
                return Ok(IdentityAdded::TooMany);
            }
            if !insert(&mut tx, user.user, &new, now).await? {
                tx.rollback().await?;
                return Ok(IdentityAdded::Taken);
            }
            sessions::commit_for(tx, user).await?;
            Ok(IdentityAdded::Added)
        })
        .await
    }

    async fn use_identity(&self, id: IdentityId, now: Timestamp) -> Result<bool> {
        self.call(async |connection| {
            let used = sqlx::query("update identities set used_at = $2 where id = $1")
                .bind(id.0)
                .bind(now.0)
                .execute(connection)
                .await?;
            Ok(used.rows_affected() > 0)
        })
        .await
    }

    async fn remove_identity(
        &self,
        user: Caller,
        id: IdentityId,
        issuer: &str,
    ) -> Result<IdentityRemoved> {
        self.call(async |connection| {
            let mut tx = connection.begin().await?;
            lock_user(&mut tx, user.user).await?;
            let removed = sqlx::query("delete from identities where id = $1 and user_id = $2")
                .bind(id.0)
                .bind(user.user.0)
                .execute(&mut *tx)
                .await?;
            if removed.rows_affected() == 0 {
                sessions::commit_for(tx, user).await?;
                return Ok(IdentityRemoved::NotFound);
            }
            if !can_sign_in(&mut tx, user.user, Some(issuer)).await? {
                tx.rollback().await?;
                return Ok(IdentityRemoved::Last);
            }
            sessions::commit_for(tx, user).await?;
            Ok(IdentityRemoved::Removed)
        })
        .await
    }
}

/// Whether the user has a password, a passkey, or an identity at the operator's provider.
pub(super) async fn can_sign_in(
    connection: &mut PgConnection,
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
    .fetch_one(connection)
    .await?;
    Ok(can)
}

/// Stores an identity. False if a user has it.
pub(super) async fn insert(
    connection: &mut PgConnection,
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
    .execute(connection)
    .await?;
    Ok(added.rows_affected() > 0)
}

/// Deletes the identities of a deleted account.
pub(super) async fn remove(connection: &mut PgConnection, user: UserId) -> Result<()> {
    sqlx::query("delete from identities where user_id = $1")
        .bind(user.0)
        .execute(connection)
        .await?;
    Ok(())
}
