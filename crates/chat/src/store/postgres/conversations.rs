//! Conversations in Postgres. Implements [`ConversationStore`]; [`super::invitations`] also opens
//! conversations here, inside its own transaction.

use async_trait::async_trait;
use protocol::limits::MAX_UNREAD;
use protocol::{ConversationId, ListCursor, TickTimes, Timestamp, Unread, UserId};
use sqlx::Connection;
use sqlx::postgres::PgConnection;
use uuid::Uuid;

use super::{PostgresStore, sessions};
use crate::store::rows::{self, at_most, low_and_high};
use crate::store::standings::Comes;
use crate::store::{Caller, ConversationStore, ConversationView, Result};

/// Selects a conversation as one member may see it. The peer's `read` mark and presence need the
/// consent of both members, which the statement checks, and an answer of both. A member who blocks
/// the peer sees the conversation as it was when the block began. The unread count stops at a limit.
/// `$1` is the member, `$2` the limit.
macro_rules! summary {
    ($rest:literal) => {
        concat!(
            "select me.conversation_id, me.delivered_seq, me.read_seq, me.active_at, \
                    case when peer.standing = 0 \
                         then least(peer.delivered_seq, coalesce(me.blocked_seq, c.last_seq)) \
                         else 0 end as peer_delivered_seq, \
                    case when u.show_receipts and mine.show_receipts and peer.standing = 0 \
                         then least(peer.read_seq, coalesce(me.blocked_seq, c.last_seq)) \
                         else 0 end as peer_read_seq, \
                    u.show_last_seen and mine.show_last_seen and me.standing = 0 \
                        and peer.standing = 0 and me.blocked_at is null as shows_presence, \
                    u.id as peer_id, u.username, u.display_name, u.last_seen_at, \
                    peer.blocked_at as peer_blocked_at, \
                    me.standing = 2 as waits, me.blocked_seq, me.muted_until, \
                    coalesce(me.blocked_seq, c.last_seq) as last_seq, c.created_at, \
                    m.seq, m.sender_id, m.client_id, m.sent_at, \
                    case when m.withheld and m.sender_id <> $1 then '' else m.body end as body, \
                    case when me.blocked_seq is not null then 0 else \
                        (select count(*) from (select 1 from messages n \
                          where n.conversation_id = me.conversation_id and n.seq > me.read_seq \
                            and n.sender_id <> $1 and not n.withheld limit $2) as unread_ones) \
                        end as unread \
             from members me \
             join conversations c on c.id = me.conversation_id \
             join members peer on peer.conversation_id = me.conversation_id \
                              and peer.user_id = me.peer_id \
             join users u on u.id = me.peer_id \
             join users mine on mine.id = me.user_id \
             left join messages m on m.conversation_id = c.id \
                                 and m.seq = coalesce(me.blocked_seq, c.last_seq) \
             where me.user_id = $1 ",
            $rest
        )
    };
}

#[async_trait]
impl ConversationStore for PostgresStore {
    async fn open_conversation(
        &self,
        me: Caller,
        peer: UserId,
        now: Timestamp,
    ) -> Result<Option<ConversationId>> {
        self.call(async |connection| {
            let mut tx = connection.begin().await?;
            let opened = open(&mut tx, me.user, peer, Comes::Alone, now).await?;
            sessions::commit_for(tx, me).await?;
            Ok(opened.map(|(id, _)| id))
        })
        .await
    }

    async fn has_conversation(&self, me: UserId, peer: UserId) -> Result<bool> {
        let (low, high) = low_and_high(me, peer);
        self.call(async |connection| {
            let found = sqlx::query_scalar(
                "select exists (select 1 from conversations where low_id = $1 and high_id = $2)",
            )
            .bind(low.0)
            .bind(high.0)
            .fetch_one(connection)
            .await?;
            Ok(found)
        })
        .await
    }

