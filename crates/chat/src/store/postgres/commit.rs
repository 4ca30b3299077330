//! The group commit in Postgres: many messages and marks in one statement with one fsync.
//!
//! The statement is a transaction of its own, so a batch usually costs one round trip. Only repeats
//! and updates of users and sessions need further statements. The statement locks the batch's
//! conversations in the order of their ids before it reads anything else. The lock on a
//! conversation's row also protects its `last_seq`, members and messages. The statement reads other
//! tables as they were when it began. That is safe, because nothing in them changes without this
//! lock, except message ids. If two nodes store the same id at once, the unique index stops the
//! second, which retries ([`super::committer`]).
//!
//! The statement also looks whether the session of each write has ended or is too old. No lock holds the sessions,
//! because a lock would write each session's row in every batch: a session that ends while the
//! statement runs counts as ended after it. A retry is another statement and looks again.
//!
//! A conversation with a new message moves to the top of both members' lists, whatever the clocks
//! of other nodes. The statement may miss a conversation that moves at the same time; in that case
//! only the order of these two is arbitrary.
//!
//! Each part of the statement selects the batch's conversations by `any ($9)`, so that no plan
//! reads more rows. Called by [`super::committer`] alone.

mod statement;

use std::collections::{HashMap, HashSet};

use protocol::{ConversationId, Marks, Seq, Timestamp, UserId};
use sqlx::postgres::{PgConnection, PgRow};
use sqlx::{Connection, Row};
use uuid::Uuid;

use statement::{COMMIT, COMMIT_YIELDING};

use crate::store::marks::{MemberMarks, forward};
use crate::store::{
    Batch, Committed, Deferrable, MarkOutcome, Reach, Result, SendOutcome, StoreError,
};

/// How to report a message that is already stored.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Earlier {
    /// As a repeat.
    IsRepeated,
    /// As stored now: the previous attempt may have stored the message and lost its connection
    /// before the recipient was notified.
    IsStored,
}

/// Stores all of a batch or nothing. Returns when the transaction is on disk.
pub(super) async fn commit(
    connection: &mut PgConnection,
    batch: &Batch,
    now: Timestamp,
    earlier: Earlier,
) -> Result<Committed> {
    let touches = !batch.seen_users.is_empty() || !batch.seen_sessions.is_empty();
    if !touches {
        return store(connection, batch, now, earlier).await;
    }
    let mut tx = connection.begin().await?;
    touch(&mut tx, batch, now).await?;
    let committed = store(&mut tx, batch, now, earlier).await?;
    tx.commit().await?;
    Ok(committed)
}

/// Writes and commits a dummy value.
pub(super) async fn check_writable(connection: &mut PgConnection) -> Result<()> {
    sqlx::query(
        "insert into meta (key, value) values ('checked', '1') \
         on conflict (key) do update set value = (meta.value::bigint + 1)::text",
    )
    .execute(connection)
    .await?;
    Ok(())
}

