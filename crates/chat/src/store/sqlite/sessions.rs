//! Sessions in SQLite. Implements [`SessionStore`]; [`super::accounts`] and [`super::settings`]
//! also store and delete sessions here, inside their own transactions.

use async_trait::async_trait;
use protocol::{SessionId, SessionInfo, Timestamp, UserId};
use sqlx::sqlite::{SqliteConnection, SqliteTransaction};
use uuid::Uuid;

use super::{SqliteStore, hex, json};
use crate::store::{
    Caller, NewSession, Result, SessionLife, SessionStore, StoreError, TokenHash, ValidSession,
    rows,
};

#[async_trait]
impl SessionStore for SqliteStore {
    async fn create_session(
        &self,
        session: NewSession,
        verified: &str,
        keep: u32,
        now: Timestamp,
    ) -> Result<Option<Vec<SessionId>>> {
        let _turn = self.turn().await;
        let mut tx = self.write.begin_with("begin immediate").await?;
        let still: bool = sqlx::query_scalar(
            "select exists (select 1 from users \
             where id = $1 and password_hash = $2 and deleted_at is null)",
        )
        .bind(session.user.0)
        .bind(verified)
        .fetch_one(&mut *tx)
        .await?;
        if !still {
            return Ok(None);
        }
        insert(&mut tx, &session, now).await?;
        let removed = delete_beyond(&mut tx, session.user, session.id, keep).await?;
        tx.commit().await?;
        Ok(Some(removed))
    }

    async fn session(&self, token: &TokenHash, life: SessionLife) -> Result<Option<ValidSession>> {
        let row = sqlx::query(
            "select u.id, u.username, u.display_name, s.id as session_id, s.seen_at, s.rotated_at, \
                    s.token_hash = $1 as present, s.previous_hash is not null as has_previous, \
                    s.previous_until is not null as ends \
             from sessions s join users u on u.id = s.user_id \
             where (s.token_hash = $1 or \
                    (s.previous_hash = $1 \
                     and (s.previous_until is null or s.previous_until > $2))) \
               and s.created_at > $3 and s.seen_at > $4",
        )
        .bind(token.as_slice())
        .bind(life.now.0)
        .bind(life.oldest_created.0)
        .bind(life.oldest_seen.0)
        .fetch_optional(&self.read)
        .await?;
        rows::optional(row.as_ref(), rows::session)
    }

    async fn rotate_session(
        &self,
        id: SessionId,
        from: &TokenHash,
        to: &TokenHash,
        now: Timestamp,
        lost_before: Timestamp,
    ) -> Result<bool> {
        let _turn = self.turn().await;
        let done = sqlx::query(
            "update sessions set token_hash = $3, previous_hash = $2, previous_until = null, \
             rotated_at = $4, seen_at = $4 \
             where id = $1 and (token_hash = $2 or \
                   (previous_hash = $2 and previous_until is null and rotated_at < $5))",
        )
        .bind(id.0)
        .bind(from.as_slice())
        .bind(to.as_slice())
        .bind(now.0)
        .bind(lost_before.0)
        .execute(&self.write)
        .await?;
        Ok(done.rows_affected() == 1)
    }

    async fn end_old_token(
        &self,
        id: SessionId,
        present: &TokenHash,
        _: Timestamp,
        until: Timestamp,
    ) -> Result<()> {
        let _turn = self.turn().await;
        sqlx::query(
            "update sessions set previous_until = $3 where id = $1 and token_hash = $2 \
             and previous_hash is not null and previous_until is null",
        )
        .bind(id.0)
        .bind(present.as_slice())
        .bind(until.0)
        .execute(&self.write)
        .await?;
        Ok(())
    }

    async fn see_sessions(
        &self,
        ids: &[SessionId],
        now: Timestamp,
        noted_before: Timestamp,
    ) -> Result<()> {
        let _turn = self.turn().await;
        let ids: Vec<String> = ids.iter().map(|id| hex(id.0)).collect();
        sqlx::query(
            "update sessions set seen_at = $2 \
             where id in (select unhex(value) from json_each($1)) and seen_at < $3",
        )
        .bind(json(&ids)?)
        .bind(now.0)
        .bind(noted_before.0)
        .execute(&self.write)
        .await?;
        Ok(())
    }

    async fn delete_session(&self, id: SessionId) -> Result<()> {
        let _turn = self.turn().await;
        sqlx::query("delete from sessions where id = $1").bind(id.0).execute(&self.write).await?;
        Ok(())
    }

    async fn delete_session_of(&self, caller: Caller, id: SessionId) -> Result<bool> {
        let _turn = self.turn().await;
        let mut connection = self.write.acquire().await?;
        require(&mut connection, caller).await?;
        let done = sqlx::query("delete from sessions where id = $1 and user_id = $2")
            .bind(id.0)
            .bind(caller.user.0)
            .execute(&mut *connection)
            .await?;
        Ok(done.rows_affected() == 1)
    }