    async fn conversation(
        &self,
        me: UserId,
        id: ConversationId,
    ) -> Result<Option<ConversationView>> {
        self.call(async |connection| {
            let row = sqlx::query(summary!("and me.conversation_id = $3"))
                .bind(me.0)
                .bind(i64::from(MAX_UNREAD))
                .bind(id.0)
                .fetch_optional(connection)
                .await?;
            rows::optional(row.as_ref(), rows::conversation)
        })
        .await
    }

    async fn conversations(
        &self,
        me: UserId,
        after: Option<ListCursor>,
        limit: usize,
    ) -> Result<Vec<ConversationView>> {
        self.call(async |connection| {
            let statement = match after {
                None => summary!(
                    "and me.active_at is not null and me.standing <> 2 \
                     order by me.active_at desc nulls last, me.conversation_id desc limit $3"
                ),
                Some(_) => summary!(
                    "and (me.active_at, me.conversation_id) < ($4, $5) and me.standing <> 2 \
                     order by me.active_at desc nulls last, me.conversation_id desc limit $3"
                ),
            };
            let limit = at_most(limit);
            let mut query =
                sqlx::query(statement).bind(me.0).bind(i64::from(MAX_UNREAD)).bind(limit);
            if let Some(cursor) = after {
                query = query.bind(cursor.active_at.0).bind(cursor.id.0);
            }
            let rows = query.fetch_all(connection).await?;
            rows::all(&rows, rows::conversation)
        })
        .await
    }

    async fn requests(
        &self,
        me: UserId,
        after: Option<ListCursor>,
        limit: usize,
    ) -> Result<Vec<ConversationView>> {
        self.call(async |connection| {
            let statement = match after {
                None => summary!(
                    "and me.standing = 2 and me.active_at is not null and me.blocked_at is null \
                     order by me.active_at desc nulls last, me.conversation_id desc limit $3"
                ),
                Some(_) => summary!(
                    "and me.standing = 2 and me.active_at is not null and me.blocked_at is null \
                     and (me.active_at, me.conversation_id) < ($4, $5) \
                     order by me.active_at desc nulls last, me.conversation_id desc limit $3"
                ),
            };
            let limit = at_most(limit);
            let mut query =
                sqlx::query(statement).bind(me.0).bind(i64::from(MAX_UNREAD)).bind(limit);
            if let Some(cursor) = after {
                query = query.bind(cursor.active_at.0).bind(cursor.id.0);
            }
            let rows = query.fetch_all(connection).await?;
            rows::all(&rows, rows::conversation)
        })
        .await
    }

    // Each count has the same limit as in `conversations`; no other data is read.
    async fn unread_behind(
        &self,
        me: UserId,
        cursor: ListCursor,
        limit: usize,
        now: Timestamp,
    ) -> Result<Vec<Unread>> {
        self.call(async |connection| {
            let rows = sqlx::query(
                "select me.conversation_id, \
                        (select count(*) from (select 1 from messages n \
                          where n.conversation_id = me.conversation_id and n.seq > me.read_seq \
                            and n.sender_id <> $1 and not n.withheld limit $2) as unread_ones) \
                            as unread \
                 from members me \
                 where me.user_id = $1 and (me.active_at, me.conversation_id) < ($4, $5) \
                   and me.standing <> 2 and me.blocked_at is null \
                   and coalesce(me.muted_until, 0) <= $6 \
                 order by me.active_at desc nulls last, me.conversation_id desc limit $3",
            )
            .bind(me.0)
            .bind(i64::from(MAX_UNREAD))
            .bind(at_most(limit))
            .bind(cursor.active_at.0)
            .bind(cursor.id.0)
            .bind(now.0)
            .fetch_all(connection)
            .await?;
            rows::unread(&rows)
        })
        .await
    }

