//! The group commit in SQLite: many messages and marks, one transaction, one fsync.
//!
//! Every list is one JSON parameter, so a batch of one and a batch of hundreds take the same few
//! statements. The decisions (who is a member, what is a repeat, which number) are made from what
//! is read inside the transaction; there is only one writer, so nothing can change under them.

use std::collections::HashMap;

use protocol::{Marks, Seq, Timestamp, UserId};
use sqlx::Row;
use sqlx::sqlite::{SqlitePool, SqliteTransaction};
use uuid::Uuid;

use super::{hex, json};
use crate::store::{Batch, Committed, MarkOutcome, NewMarks, NewMessage, Result, SendOutcome};

pub(super) async fn commit(pool: &SqlitePool, batch: &Batch, now: Timestamp) -> Result<Committed> {
    let mut tx = pool.begin_with("begin immediate").await?;
    let mut committed = Committed::default();
    if !batch.messages.is_empty() {
        committed.messages = store_messages(&mut tx, &batch.messages, now).await?;
    }
    if !batch.marks.is_empty() {
        committed.marks = move_marks(&mut tx, &batch.marks).await?;
    }
    touch(&mut tx, batch, now).await?;
    tx.commit().await?;
    Ok(committed)
}

/// What the store knows of a message before it is stored.
struct Known {
    peer: Option<UserId>,
    earlier: Option<SendOutcome>,
}

async fn store_messages(
    tx: &mut SqliteTransaction<'_>,
    messages: &[NewMessage],
    now: Timestamp,
) -> Result<Vec<SendOutcome>> {
    let known = look_up(tx, messages).await?;
    let fresh: Vec<(&NewMessage, UserId)> = messages
        .iter()
        .zip(&known)
        .filter(|(_, known)| known.earlier.is_none())
        .filter_map(|(message, known)| known.peer.map(|peer| (message, peer)))
        .collect();
    let mut numbers = take_numbers(tx, &fresh).await?;

    let mut rows = Vec::with_capacity(fresh.len());
    let mut outcomes = Vec::with_capacity(messages.len());
    for (message, known) in messages.iter().zip(known) {
        outcomes.push(match (known.earlier, known.peer) {
            (Some(earlier), _) => earlier,
            (None, None) => SendOutcome::NotFound,
            (None, Some(peer)) => {
                let next = numbers.entry(message.conversation.0).or_default();
                let seq = *next;
                *next = seq.next();
                rows.push((
                    hex(message.conversation.0),
                    seq,
                    hex(message.sender.0),
                    hex(message.client_id.0),
                    &message.body,
                ));
                SendOutcome::Stored { seq, sent_at: now, peer }
            }
        });
    }
    if !rows.is_empty() {
        insert(tx, &json(&rows)?, now).await?;
    }
    Ok(outcomes)
}

async fn look_up(tx: &mut SqliteTransaction<'_>, messages: &[NewMessage]) -> Result<Vec<Known>> {
    let keys: Vec<_> = messages
        .iter()
        .map(|m| (hex(m.sender.0), hex(m.conversation.0), hex(m.client_id.0)))
        .collect();
    let rows = sqlx::query(
        "select me.peer_id, old.conversation_id, old.seq, old.sent_at, old.body \
         from json_each($1) j \
         left join members me on me.conversation_id = unhex(j.value ->> 1) \
                             and me.user_id = unhex(j.value ->> 0) \
         left join messages old on old.sender_id = unhex(j.value ->> 0) \
                               and old.client_id = unhex(j.value ->> 2) \
         order by j.key",
    )
    .bind(json(&keys)?)
    .fetch_all(&mut **tx)
    .await?;
    let mut known = Vec::with_capacity(rows.len());
    for (row, message) in rows.iter().zip(messages) {
        let peer: Option<Uuid> = row.try_get("peer_id")?;
        let conversation: Option<Uuid> = row.try_get("conversation_id")?;
        let earlier = match conversation {
            None => None,
            Some(conversation) => {
                let body: &str = row.try_get("body")?;
                Some(if conversation == message.conversation.0 && body == message.body {
                    SendOutcome::Repeated {
                        seq: Seq(row.try_get("seq")?),
                        sent_at: Timestamp(row.try_get("sent_at")?),
                    }
                } else {
                    SendOutcome::Reused
                })
            }
        };
        known.push(Known { peer: peer.map(UserId), earlier });
    }
    Ok(known)
}

/// Moves each conversation's counter by the number of its new messages and returns the first
/// number of each.
async fn take_numbers(
    tx: &mut SqliteTransaction<'_>,
    fresh: &[(&NewMessage, UserId)],
) -> Result<HashMap<Uuid, Seq>> {
    let mut counts: HashMap<Uuid, i64> = HashMap::new();
    for (message, _) in fresh {
        *counts.entry(message.conversation.0).or_default() += 1;
    }
    if counts.is_empty() {
        return Ok(HashMap::new());
    }
    let parameter: Vec<_> = counts.iter().map(|(id, count)| (hex(*id), count)).collect();
    let rows = sqlx::query(
        "update conversations set last_seq = last_seq + j.count \
         from (select unhex(value ->> 0) as id, value ->> 1 as count from json_each($1)) j \
         where conversations.id = j.id returning conversations.id, last_seq",
    )
    .bind(json(&parameter)?)
    .fetch_all(&mut **tx)
    .await?;
    let mut first = HashMap::with_capacity(rows.len());
    for row in rows {
        let id: Uuid = row.try_get("id")?;
        let last: i64 = row.try_get("last_seq")?;
        first.insert(id, Seq(last - counts.get(&id).copied().unwrap_or_default() + 1));
    }
    Ok(first)
}

