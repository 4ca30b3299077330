//! How users stand to their conversations, in Postgres. Implements [`StandingStore`], through which
//! alone this module is called. Each change first locks the conversation, as the commit of messages
//! does, so that no commit uses an outdated standing.

use async_trait::async_trait;
use protocol::{BlockedUser, ConversationId, Timestamp, UserId};
use sqlx::Connection;
use sqlx::postgres::PgConnection;
use uuid::Uuid;

use super::{PostgresStore, sessions};
use crate::store::rows::{self, at_most};
use crate::store::{AnswerChange, BlockChange, BlockTime, Caller, Result, StandingStore};

#[async_trait]
impl StandingStore for PostgresStore {
    async fn accept_request(
        &self,
        me: Caller,
        id: ConversationId,
        now: Timestamp,
    ) -> Result<Option<AnswerChange>> {
        self.call(async |connection| {
            let mut tx = connection.begin().await?;
            lock(&mut tx, id).await?;
            let found: Option<(Uuid, bool)> = sqlx::query_as(
                "select me.peer_id, peer.standing = 0 and peer.blocked_at is null \
                        and me.blocked_at is null \
                 from members me \
                 join members peer on peer.conversation_id = me.conversation_id \
                                  and peer.user_id = me.peer_id \
                 where me.conversation_id = $1 and me.user_id = $2",
            )
            .bind(id.0)
            .bind(me.user.0)
            .fetch_optional(&mut *tx)
            .await?;
            let Some((peer, is_awaited)) = found else {
                sessions::commit_for(tx, me).await?;
                return Ok(None);
            };
            // The peer must not learn when marks moved before the answer.
            let done = sqlx::query(
                "update members set standing = 0, \
                        active_at = case \
                            when (select last_seq from conversations where id = $1) = 0 \
                                then active_at \
                            else coalesce(active_at, greatest($3::bigint, 1 + ( \
                                select o.active_at from members o where o.user_id = $2 \
                                order by o.active_at desc nulls last limit 1))) end, \
                        delivered_at = case when delivered_seq > 0 then $3 else delivered_at end, \
                        read_at = case when read_seq > 0 then $3 else read_at end \
                 where conversation_id = $1 and user_id = $2 and standing <> 0",
            )
            .bind(id.0)
            .bind(me.user.0)
            .bind(now.0)
            .execute(&mut *tx)
            .await?;
            sessions::commit_for(tx, me).await?;
            let changed = done.rows_affected() > 0;
            Ok(Some(AnswerChange { peer: UserId(peer), changed, acquaints: changed && is_awaited }))
        })
        .await
    }

    async fn delete_request(&self, me: Caller, id: ConversationId) -> Result<bool> {
        self.call(async |connection| {
            let mut tx = connection.begin().await?;
            lock(&mut tx, id).await?;
            let found = sqlx::query(
                "update members set active_at = case when standing <> 2 then active_at end \
                 where conversation_id = $1 and user_id = $2",
            )
            .bind(id.0)
            .bind(me.user.0)
            .execute(&mut *tx)
            .await?;
            sessions::commit_for(tx, me).await?;
            Ok(found.rows_affected() > 0)
        })
        .await
    }

    async fn set_blocked(
        &self,
        me: Caller,
        id: ConversationId,
        since: Option<BlockTime>,
    ) -> Result<Option<BlockChange>> {
        self.call(async |connection| {
            let mut tx = connection.begin().await?;
            lock(&mut tx, id).await?;
            let Some((peer, shows_presence)) = peer_of(&mut tx, me.user, id).await? else {
                sessions::commit_for(tx, me).await?;
                return Ok(None);
            };
            // Without a time the block ends. A second call changes nothing, so that the view of a
            // member who blocks stays as it was.
            let done = sqlx::query(
                "update members set \
                        blocked_at = case when $4 then $3::bigint else least($3::bigint, coalesce( \
                            (select last_seen_at from users where id = $2), $3::bigint)) end, \
                        blocked_seq = case when $3::bigint is not null then \
                            (select last_seq from conversations where id = $1) end \
                 where conversation_id = $1 and user_id = $2 \
                   and (blocked_at is null) = ($3::bigint is not null)",
            )
            .bind(id.0)
            .bind(me.user.0)
            .bind(since.map(|since| since.now.0))
            .bind(since.is_none_or(|since| since.is_online))
            .execute(&mut *tx)
            .await?;
            sessions::commit_for(tx, me).await?;
            Ok(Some(BlockChange { peer, changed: done.rows_affected() > 0, shows_presence }))
        })
        .await
    }

    async fn set_muted(
        &self,
        me: Caller,
        id: ConversationId,
        until: Option<Timestamp>,
    ) -> Result<bool> {
        self.call(async |connection| {
            let mut tx = connection.begin().await?;
            lock(&mut tx, id).await?;
            let found = sqlx::query(
                "update members set muted_until = $3 where conversation_id = $1 and user_id = $2",
            )
            .bind(id.0)
            .bind(me.user.0)
            .bind(until.map(|until| until.0))
            .execute(&mut *tx)
            .await?;
            sessions::commit_for(tx, me).await?;
            Ok(found.rows_affected() > 0)
        })
        .await
    }

    async fn blocked_users(&self, me: UserId, limit: usize) -> Result<Vec<BlockedUser>> {
        self.call(async |connection| {
            let rows = sqlx::query(
                "select m.conversation_id, m.blocked_at, u.id, u.username, u.display_name \
                 from members m join users u on u.id = m.peer_id \
                 where m.user_id = $1 and m.blocked_at is not null and u.deleted_at is null \
                 order by m.blocked_at desc limit $2",
            )
            .bind(me.0)
            .bind(at_most(limit))
            .fetch_all(connection)
            .await?;
            rows::all(&rows, rows::blocked_user)
        })
        .await
    }

    async fn count_requests(&self, me: UserId, most: u32) -> Result<u32> {
        self.call(async |connection| {
            let count: i64 = sqlx::query_scalar(
                "select count(*) from (select 1 from members where user_id = $1 and standing = 2 \
                 and active_at is not null and blocked_at is null limit $2) as waiting",
            )
            .bind(me.0)
            .bind(i64::from(most))
            .fetch_one(connection)
            .await?;
            Ok(u32::try_from(count).unwrap_or(most))
        })
        .await
    }
}

async fn lock(tx: &mut PgConnection, id: ConversationId) -> Result<()> {
    sqlx::query("select 1 from conversations where id = $1 for no key update")
        .bind(id.0)
        .execute(tx)
        .await?;
    Ok(())
}

/// The peer in a user's conversation, and whether the peer sees the user's presence as long as the
/// user does not block the peer.
async fn peer_of(
    tx: &mut PgConnection,
    me: UserId,
    id: ConversationId,
) -> Result<Option<(UserId, bool)>> {
    let found: Option<(Uuid, bool)> = sqlx::query_as(
        "select me.peer_id, u.show_last_seen and mine.show_last_seen and me.standing = 0 \
                and peer.standing = 0 and peer.blocked_at is null \
         from members me \
         join members peer on peer.conversation_id = me.conversation_id \
                          and peer.user_id = me.peer_id \
         join users u on u.id = me.peer_id \
         join users mine on mine.id = me.user_id \
         where me.conversation_id = $1 and me.user_id = $2",
    )
    .bind(id.0)
    .bind(me.0)
    .fetch_optional(tx)
    .await?;
    Ok(found.map(|(peer, shows)| (UserId(peer), shows)))
}