    async fn tick_times(&self, me: UserId, id: ConversationId) -> Result<Option<TickTimes>> {
        self.call(async |connection| {
            let row = sqlx::query(
                "select case when peer.standing = 0 \
                             then least(peer.delivered_seq, me.blocked_seq) \
                             else 0 end as delivered_seq, \
                        case when peer.standing = 0 then peer.delivered_at end as delivered_at, \
                        case when u.show_receipts and mine.show_receipts and peer.standing = 0 \
                             then least(peer.read_seq, me.blocked_seq) \
                             else 0 end as read_seq, \
                        case when u.show_receipts and mine.show_receipts and peer.standing = 0 \
                             then peer.read_at end as read_at \
                 from members me \
                 join members peer on peer.conversation_id = me.conversation_id \
                                  and peer.user_id = me.peer_id \
                 join users u on u.id = me.peer_id \
                 join users mine on mine.id = me.user_id \
                 where me.conversation_id = $1 and me.user_id = $2",
            )
            .bind(id.0)
            .bind(me.0)
            .fetch_optional(connection)
            .await?;
            rows::optional(row.as_ref(), rows::tick_times)
        })
        .await
    }

    async fn typing_peer(&self, me: UserId, id: ConversationId) -> Result<Option<(UserId, bool)>> {
        self.call(async |connection| {
            let found: Option<(Uuid, bool)> = sqlx::query_as(
                "select me.peer_id, me.standing = 0 and peer.standing = 0 \
                        and me.blocked_at is null and peer.blocked_at is null \
                 from members me \
                 join members peer on peer.conversation_id = me.conversation_id \
                                  and peer.user_id = me.peer_id \
                 where me.conversation_id = $1 and me.user_id = $2",
            )
            .bind(id.0)
            .bind(me.0)
            .fetch_optional(connection)
            .await?;
            Ok(found.map(|(peer, shows)| (UserId(peer), shows)))
        })
        .await
    }
}

/// Returns the conversation of two users, listed for `me`, and whether it was created now. Opening a
/// conversation in which the peer has written does not answer the request. Runs inside the caller's
/// transaction.
pub(super) async fn open(
    tx: &mut PgConnection,
    me: UserId,
    peer: UserId,
    comes: Comes,
    now: Timestamp,
) -> Result<Option<(ConversationId, bool)>> {
    let (low, high) = low_and_high(me, peer);
    // The join checks that both accounts exist. The deletion of an account changes the user's keys,
    // so the deletion and this lock exclude each other. If two nodes open the same conversation at
    // once, the second waits for the first and finds its row below.
    let made = sqlx::query(
        "insert into conversations (id, low_id, high_id, created_at) \
         select $1, a.id, b.id, $4 from users a, users b \
         where a.id = $2 and b.id = $3 and a.deleted_at is null and b.deleted_at is null \
         for key share of a, b \
         on conflict (low_id, high_id) do nothing",
    )
    .bind(ConversationId::new().0)
    .bind(low.0)
    .bind(high.0)
    .bind(now.0)
    .execute(&mut *tx)
    .await?;
    let id: Option<Uuid> = sqlx::query_scalar(
        "select id from conversations \
         where low_id = $1 and high_id = $2 and closed_at is null for no key update",
    )
    .bind(low.0)
    .bind(high.0)
    .fetch_optional(&mut *tx)
    .await?;
    let Some(id) = id else { return Ok(None) };
    sqlx::query(
        "insert into members (conversation_id, user_id, peer_id, active_at, standing) \
         values ($1, $2, $3, greatest($4::bigint, 1 + (select o.active_at from members o \
                 where o.user_id = $2 order by o.active_at desc nulls last limit 1)), \
                 case when $5 then 0 \
                      when (select last_seq from conversations where id = $1) = 0 then 1 \
                      else 2 end), \
                ($1, $3, $2, null, 2) \
         on conflict (conversation_id, user_id) do update \
         set active_at = coalesce(members.active_at, excluded.active_at), \
             standing = least(members.standing, excluded.standing)",
    )
    .bind(id)
    .bind(me.0)
    .bind(peer.0)
    .bind(now.0)
    .bind(comes == Comes::Invited)
    .execute(&mut *tx)
    .await?;
    Ok(Some((ConversationId(id), made.rows_affected() == 1)))
}