async fn insert(tx: &mut SqliteTransaction<'_>, rows: &str, now: Timestamp) -> Result<()> {
    sqlx::query(
        "insert into messages (conversation_id, seq, sender_id, client_id, body, sent_at) \
         select unhex(value ->> 0), value ->> 1, unhex(value ->> 2), unhex(value ->> 3), \
                value ->> 4, $2 \
         from json_each($1)",
    )
    .bind(rows)
    .bind(now.0)
    .execute(&mut **tx)
    .await?;
    // The list of both people is ordered by this.
    sqlx::query(
        "update members set active_at = $2 \
         where conversation_id in (select unhex(value ->> 0) from json_each($1))",
    )
    .bind(rows)
    .bind(now.0)
    .execute(&mut **tx)
    .await?;
    Ok(())
}

async fn move_marks(
    tx: &mut SqliteTransaction<'_>,
    marks: &[NewMarks],
) -> Result<Vec<MarkOutcome>> {
    let keys: Vec<_> = marks.iter().map(|m| (hex(m.user.0), hex(m.conversation.0))).collect();
    let rows = sqlx::query(
        "select me.peer_id, me.delivered_seq, me.read_seq, c.last_seq \
         from json_each($1) j \
         left join members me on me.conversation_id = unhex(j.value ->> 1) \
                             and me.user_id = unhex(j.value ->> 0) \
         left join conversations c on c.id = me.conversation_id \
         order by j.key",
    )
    .bind(json(&keys)?)
    .fetch_all(&mut **tx)
    .await?;
    // Two marks of one person in one batch see each other through this.
    let mut present: HashMap<(UserId, Uuid), Marks> = HashMap::new();
    let mut outcomes = Vec::with_capacity(marks.len());
    for (row, new) in rows.iter().zip(marks) {
        let peer: Option<Uuid> = row.try_get("peer_id")?;
        let Some(peer) = peer.map(UserId) else {
            outcomes.push(MarkOutcome::NotFound);
            continue;
        };
        let now = match present.get(&(new.user, new.conversation.0)) {
            Some(marks) => *marks,
            None => Marks {
                delivered: Seq(row.try_get("delivered_seq")?),
                read: Seq(row.try_get("read_seq")?),
            },
        };
        let outcome = forward(now, new.marks, Seq(row.try_get("last_seq")?), peer);
        if let MarkOutcome::Moved { marks, .. } = outcome {
            present.insert((new.user, new.conversation.0), marks);
        }
        outcomes.push(outcome);
    }
    if !present.is_empty() {
        update_marks(tx, &present).await?;
    }
    Ok(outcomes)
}

/// Marks only move forward, read implies delivered, and neither goes beyond what was said.
fn forward(now: Marks, new: Marks, last: Seq, peer: UserId) -> MarkOutcome {
    let possible = Seq::ZERO..=last;
    if !possible.contains(&new.delivered) || !possible.contains(&new.read) {
        return MarkOutcome::OutOfRange;
    }
    let read = now.read.max(new.read);
    let delivered = now.delivered.max(new.delivered).max(read);
    let marks = Marks { delivered, read };
    if marks == now { MarkOutcome::Unchanged } else { MarkOutcome::Moved { marks, peer } }
}

async fn update_marks(
    tx: &mut SqliteTransaction<'_>,
    moved: &HashMap<(UserId, Uuid), Marks>,
) -> Result<()> {
    let rows: Vec<_> = moved
        .iter()
        .map(|((user, conversation), marks)| {
            (hex(*conversation), hex(user.0), marks.delivered, marks.read)
        })
        .collect();
    sqlx::query(
        "update members set delivered_seq = j.delivered, read_seq = j.read \
         from (select unhex(value ->> 0) as conversation_id, unhex(value ->> 1) as user_id, \
                      value ->> 2 as delivered, value ->> 3 as read from json_each($1)) j \
         where members.conversation_id = j.conversation_id and members.user_id = j.user_id",
    )
    .bind(json(&rows)?)
    .execute(&mut **tx)
    .await?;
    Ok(())
}

async fn touch(tx: &mut SqliteTransaction<'_>, batch: &Batch, now: Timestamp) -> Result<()> {
    if !batch.seen_users.is_empty() {
        let ids: Vec<_> = batch.seen_users.iter().map(|id| hex(id.0)).collect();
        sqlx::query(
            "update users set last_seen_at = $2 \
             where id in (select unhex(value) from json_each($1))",
        )
        .bind(json(&ids)?)
        .bind(now.0)
        .execute(&mut **tx)
        .await?;
    }
    if !batch.seen_sessions.is_empty() {
        let ids: Vec<_> = batch.seen_sessions.iter().map(|id| hex(id.0)).collect();
        sqlx::query(
            "update sessions set seen_at = $2 \
             where id in (select unhex(value) from json_each($1))",
        )
        .bind(json(&ids)?)
        .bind(now.0)
        .execute(&mut **tx)
        .await?;
    }
    Ok(())
}
