//! Conversations in SQLite. Implements [`ConversationStore`]; [`super::invitations`] also opens
//! conversations here, inside its own transaction.

use async_trait::async_trait;
use protocol::limits::MAX_UNREAD;
use protocol::{ConversationId, ListCursor, TickTimes, Timestamp, Unread, UserId};
use sqlx::sqlite::SqliteTransaction;
use uuid::Uuid;

use super::{SqliteStore, sessions};
use crate::store::rows::{self, at_most, low_and_high};
use crate::store::{Caller, ConversationStore, ConversationView, Result};

/// Selects a conversation as one member may see it. The peer's `read` mark and presence need the
/// consent of both members, which the statement checks. The unread count stops at a limit. `$1` is
/// the member, `$2` the limit.
macro_rules! summary {
    ($rest:literal) => {
        concat!(
            "select me.conversation_id, me.delivered_seq, me.read_seq, me.active_at, \
                    peer.delivered_seq as peer_delivered_seq, \
                    iif(u.show_receipts and mine.show_receipts, peer.read_seq, 0) as peer_read_seq, \
                    u.show_last_seen and mine.show_last_seen as shows_presence, \
                    u.id as peer_id, u.username, u.display_name, u.last_seen_at, \
                    c.last_seq, c.created_at, m.seq, m.sender_id, m.client_id, m.body, m.sent_at, \
                    (select count(*) from (select 1 from messages n \
                      where n.conversation_id = me.conversation_id and n.seq > me.read_seq \
                        and n.sender_id <> $1 limit $2)) as unread \
             from members me \
             join conversations c on c.id = me.conversation_id \
             join members peer on peer.conversation_id = me.conversation_id \
                              and peer.user_id = me.peer_id \
             join users u on u.id = me.peer_id \
             join users mine on mine.id = me.user_id \
             left join messages m on m.conversation_id = c.id and m.seq = c.last_seq \
             where me.user_id = $1 ",
            $rest
        )
    };
}

#[async_trait]
impl ConversationStore for SqliteStore {
    async fn open_conversation(
        &self,
        me: Caller,
        peer: UserId,
        now: Timestamp,
    ) -> Result<Option<ConversationId>> {
        let _turn = self.turn().await;
        let mut tx = self.write.begin_with("begin immediate").await?;
        sessions::require(&mut tx, me).await?;
        let opened = open(&mut tx, me.user, peer, now).await?;
        tx.commit().await?;
        Ok(opened.map(|(id, _)| id))
    }

    async fn has_conversation(&self, me: UserId, peer: UserId) -> Result<bool> {
        let (low, high) = low_and_high(me, peer);
        let found = sqlx::query_scalar(
            "select exists (select 1 from conversations where low_id = $1 and high_id = $2)",
        )
        .bind(low.0)
        .bind(high.0)
        .fetch_one(&self.read)
        .await?;
        Ok(found)
    }

    async fn conversation(
        &self,
        me: UserId,
        id: ConversationId,
    ) -> Result<Option<ConversationView>> {
        let row = sqlx::query(summary!("and me.conversation_id = $3"))
            .bind(me.0)
            .bind(MAX_UNREAD)
            .bind(id.0)
            .fetch_optional(&self.read)
            .await?;
        rows::optional(row.as_ref(), rows::conversation)
    }

    async fn conversations(
        &self,
        me: UserId,
        after: Option<ListCursor>,
        limit: usize,
    ) -> Result<Vec<ConversationView>> {
        let statement = match after {
            None => summary!(
                "and me.active_at is not null \
                 order by me.active_at desc, me.conversation_id desc limit $3"
            ),
            Some(_) => summary!(
                "and (me.active_at, me.conversation_id) < ($4, $5) \
                 order by me.active_at desc, me.conversation_id desc limit $3"
            ),
        };
        let mut query = sqlx::query(statement).bind(me.0).bind(MAX_UNREAD).bind(at_most(limit));
        if let Some(cursor) = after {
            query = query.bind(cursor.active_at.0).bind(cursor.id.0);
        }
        let rows = query.fetch_all(&self.read).await?;
        rows::all(&rows, rows::conversation)
    }

