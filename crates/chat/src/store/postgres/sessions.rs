//! Sessions in Postgres. Implements [`SessionStore`]; [`super::accounts`] and [`super::settings`]
//! also store and delete sessions here, inside their own transactions.
//!
//! Sign-in and change of password lock the user's row first. Otherwise a sign-in with the old
//! password at one node could survive a change of password at another node.

use async_trait::async_trait;
use protocol::{SessionId, SessionInfo, Timestamp, UserId};
use sqlx::Connection;
use sqlx::postgres::{PgConnection, PgTransaction};
use uuid::Uuid;

use super::PostgresStore;
use crate::store::{
    Caller, NewSession, Result, SessionLife, SessionStore, StoreError, TokenHash, ValidSession,
    rows,
};

/// The maximum number of expired sessions that are found by each of the two conditions in one
/// statement.
const FORGOTTEN_AT_ONCE: i64 = 10_000;

/// Inserts the database's clock in milliseconds, because the nodes' clocks differ.
macro_rules! with_database_clock {
    ($before:literal, $after:literal) => {
        concat!($before, "(extract(epoch from clock_timestamp()) * 1000)::bigint", $after)
    };
}

#[async_trait]
impl SessionStore for PostgresStore {
    async fn create_session(
        &self,
        session: NewSession,
        verified: &str,
        keep: u32,
        now: Timestamp,
    ) -> Result<Option<Vec<SessionId>>> {
        self.call(async |connection| {
            let mut tx = connection.begin().await?;
            let still = sqlx::query(
                "select 1 from users where id = $1 and password_hash = $2 and deleted_at is null \
                 for no key update",
            )
            .bind(session.user.0)
            .bind(verified)
            .fetch_optional(&mut *tx)
            .await?;
            if still.is_none() {
                tx.rollback().await?;
                return Ok(None);
            }
            insert(&mut tx, &session, now).await?;
            let removed = delete_beyond(&mut tx, session.user, session.id, keep).await?;
            tx.commit().await?;
            Ok(Some(removed))
        })
        .await
    }

    async fn session(&self, token: &TokenHash, life: SessionLife) -> Result<Option<ValidSession>> {
        self.call(async |connection| {
            let row = sqlx::query(with_database_clock!(
                "select u.id, u.username, u.display_name, s.id as session_id, \
                        s.seen_at, s.rotated_at, s.token_hash = $1 as present, \
                        s.previous_hash is not null as has_previous, \
                        s.previous_until is not null as ends \
                 from sessions s join users u on u.id = s.user_id \
                 where (s.token_hash = $1 or \
                        (s.previous_hash = $1 and (s.previous_until is null or s.previous_until > ",
                "))) and s.created_at > $2 and s.seen_at > $3"
            ))
            .bind(token.as_slice())
            .bind(life.oldest_created.0)
            .bind(life.oldest_seen.0)
            .fetch_optional(connection)
            .await?;
            rows::optional(row.as_ref(), rows::session)
        })
        .await
    }

    // If two nodes rotate at once, the second finds that `from` is no longer the current token.
    async fn rotate_session(
        &self,
        id: SessionId,
        from: &TokenHash,
        to: &TokenHash,
        now: Timestamp,
        lost_before: Timestamp,
    ) -> Result<bool> {
        self.call(async |connection| {
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
            .execute(connection)
            .await?;
            Ok(done.rows_affected() == 1)
        })
        .await
    }

