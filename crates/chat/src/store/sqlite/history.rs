//! Pages of a conversation in SQLite. Called by [`super::SqliteStore`] alone.

use protocol::{
    ClientId, ConversationId, Cursor, HistoryPage, Marks, Message, Seq, Timestamp, UserId,
};
use sqlx::Row;
use sqlx::sqlite::{SqlitePool, SqliteRow};

use crate::store::{History, Result};

pub(super) async fn page(
    pool: &SqlitePool,
    me: UserId,
    id: ConversationId,
    cursor: Cursor,
    limit: usize,
) -> Result<History> {
    let Some((last_seq, mine, theirs)) = place(pool, me, id).await? else {
        return Ok(History::NotFound);
    };
    let Some((first, last)) = window(cursor, last_seq, i64::try_from(limit).unwrap_or(i64::MAX))
    else {
        return Ok(History::OutOfRange);
    };
    // Membership again, in the statement that reads the text.
    let rows = sqlx::query(
        "select m.seq, m.sender_id, m.client_id, m.body, m.sent_at \
         from members me join messages m on m.conversation_id = me.conversation_id \
         where me.conversation_id = $1 and me.user_id = $2 and m.seq between $3 and $4 \
         order by m.seq",
    )
    .bind(id.0)
    .bind(me.0)
    .bind(first)
    .bind(last)
    .fetch_all(pool)
    .await?;
    let messages = rows
        .iter()
        .map(|row| message(row, id))
        .collect::<std::result::Result<Vec<_>, sqlx::Error>>()?;
    Ok(History::Page(HistoryPage {
        conversation: id,
        messages,
        last_seq: Seq(last_seq),
        mine,
        theirs,
    }))
}

/// The first and last place of the page; numbers are dense, so this is arithmetic. `None` for a
/// cursor outside the conversation. Never beyond `last_seq`: what was stored since that was read is
/// not on a page which says that it is the newest place.
fn window(cursor: Cursor, last_seq: i64, limit: i64) -> Option<(i64, i64)> {
    let (first, last) = match cursor {
        Cursor::Latest => Some((last_seq.saturating_sub(limit) + 1, last_seq)),
        Cursor::Before(Seq(seq)) if (0..=last_seq + 1).contains(&seq) => {
            Some((seq - limit, seq - 1))
        }
        Cursor::After(Seq(seq)) if (0..=last_seq).contains(&seq) => Some((seq + 1, seq + limit)),
        Cursor::Around(Seq(seq)) if (1..=last_seq).contains(&seq) => {
            let first = (seq - limit / 2).clamp(1, (last_seq - limit + 1).max(1));
            Some((first, first + limit - 1))
        }
        _ => None,
    }?;
    Some((first, last.min(last_seq)))
}

async fn place(
    pool: &SqlitePool,
    me: UserId,
    id: ConversationId,
) -> Result<Option<(i64, Marks, Marks)>> {
    let row = sqlx::query(
        "select c.last_seq, me.delivered_seq, me.read_seq, \
                peer.delivered_seq as peer_delivered_seq, \
                iif(u.show_receipts and mine.show_receipts, peer.read_seq, 0) as peer_read_seq \
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
    let Some(row) = row else { return Ok(None) };
    let marks = |delivered: &str, read: &str| -> std::result::Result<Marks, sqlx::Error> {
        Ok(Marks { delivered: Seq(row.try_get(delivered)?), read: Seq(row.try_get(read)?) })
    };
    Ok(Some((
        row.try_get("last_seq")?,
        marks("delivered_seq", "read_seq")?,
        marks("peer_delivered_seq", "peer_read_seq")?,
    )))
}

fn message(
    row: &SqliteRow,
    conversation: ConversationId,
) -> std::result::Result<Message, sqlx::Error> {
    Ok(Message {
        conversation,
        seq: Seq(row.try_get("seq")?),
        client_id: ClientId(row.try_get("client_id")?),
        sender: UserId(row.try_get("sender_id")?),
        body: row.try_get("body")?,
        sent_at: Timestamp(row.try_get("sent_at")?),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_is_at_most_a_page_and_inside_the_conversation() {
        let cases = [
            (Cursor::Latest, Some((51, 100))),
            (Cursor::Before(Seq(101)), Some((51, 100))),
            (Cursor::Before(Seq(10)), Some((-40, 9))),
            (Cursor::Before(Seq(102)), None),
            (Cursor::Before(Seq(-1)), None),
            (Cursor::Before(Seq(i64::MIN)), None),
            (Cursor::After(Seq(0)), Some((1, 50))),
            (Cursor::After(Seq(80)), Some((81, 100))),
            (Cursor::After(Seq(100)), Some((101, 100))),
            (Cursor::After(Seq(101)), None),
            (Cursor::After(Seq(i64::MAX)), None),
            (Cursor::Around(Seq(50)), Some((25, 74))),
            (Cursor::Around(Seq(1)), Some((1, 50))),
            (Cursor::Around(Seq(100)), Some((51, 100))),
            (Cursor::Around(Seq(0)), None),
        ];
        for (cursor, expected) in cases {
            assert_eq!(window(cursor, 100, 50), expected, "{cursor:?}");
        }
    }
}
