//! Messages in Postgres. Implements [`MessageStore`], through which alone this module is called.
//! Reads history; [`super::committer`] commits.

use std::sync::Arc;

use async_trait::async_trait;
use protocol::{ConversationId, Cursor, Timestamp, UserId};
use sqlx::postgres::PgConnection;

use super::PostgresStore;
use crate::store::rows::{self, Extent, at_most};
use crate::store::window::window;
use crate::store::{Batch, Committed, History, MessageStore, Result};

#[async_trait]
impl MessageStore for PostgresStore {
    async fn history(
        &self,
        me: UserId,
        id: ConversationId,
        cursor: Cursor,
        limit: usize,
    ) -> Result<History> {
        self.call(async |connection| {
            let Some(extent) = extent(connection, me, id).await? else {
                return Ok(History::NotFound);
            };
            let Some((first, last)) = window(cursor, extent.last_seq, at_most(limit)) else {
                return Ok(History::OutOfRange);
            };
            // Checks membership again, because this statement reads the text.
            let rows = sqlx::query(
                "select m.seq, m.sender_id, m.client_id, m.sent_at, \
                        case when m.withheld and m.sender_id <> $2 then '' else m.body end as body \
                 from members me join messages m on m.conversation_id = me.conversation_id \
                 where me.conversation_id = $1 and me.user_id = $2 and m.seq between $3 and $4 \
                 order by m.seq",
            )
            .bind(id.0)
            .bind(me.0)
            .bind(first)
            .bind(last)
            .fetch_all(connection)
            .await?;
            let messages = rows::all(&rows, |row| rows::message(row, id))?;
            Ok(History::Page(extent.page(id, messages)))
        })
        .await
    }

    async fn commit(&self, batch: Arc<Batch>, now: Timestamp) -> Result<Committed> {
        self.committer.commit(&batch, now).await
    }
}

async fn extent(
    connection: &mut PgConnection,
    me: UserId,
    id: ConversationId,
) -> Result<Option<Extent>> {
    let row = sqlx::query(
        "select coalesce(me.blocked_seq, c.last_seq) as last_seq, \
                me.delivered_seq, me.read_seq, \
                case when peer.standing = 0 \
                     then least(peer.delivered_seq, coalesce(me.blocked_seq, c.last_seq)) \
                     else 0 end as peer_delivered_seq, \
                case when u.show_receipts and mine.show_receipts and peer.standing = 0 \
                     then least(peer.read_seq, coalesce(me.blocked_seq, c.last_seq)) \
                     else 0 end as peer_read_seq \
         from members me \
         join conversations c on c.id = me.conversation_id \
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
    rows::optional(row.as_ref(), rows::extent)
}