    async fn delete_other_sessions(&self, caller: Caller) -> Result<Vec<SessionId>> {
        let _turn = self.turn().await;
        let mut connection = self.write.acquire().await?;
        require(&mut connection, caller).await?;
        delete_others(&mut connection, caller).await
    }

    async fn sessions(&self, user: UserId, life: SessionLife) -> Result<Vec<SessionInfo>> {
        let rows = sqlx::query(
            "select id, device, created_at, seen_at from sessions \
             where user_id = $1 and seen_at > $2 and created_at > $3 order by seen_at desc",
        )
        .bind(user.0)
        .bind(life.oldest_seen.0)
        .bind(life.oldest_created.0)
        .fetch_all(&self.read)
        .await?;
        rows::all(&rows, rows::session_info)
    }

    async fn good_sessions(&self, ids: &[SessionId], life: SessionLife) -> Result<Vec<SessionId>> {
        let ids: Vec<String> = ids.iter().map(|id| hex(id.0)).collect();
        let good: Vec<Uuid> = sqlx::query_scalar(
            "select s.id from json_each($1) j join sessions s on s.id = unhex(j.value) \
             where s.created_at > $2 and s.seen_at > $3",
        )
        .bind(json(&ids)?)
        .bind(life.oldest_created.0)
        .bind(life.oldest_seen.0)
        .fetch_all(&self.read)
        .await?;
        Ok(good.into_iter().map(SessionId).collect())
    }

    async fn forget_old_sessions(&self, life: SessionLife) -> Result<()> {
        let _turn = self.turn().await;
        sqlx::query("delete from sessions where created_at <= $1 or seen_at <= $2")
            .bind(life.oldest_created.0)
            .bind(life.oldest_seen.0)
            .execute(&self.write)
            .await?;
        Ok(())
    }
}

pub(super) async fn insert(
    tx: &mut SqliteTransaction<'_>,
    session: &NewSession,
    now: Timestamp,
) -> Result<()> {
    sqlx::query(
        "insert into sessions (id, user_id, token_hash, created_at, seen_at, rotated_at, device) \
         values ($1, $2, $3, $4, $4, $4, $5)",
    )
    .bind(session.id.0)
    .bind(session.user.0)
    .bind(session.token_hash.as_slice())
    .bind(now.0)
    .bind(&session.device)
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Deletes the least recently used sessions of a user beyond `keep`, of which `kept` is one. Returns
/// the deleted sessions.
pub(super) async fn delete_beyond(
    tx: &mut SqliteTransaction<'_>,
    user: UserId,
    kept: SessionId,
    keep: u32,
) -> Result<Vec<SessionId>> {
    let removed: Vec<Uuid> = sqlx::query_scalar(
        "delete from sessions where user_id = $1 and id in \
         (select id from sessions where user_id = $1 and id <> $3 \
          order by seen_at desc, id desc limit -1 offset $2) \
         returning id",
    )
    .bind(user.0)
    .bind(keep.saturating_sub(1))
    .bind(kept.0)
    .fetch_all(&mut **tx)
    .await?;
    Ok(removed.into_iter().map(SessionId).collect())
}

/// Fails if the caller's session has ended. The caller of this function holds the turn to write, so
/// that no session ends before its transaction does.
pub(super) async fn require(connection: &mut SqliteConnection, caller: Caller) -> Result<()> {
    let is_valid: bool =
        sqlx::query_scalar("select exists (select 1 from sessions where id = $1 and user_id = $2)")
            .bind(caller.session.0)
            .bind(caller.user.0)
            .fetch_one(connection)
            .await?;
    if is_valid { Ok(()) } else { Err(StoreError::SessionEnded) }
}

/// Replaces the token of the caller's session. Both earlier tokens end at once.
pub(super) async fn renew_token(
    connection: &mut SqliteConnection,
    caller: Caller,
    to: &TokenHash,
    now: Timestamp,
) -> Result<()> {
    sqlx::query(
        "update sessions set token_hash = $3, previous_hash = null, previous_until = null, \
         rotated_at = $4, seen_at = $4 where id = $1 and user_id = $2",
    )
    .bind(caller.session.0)
    .bind(caller.user.0)
    .bind(to.as_slice())
    .bind(now.0)
    .execute(connection)
    .await?;
    Ok(())
}

/// Deletes all sessions of the caller's user except the caller's.
pub(super) async fn delete_others(
    connection: &mut SqliteConnection,
    caller: Caller,
) -> Result<Vec<SessionId>> {
    let ended: Vec<Uuid> =
        sqlx::query_scalar("delete from sessions where user_id = $1 and id <> $2 returning id")
            .bind(caller.user.0)
            .bind(caller.session.0)
            .fetch_all(connection)
            .await?;
    Ok(ended.into_iter().map(SessionId).collect())
}