    // The expiry uses the database's clock, because the nodes' clocks may differ by more than its
    // span.
    async fn end_old_token(
        &self,
        id: SessionId,
        present: &TokenHash,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<()> {
        self.call(async |connection| {
            sqlx::query(with_database_clock!(
                "update sessions set previous_until = $3 + ",
                " where id = $1 and token_hash = $2 \
                 and previous_hash is not null and previous_until is null"
            ))
            .bind(id.0)
            .bind(present.as_slice())
            .bind(until.0 - now.0)
            .execute(connection)
            .await?;
            Ok(())
        })
        .await
    }

    // Locks sessions in the order of their ids, as everywhere in this store.
    async fn see_sessions(
        &self,
        ids: &[SessionId],
        now: Timestamp,
        noted_before: Timestamp,
    ) -> Result<()> {
        self.call(async |connection| {
            sqlx::query(
                "update sessions s set seen_at = $2 from ( \
                     select id from sessions where id = any ($1) and seen_at < $3 \
                     order by id for no key update) seen \
                 where s.id = seen.id and s.id = any ($1)",
            )
            .bind(ids.iter().map(|id| id.0).collect::<Vec<_>>())
            .bind(now.0)
            .bind(noted_before.0)
            .execute(connection)
            .await?;
            Ok(())
        })
        .await
    }

    async fn delete_session(&self, id: SessionId) -> Result<()> {
        self.call(async |connection| {
            sqlx::query("delete from sessions where id = $1")
                .bind(id.0)
                .execute(connection)
                .await?;
            Ok(())
        })
        .await
    }

    async fn delete_session_of(&self, caller: Caller, id: SessionId) -> Result<bool> {
        self.call(async |connection| {
            let mut tx = connection.begin().await?;
            // Before the deletion, which may delete the caller's own session.
            require(&mut tx, caller).await?;
            let done = sqlx::query("delete from sessions where id = $1 and user_id = $2")
                .bind(id.0)
                .bind(caller.user.0)
                .execute(&mut *tx)
                .await?;
            tx.commit().await?;
            Ok(done.rows_affected() == 1)
        })
        .await
    }

    async fn delete_other_sessions(&self, caller: Caller) -> Result<Vec<SessionId>> {
        self.call(async |connection| {
            let mut tx = connection.begin().await?;
            let ended = delete_others(&mut tx, caller).await?;
            commit_for(tx, caller).await?;
            Ok(ended)
        })
        .await
    }

    async fn sessions(&self, user: UserId, life: SessionLife) -> Result<Vec<SessionInfo>> {
        self.call(async |connection| {
            let rows = sqlx::query(
                "select id, device, created_at, seen_at from sessions \
                 where user_id = $1 and seen_at > $2 and created_at > $3 order by seen_at desc",
            )
            .bind(user.0)
            .bind(life.oldest_seen.0)
            .bind(life.oldest_created.0)
            .fetch_all(connection)
            .await?;
            rows::all(&rows, rows::session_info)
        })
        .await
    }

    async fn good_sessions(&self, ids: &[SessionId], life: SessionLife) -> Result<Vec<SessionId>> {
        self.call(async |connection| {
            let ids: Vec<Uuid> = ids.iter().map(|id| id.0).collect();
            let good: Vec<Uuid> = sqlx::query_scalar(
                "select id from sessions where id = any ($1) and created_at > $2 and seen_at > $3",
            )
            .bind(ids)
            .bind(life.oldest_created.0)
            .bind(life.oldest_seen.0)
            .fetch_all(connection)
            .await?;
            Ok(good.into_iter().map(SessionId).collect())
        })
        .await
    }

    // Skips sessions that another node is deleting.
    async fn forget_old_sessions(&self, life: SessionLife) -> Result<()> {
        self.call(async |connection| {
            sqlx::query(
                "delete from sessions where id = any (array( \
                     select id from sessions where id = any (array( \
                         (select id from sessions where created_at <= $1 limit $3) union \
                         (select id from sessions where seen_at <= $2 limit $3))) \
                     order by id for update skip locked))",
            )
            .bind(life.oldest_created.0)
            .bind(life.oldest_seen.0)
            .bind(FORGOTTEN_AT_ONCE)
            .execute(connection)
            .await?;
            Ok(())
        })
        .await
    }
}

pub(super) async fn insert(
    connection: &mut PgConnection,
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
    .execute(connection)
    .await?;
    Ok(())
}

/// Deletes the least recently used sessions of a user beyond `keep`, of which `kept` is one. Returns
/// the deleted sessions. Locks them in the order of their ids.
pub(super) async fn delete_beyond(
    connection: &mut PgConnection,
    user: UserId,
    kept: SessionId,
    keep: u32,
) -> Result<Vec<SessionId>> {
    let removed: Vec<Uuid> = sqlx::query_scalar(
        "delete from sessions s using ( \
             select id from sessions where id in ( \
                 select id from sessions where user_id = $1 and id <> $3 \
                 order by seen_at desc, id desc offset $2) \
             order by id for update) longest_unused \
         where s.id = longest_unused.id returning s.id",
    )
    .bind(user.0)
    .bind(i64::from(keep.saturating_sub(1)))
    .bind(kept.0)
    .fetch_all(connection)
    .await?;
    Ok(removed.into_iter().map(SessionId).collect())
}

/// Fails if the caller's session has ended. Takes no lock, so that it may stand anywhere in the order
/// of locks.
pub(super) async fn require(connection: &mut PgConnection, caller: Caller) -> Result<()> {
    let is_valid: bool =
        sqlx::query_scalar("select exists (select 1 from sessions where id = $1 and user_id = $2)")
            .bind(caller.session.0)
            .bind(caller.user.0)
            .fetch_one(connection)
            .await?;
    if is_valid { Ok(()) } else { Err(StoreError::SessionEnded) }
}

/// Commits a transaction, or rolls it back if the caller's session has ended. The check is the last
/// statement, so that a session that ends while the transaction waits for a lock counts as ended.
pub(super) async fn commit_for(mut tx: PgTransaction<'_>, caller: Caller) -> Result<()> {
    require(&mut tx, caller).await?;
    Ok(tx.commit().await?)
}

/// Replaces the token of the caller's session. Both earlier tokens end at once. Locks all sessions of
/// the user in the order of their ids, because the others are deleted in the same transaction.
pub(super) async fn renew_token(
    connection: &mut PgConnection,
    caller: Caller,
    to: &TokenHash,
    now: Timestamp,
) -> Result<()> {
    sqlx::query("select 1 from sessions where user_id = $1 order by id for update")
        .bind(caller.user.0)
        .execute(&mut *connection)
        .await?;
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
    connection: &mut PgConnection,
    caller: Caller,
) -> Result<Vec<SessionId>> {
    let ended: Vec<Uuid> = sqlx::query_scalar(
        "delete from sessions s using ( \
             select id from sessions where user_id = $1 and id <> $2 order by id for update) other \
         where s.id = other.id returning s.id",
    )
    .bind(caller.user.0)
    .bind(caller.session.0)
    .fetch_all(connection)
    .await?;
    Ok(ended.into_iter().map(SessionId).collect())
}