async fn store(
    connection: &mut PgConnection,
    batch: &Batch,
    now: Timestamp,
    earlier: Earlier,
) -> Result<Committed> {
    let mut committed = Committed {
        messages: vec![Deferrable::Decided(SendOutcome::NotFound); batch.messages.len()],
        marks: vec![Deferrable::Decided(MarkOutcome::NotFound); batch.marks.len()],
    };
    if batch.messages.is_empty() && batch.marks.is_empty() {
        return Ok(committed);
    }
    let rows = execute(connection, batch, now).await?;
    if batch.asked_by.is_some() && is_elsewhere(&rows)? {
        return Err(StoreError::Elsewhere);
    }
    let mut used = Vec::new();
    let mut sent = Vec::new();
    let mut marks = Vec::new();
    for row in rows {
        let of_message: bool = row.try_get("of_message")?;
        if row.try_get("deferred")? {
            let at = at(&row)?;
            match of_message {
                true => set(&mut committed.messages, at, Deferrable::Deferred),
                false => set(&mut committed.marks, at, Deferrable::Deferred),
            }
            continue;
        }
        if row.try_get("ended")? {
            let at = at(&row)?;
            match of_message {
                true => decide(&mut committed.messages, at, SendOutcome::SessionEnded),
                false => decide(&mut committed.marks, at, MarkOutcome::SessionEnded),
            }
            continue;
        }
        let write = WriteRow::read(&row)?;
        if !of_message {
            marks.push((write.index, write, member_marks(&row)?));
        } else if write.used.is_some() && write.seq.is_none() {
            used.push(write);
        } else {
            sent.push((write.index, write, MessageRow::read(&row)?));
        }
    }
    sent.sort_unstable_by_key(|(index, ..)| *index);
    judge_messages(batch, sent, now, &mut committed.messages);
    marks.sort_unstable_by_key(|(index, ..)| *index);
    judge_marks(batch, marks, &mut committed.marks);
    if !used.is_empty() {
        judge_used(&mut *connection, batch, used, earlier, &mut committed.messages).await?;
    }
    Ok(committed)
}

async fn execute(
    connection: &mut PgConnection,
    batch: &Batch,
    now: Timestamp,
) -> Result<Vec<PgRow>> {
    let (messages, marks) = (&batch.messages, &batch.marks);
    let of_messages = messages.iter().map(|m| m.conversation.0);
    let all = distinct(of_messages.chain(marks.iter().map(|new| new.conversation.0)));
    let (nodes, instance) = match &batch.asked_by {
        Some(asked) => (distinct(asked.nodes.iter().map(|node| node.0)), Some(&*asked.instance.0)),
        None => (Vec::new(), None),
    };
    let rows = sqlx::query(if batch.yields { COMMIT_YIELDING } else { COMMIT })
        .bind(messages.iter().map(|m| m.conversation.0).collect::<Vec<_>>())
        .bind(messages.iter().map(|m| m.sender.0).collect::<Vec<_>>())
        .bind(messages.iter().map(|m| m.client_id.0).collect::<Vec<_>>())
        .bind(messages.iter().map(|m| m.body.as_str()).collect::<Vec<_>>())
        .bind(marks.iter().map(|new| new.conversation.0).collect::<Vec<_>>())
        .bind(marks.iter().map(|new| new.user.0).collect::<Vec<_>>())
        .bind(marks.iter().map(|new| new.marks.delivered.0).collect::<Vec<_>>())
        .bind(marks.iter().map(|new| new.marks.read.0).collect::<Vec<_>>())
        .bind(all)
        .bind(now.0)
        .bind(nodes)
        .bind(instance)
        .bind(messages.iter().map(|m| m.session.0).collect::<Vec<_>>())
        .bind(marks.iter().map(|new| new.session.0).collect::<Vec<_>>())
        .bind(batch.oldest.created.0)
        .bind(batch.oldest.seen.0)
        .fetch_all(connection)
        .await?;
    Ok(rows)
}

/// Whether the rows report that a node in [`Batch::asked_by`] has no lease in this database.
fn is_elsewhere(rows: &[PgRow]) -> Result<bool> {
    for row in rows {
        if row.try_get::<Option<bool>, _>("of_message")?.is_none() {
            return Ok(true);
        }
    }
    Ok(false)
}

fn distinct(ids: impl Iterator<Item = Uuid>) -> Vec<Uuid> {
    let mut ids: Vec<Uuid> = ids.collect();
    ids.sort_unstable();
    ids.dedup();
    ids
}

/// A row of [`COMMIT`].
struct WriteRow {
    /// The index in the batch.
    index: usize,
    peer: UserId,
    /// For a message, its `seq` if it was stored. For marks, the conversation's last `seq`.
    seq: Option<Seq>,
    /// For a message whose id was used before: the conversation and `seq` of that use.
    used: Option<(Uuid, i64)>,
}

