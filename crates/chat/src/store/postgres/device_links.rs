//! Links that sign in another device, in Postgres. Implements [`DeviceLinkStore`], through which
//! alone this module is called; [`super::settings`] and [`super::deletion`] also delete a user's link
//! here, inside their own transactions.
//!
//! Whoever stores, uses or deletes a link with other rows locks the user's row first, so that a
//! change of password at another node ends the link before it is used, or finds it used.

use async_trait::async_trait;
use protocol::{DeviceLinkState, Timestamp, User, UserId};
use sqlx::Connection;
use sqlx::postgres::PgConnection;

use super::{PostgresStore, sessions};
use crate::store::{
    Caller, DeviceLinkStore, NewDeviceLink, NewSession, Result, SessionLife, TokenHash,
    UsedDeviceLink, rows,
};

#[async_trait]
impl DeviceLinkStore for PostgresStore {
    async fn create_device_link(&self, new: NewDeviceLink<'_>) -> Result<bool> {
        self.call(async |connection| {
            let mut tx = connection.begin().await?;
            let still = sqlx::query(
                "select 1 from users where id = $1 and password_hash = $2 and deleted_at is null \
                 for no key update",
            )
            .bind(new.caller.user.0)
            .bind(new.verified)
            .fetch_optional(&mut *tx)
            .await?;
            if still.is_none() {
                // An ended session is the answer before a changed password.
                sessions::require(&mut tx, new.caller).await?;
                tx.rollback().await?;
                return Ok(false);
            }
            sqlx::query(
                "insert into device_links (user_id, session_id, token_hash, expires_at) \
                 values ($1, $2, $3, $4) \
                 on conflict (user_id) do update \
                     set session_id = excluded.session_id, token_hash = excluded.token_hash, \
                         expires_at = excluded.expires_at, used_by = null",
            )
            .bind(new.caller.user.0)
            .bind(new.caller.session.0)
            .bind(new.token_hash.as_slice())
            .bind(new.expires_at.0)
            .execute(&mut *tx)
            .await?;
            sessions::commit_for(tx, new.caller).await?;
            Ok(true)
        })
        .await
    }

    async fn device_link(&self, token: &TokenHash, life: SessionLife) -> Result<Option<User>> {
        self.call(async |connection| {
            let row = sqlx::query(
                "select u.id, u.username, u.display_name \
                 from device_links l join users u on u.id = l.user_id \
                      join sessions s on s.id = l.session_id and s.user_id = l.user_id \
                 where l.token_hash = $1 and l.used_by is null and l.expires_at > $2 \
                   and s.created_at > $3 and s.seen_at > $4",
            )
            .bind(token.as_slice())
            .bind(life.now.0)
            .bind(life.oldest_created.0)
            .bind(life.oldest_seen.0)
            .fetch_optional(connection)
            .await?;
            rows::optional(row.as_ref(), rows::user)
        })
        .await
    }

    async fn use_device_link(
        &self,
        token: &TokenHash,
        session: NewSession,
        keep: u32,
        life: SessionLife,
    ) -> Result<Option<UsedDeviceLink>> {
        self.call(async |connection| {
            let mut tx = connection.begin().await?;
            sqlx::query("select 1 from users where id = $1 for no key update")
                .bind(session.user.0)
                .execute(&mut *tx)
                .await?;
            let row = sqlx::query(
                "update device_links set used_by = $3 \
                 where token_hash = $1 and user_id = $2 and used_by is null and expires_at > $4 \
                   and exists (select 1 from sessions s \
                               where s.id = session_id and s.user_id = $2 \
                                 and s.created_at > $5 and s.seen_at > $6) \
                 returning session_id, \
                           (select password_hash from users where id = $2) as password_hash",
            )
            .bind(token.as_slice())
            .bind(session.user.0)
            .bind(session.id.0)
            .bind(life.now.0)
            .bind(life.oldest_created.0)
            .bind(life.oldest_seen.0)
            .fetch_optional(&mut *tx)
            .await?;
            let Some((maker, password_hash)) =
                rows::optional(row.as_ref(), rows::used_device_link)?
            else {
                tx.rollback().await?;
                return Ok(None);
            };
            sessions::insert(&mut tx, &session, life.now).await?;
            let removed = sessions::delete_beyond(&mut tx, session.user, maker, keep).await?;
            tx.commit().await?;
            Ok(Some(UsedDeviceLink { password_hash, removed }))
        })
        .await
    }

    async fn device_link_state(
        &self,
        caller: Caller,
        token: &TokenHash,
        now: Timestamp,
    ) -> Result<DeviceLinkState> {
        self.call(async |connection| {
            let row = sqlx::query(
                "select l.expires_at, l.used_by, s.device \
                 from device_links l left join sessions s on s.id = l.used_by \
                 where l.user_id = $1 and l.session_id = $2 and l.token_hash = $3",
            )
            .bind(caller.user.0)
            .bind(caller.session.0)
            .bind(token.as_slice())
            .fetch_optional(connection)
            .await?;
            let state = rows::optional(row.as_ref(), |row| rows::device_link_state(row, now))?;
            Ok(state.unwrap_or_default())
        })
        .await
    }

    async fn withdraw_device_link(&self, caller: Caller, token: &TokenHash) -> Result<()> {
        self.call(async |connection| {
            sqlx::query(
                "delete from device_links \
                 where user_id = $1 and session_id = $2 and token_hash = $3 and used_by is null \
                   and exists (select 1 from sessions where id = $2 and user_id = $1)",
            )
            .bind(caller.user.0)
            .bind(caller.session.0)
            .bind(token.as_slice())
            .execute(connection)
            .await?;
            Ok(())
        })
        .await
    }
}

/// Deletes the link of a user whose password has changed, or whose account is deleted. The caller of
/// this function has locked the user's row.
pub(super) async fn remove(connection: &mut PgConnection, user: UserId) -> Result<()> {
    sqlx::query("delete from device_links where user_id = $1")
        .bind(user.0)
        .execute(connection)
        .await?;
    Ok(())
}
