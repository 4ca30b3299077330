//! Messages in SQLite. Implements [`MessageStore`], through which alone this module is called.
//! Reads history; [`super::committer`] commits.

use std::sync::Arc;

use async_trait::async_trait;
use protocol::{ConversationId, Cursor, Timestamp, UserId};
use sqlx::sqlite::SqlitePool;

use super::SqliteStore;
use crate::store::rows::{self, Extent, at_most};
use crate::store::window::window;
use crate::store::{Batch, Committed, History, MessageStore, Result};

#[async_trait]
impl MessageStore for SqliteStore {
    async fn history(
        &self,
        me: UserId,
        id: ConversationId,
        cursor: Cursor,
        limit: usize,
    ) -> Result<History> {
        let Some(extent) = extent(&self.read, me, id).await? else {
            return Ok(History::NotFound);
        };
        let Some((first, last)) = window(cursor, extent.last_seq, at_most(limit)) else {
            return Ok(History::OutOfRange);
        };
        // Checks membership again, because this statement reads the text.
        let rows = sqlx::query(
            "select m.seq, m.sender_id, m.client_id, m.sent_at, \
                    iif(m.withheld and m.sender_id <> $2, '', m.body) as body \
             from members me join messages m on m.conversation_id = me.conversation_id \
             where me.conversation_id = $1 and me.user_id = $2 and m.seq between $3 and $4 \
             order by m.seq",
        )
        .bind(id.0)
        .bind(me.0)
        .bind(first)
        .bind(last)
        .fetch_all(&self.read)
        .await?;
        let messages = rows::all(&rows, |row| rows::message(row, id))?;
        Ok(History::Page(extent.page(id, messages)))
    }

    async fn commit(&self, batch: Arc<Batch>, now: Timestamp) -> Result<Committed> {
        let _turn = self.turn.lock().await;
        self.committer.commit(batch, now).await
    }
}

async fn extent(pool: &SqlitePool, me: UserId, id: ConversationId) -> Result<Option<Extent>> {
    let row = sqlx::query(
        "select coalesce(me.blocked_seq, c.last_seq) as last_seq, \
                me.delivered_seq, me.read_seq, \
                iif(peer.standing = 0, \
                    min(peer.delivered_seq, coalesce(me.blocked_seq, c.last_seq)), 0) \
                    as peer_delivered_seq, \
                iif(u.show_receipts and mine.show_receipts and peer.standing = 0, \
                    min(peer.read_seq, coalesce(me.blocked_seq, c.last_seq)), 0) \
                    as peer_read_seq \
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
    .fetch_optional(pool)
    .await?;
    rows::optional(row.as_ref(), rows::extent)
}