impl WriteRow {
    fn read(row: &PgRow) -> Result<Self, sqlx::Error> {
        let seq: Option<i64> = row.try_get("seq")?;
        let used_in: Option<Uuid> = row.try_get("used_in")?;
        let used_for: Option<i64> = row.try_get("used_for")?;
        Ok(Self {
            index: at(row)?,
            peer: UserId(row.try_get("peer_id")?),
            seq: seq.map(Seq),
            used: used_in.zip(used_for),
        })
    }
}

/// The rest of a row of [`COMMIT`] for a message whose id was not used before.
struct MessageRow {
    /// Whether the sender has blocked the recipient, and no account is deleted.
    blocks: bool,
    withheld: bool,
    /// Whether the sender had spoken before this batch.
    spoken: bool,
    /// Whether the recipient had.
    peer_spoken: bool,
}

impl MessageRow {
    fn read(row: &PgRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            blocks: row.try_get("blocks")?,
            withheld: row.try_get("withheld")?,
            spoken: row.try_get("spoken")?,
            peer_spoken: row.try_get("peer_spoken")?,
        })
    }
}

/// Determines the result of each message whose id was not used before, in their order.
fn judge_messages(
    batch: &Batch,
    rows: Vec<(usize, WriteRow, MessageRow)>,
    now: Timestamp,
    results: &mut [Deferrable<SendOutcome>],
) {
    // Who has spoken for the first time in this batch.
    let mut speakers: HashSet<(ConversationId, UserId)> = HashSet::new();
    for (index, WriteRow { seq, peer, .. }, row) in rows {
        let Some(new) = batch.messages.get(index) else { continue };
        let outcome = match seq {
            Some(seq) => {
                let is_first = !row.spoken && speakers.insert((new.conversation, new.sender));
                let peer_spoken = row.peer_spoken || speakers.contains(&(new.conversation, peer));
                let reach = Reach { withheld: row.withheld, acquaints: is_first && peer_spoken };
                SendOutcome::Stored { seq, sent_at: now, peer, reach }
            }
            None if row.blocks => SendOutcome::PeerBlocked,
            None => SendOutcome::PeerDeleted,
        };
        decide(results, index, outcome);
    }
}

/// The index in the batch of the write that a row is about.
fn at(row: &PgRow) -> std::result::Result<usize, sqlx::Error> {
    let ordinal: i64 = row.try_get("ordinal")?;
    Ok(usize::try_from(ordinal - 1).unwrap_or(usize::MAX))
}

fn member_marks(row: &PgRow) -> std::result::Result<MemberMarks, sqlx::Error> {
    let marks =
        Marks { delivered: Seq(row.try_get("delivered")?), read: Seq(row.try_get("read")?) };
    Ok(MemberMarks {
        marks,
        shows_read: row.try_get("shows_read")?,
        reaches_peer: row.try_get("reaches_peer")?,
        blocks: row.try_get("blocks")?,
    })
}

fn set<T>(results: &mut [Deferrable<T>], index: usize, result: Deferrable<T>) {
    if let Some(slot) = results.get_mut(index) {
        *slot = result;
    }
}

fn decide<T>(results: &mut [Deferrable<T>], index: usize, outcome: T) {
    set(results, index, Deferrable::Decided(outcome));
}

/// Determines the result of each of the marks, in their order. The statement has already moved the
/// stored marks by the same rule.
fn judge_marks(
    batch: &Batch,
    rows: Vec<(usize, WriteRow, MemberMarks)>,
    results: &mut [Deferrable<MarkOutcome>],
) {
    // A second mark of the same user starts from these.
    let mut moved: HashMap<(ConversationId, UserId), Marks> = HashMap::new();
    for (index, row, mut current) in rows {
        let Some(new) = batch.marks.get(index) else { continue };
        let key = (new.conversation, new.user);
        if let Some(marks) = moved.get(&key) {
            current.marks = *marks;
        }
        let outcome = forward(current, new.marks, row.seq.unwrap_or_default(), row.peer);
        if let MarkOutcome::Moved { marks, .. } = outcome {
            moved.insert(key, marks);
        }
        decide(results, index, outcome);
    }
}