    // Each count has the same limit as in `conversations`; no other data is read.
    async fn unread_behind(
        &self,
        me: UserId,
        cursor: ListCursor,
        limit: usize,
    ) -> Result<Vec<Unread>> {
        let rows = sqlx::query(
            "select me.conversation_id, \
                    (select count(*) from (select 1 from messages n \
                      where n.conversation_id = me.conversation_id and n.seq > me.read_seq \
                        and n.sender_id <> $1 limit $2)) as unread \
             from members me \
             where me.user_id = $1 and (me.active_at, me.conversation_id) < ($4, $5) \
             order by me.active_at desc, me.conversation_id desc limit $3",
        )
        .bind(me.0)
        .bind(MAX_UNREAD)
        .bind(at_most(limit))
        .bind(cursor.active_at.0)
        .bind(cursor.id.0)
        .fetch_all(&self.read)
        .await?;
        rows::unread(&rows)
    }

    async fn tick_times(&self, me: UserId, id: ConversationId) -> Result<Option<TickTimes>> {
        let row = sqlx::query(
            "select peer.delivered_seq, peer.delivered_at, \
                    iif(u.show_receipts and mine.show_receipts, peer.read_seq, 0) as read_seq, \
                    iif(u.show_receipts and mine.show_receipts, peer.read_at, null) as read_at \
             from members me \
             join members peer on peer.conversation_id = me.conversation_id \
                              and peer.user_id = me.peer_id \
             join users u on u.id = me.peer_id \
             join users mine on mine.id = me.user_id \
             where me.conversation_id = $1 and me.user_id = $2",
        )
        .bind(id.0)
        .bind(me.0)
        .fetch_optional(&self.read)
        .await?;
        rows::optional(row.as_ref(), rows::tick_times)
    }

    async fn peer(&self, me: UserId, id: ConversationId) -> Result<Option<UserId>> {
        let peer: Option<Uuid> = sqlx::query_scalar(
            "select peer_id from members where conversation_id = $1 and user_id = $2",
        )
        .bind(id.0)
        .bind(me.0)
        .fetch_optional(&self.read)
        .await?;
        Ok(peer.map(UserId))
    }
}

/// Returns the conversation of two users, listed for `me`, and whether it was created now.
pub(super) async fn open(
    tx: &mut SqliteTransaction<'_>,
    me: UserId,
    peer: UserId,
    now: Timestamp,
) -> Result<Option<(ConversationId, bool)>> {
    let (low, high) = low_and_high(me, peer);
    // The join checks that both accounts exist.
    let made = sqlx::query(
        "insert into conversations (id, low_id, high_id, created_at) \
         select $1, a.id, b.id, $4 from users a, users b \
         where a.id = $2 and b.id = $3 and a.deleted_at is null and b.deleted_at is null \
         on conflict (low_id, high_id) do nothing",
    )
    .bind(ConversationId::new().0)
    .bind(low.0)
    .bind(high.0)
    .bind(now.0)
    .execute(&mut **tx)
    .await?;
    let id: Option<Uuid> = sqlx::query_scalar(
        "select id from conversations where low_id = $1 and high_id = $2 and closed_at is null",
    )
    .bind(low.0)
    .bind(high.0)
    .fetch_optional(&mut **tx)
    .await?;
    let Some(id) = id else { return Ok(None) };
    sqlx::query(
        "insert into members (conversation_id, user_id, peer_id, active_at) \
         values ($1, $2, $3, max($4, 1 + coalesce( \
                 (select max(o.active_at) from members o where o.user_id = $2), 0))), \
                ($1, $3, $2, null) \
         on conflict (conversation_id, user_id) do update \
         set active_at = coalesce(members.active_at, excluded.active_at)",
    )
    .bind(id)
    .bind(me.0)
    .bind(peer.0)
    .bind(now.0)
    .execute(&mut **tx)
    .await?;
    Ok(Some((ConversationId(id), made.rows_affected() == 1)))
}