/// Compares messages whose ids were used before with the stored messages.
async fn judge_used(
    connection: &mut PgConnection,
    batch: &Batch,
    used: Vec<WriteRow>,
    earlier: Earlier,
    results: &mut [Deferrable<SendOutcome>],
) -> Result<()> {
    let uses: Vec<(Uuid, i64)> = used.iter().filter_map(|row| row.used).collect();
    let rows = sqlx::query(
        "select m.conversation_id, m.seq, m.sent_at, m.body, m.withheld \
         from unnest($1::uuid[], $2::bigint[]) as used (conversation_id, seq) \
         join messages m on m.conversation_id = used.conversation_id and m.seq = used.seq \
         where m.conversation_id = any ($1)",
    )
    .bind(uses.iter().map(|(id, _)| *id).collect::<Vec<_>>())
    .bind(uses.iter().map(|(_, seq)| *seq).collect::<Vec<_>>())
    .fetch_all(connection)
    .await?;
    let mut stored: HashMap<(Uuid, i64), (Timestamp, String, bool)> = HashMap::new();
    for row in rows {
        let at = (row.try_get("conversation_id")?, row.try_get("seq")?);
        let sent_at = Timestamp(row.try_get("sent_at")?);
        stored.insert(at, (sent_at, row.try_get("body")?, row.try_get("withheld")?));
    }
    for row in used {
        let Some((at, new)) = row.used.zip(batch.messages.get(row.index)) else { continue };
        let outcome = match stored.get(&at) {
            Some((sent_at, body, withheld)) if at.0 == new.conversation.0 && *body == new.body => {
                let reach = Reach { withheld: *withheld, acquaints: false };
                same(&row, Seq(at.1), *sent_at, reach, earlier)
            }
            _ => SendOutcome::Reused,
        };
        decide(results, row.index, outcome);
    }
    Ok(())
}

fn same(
    row: &WriteRow,
    seq: Seq,
    sent_at: Timestamp,
    reach: Reach,
    earlier: Earlier,
) -> SendOutcome {
    let peer = row.peer;
    match earlier {
        Earlier::IsRepeated => SendOutcome::Repeated { seq, sent_at, peer, reach },
        Earlier::IsStored => SendOutcome::Stored { seq, sent_at, peer, reach },
    }
}

/// Stores the last-seen times of users and the last uses of sessions. Users and sessions are locked
/// before conversations, each in the order of their ids, as everywhere in this store.
///
/// One statement locks the users and the next updates them, because the second sees the row
/// versions that the first locked. A single statement could see an older version than the one it
/// locked. It would then wait for the older version behind a transaction that waits for the lock:
/// Postgres locks each version of a row that other transactions hold share locks on, and foreign
/// keys take such locks on users.
async fn touch(connection: &mut PgConnection, batch: &Batch, now: Timestamp) -> Result<()> {
    if !batch.seen_users.is_empty() {
        let seen: Vec<Uuid> = batch.seen_users.iter().map(|id| id.0).collect();
        sqlx::query("select 1 from users where id = any ($1) order by id for no key update")
            .bind(&seen)
            .execute(&mut *connection)
            .await?;
        sqlx::query(
            "update users set last_seen_at = $2 where id = any ($1) and deleted_at is null",
        )
        .bind(&seen)
        .bind(now.0)
        .execute(&mut *connection)
        .await?;
    }
    if !batch.seen_sessions.is_empty() {
        sqlx::query(
            "update sessions s set seen_at = $2 from ( \
                 select id from sessions where id = any ($1) order by id for no key update) seen \
             where s.id = seen.id and s.id = any ($1)",
        )
        .bind(batch.seen_sessions.iter().map(|id| id.0).collect::<Vec<_>>())
        .bind(now.0)
        .execute(connection)
        .await?;
    }
    Ok(())
}
