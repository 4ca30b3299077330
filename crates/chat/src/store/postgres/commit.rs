//! The group commit in Postgres: many messages and marks, one statement, one fsync.
//!
//! The statement is a transaction of its own, so a batch costs one exchange with the server. It
//! locks the conversations of the batch in the order of their ids, and only then looks at anything
//! else: whoever holds a conversation's row is alone with its counter, members and messages. What
//! it reads of other tables was true when it began; that suffices, because nothing there changes
//! without that lock, but for the ids of messages. Two nodes that store one id at once meet in its
//! unique index, and the second begins again ([`super::committer`]).
//!
//! Rows of the batch's conversations are named by `any ($9)` in each part, so that no plan has to
//! walk through more. Called by [`super::committer`] alone.

use std::collections::HashMap;

use protocol::{ConversationId, Marks, Seq, Timestamp, UserId};
use sqlx::postgres::{PgConnection, PgRow};
use sqlx::{Connection, Row};
use uuid::Uuid;

use crate::store::marks::{Place, forward};
use crate::store::{Batch, Committed, MarkOutcome, Result, SendOutcome};

/// Messages are `$1` to `$4`, marks `$5` to `$8`, the conversations of both `$9`, those of the
/// marks `$11`; `$10` is now. Answers a row for each message and mark of a conversation of its
/// person's.
macro_rules! commit {
    ($lock:literal, $left_out:literal) => {
        concat!(
            "\
with sent as ( \
    select * from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::text[]) \
        with ordinality as sent (conversation_id, sender_id, client_id, body, place) \
), marked as ( \
    select * from unnest($5::uuid[], $6::uuid[], $7::bigint[], $8::bigint[]) \
        with ordinality as marked (conversation_id, user_id, delivered, read, place) \
), talks as materialized ( \
    select id, low_id, high_id, last_seq, closed_at is not null as closed \
    from conversations where id = any ($9) order by id for no key update",
            $lock,
            " \
), places as materialized ( \
    select conversation_id, user_id, delivered_seq, read_seq from members \
    where conversation_id = any (array(select id from talks where id = any ($11))) \
    order by conversation_id, user_id for no key update \
), judged as materialized ( \
    select s.*, t.last_seq, t.closed, \
           case s.sender_id when t.low_id then t.high_id else t.low_id end as peer_id, \
           u.conversation_id as used_in, u.seq as used_for \
    from sent s join talks t on t.id = s.conversation_id and s.sender_id in (t.low_id, t.high_id) \
    left join lateral ( \
        select conversation_id, seq from client_ids \
        where client_id = s.client_id and sender_id = s.sender_id limit 1) u on true \
), fresh as materialized ( \
    select *, last_seq + row_number() over (partition by conversation_id order by place) as seq \
    from judged where used_in is null and not closed \
), ids as ( \
    insert into client_ids (client_id, sender_id, conversation_id, seq) \
    select client_id, sender_id, conversation_id, seq from fresh order by client_id, sender_id \
), stored as ( \
    insert into messages (conversation_id, seq, sender_id, client_id, body, sent_at) \
    select conversation_id, seq, sender_id, client_id, body, $10 from fresh \
    order by conversation_id, seq \
), grown as materialized ( \
    select t.id, t.low_id, t.high_id, coalesce(g.last_seq, t.last_seq) as last_seq, \
           g.last_seq is not null as grew \
    from talks t left join ( \
        select conversation_id, max(seq) as last_seq from fresh group by conversation_id) g \
        on g.conversation_id = t.id \
), counted as ( \
    update conversations c set last_seq = g.last_seq from grown g \
    where c.id = g.id and g.grew and c.id = any ($9) \
), reached as materialized ( \
    select m.*, g.last_seq, \
           case m.user_id when g.low_id then g.high_id else g.low_id end as peer_id \
    from marked m join grown g on g.id = m.conversation_id and m.user_id in (g.low_id, g.high_id) \
), moves as ( \
    select conversation_id, user_id, max(greatest(delivered, read)) as delivered, \
           max(read) as read \
    from reached where delivered between 0 and last_seq and read between 0 and last_seq \
    group by conversation_id, user_id \
), touched as materialized ( \
    select g.id as conversation_id, p.user_id, g.grew, \
           coalesce(v.delivered, 0) as delivered, coalesce(v.read, 0) as read \
    from grown g cross join lateral (values (g.low_id), (g.high_id)) as p (user_id) \
    left join moves v on v.conversation_id = g.id and v.user_id = p.user_id \
    where g.grew or v.user_id is not null \
), written as ( \
    update members m set \
        active_at = case when w.grew then $10 else m.active_at end, \
        delivered_at = case when w.delivered > m.delivered_seq then $10 else m.delivered_at end, \
        read_at = case when w.read > m.read_seq then $10 else m.read_at end, \
        delivered_seq = greatest(m.delivered_seq, w.delivered), \
        read_seq = greatest(m.read_seq, w.read) \
    from touched w \
    where m.conversation_id = w.conversation_id and m.user_id = w.user_id \
        and m.conversation_id = any ($9) \
        and (w.grew or w.delivered > m.delivered_seq or w.read > m.read_seq) \
) \
select true as of_message, false as left_out, j.place, j.peer_id, f.seq, j.used_in, j.used_for, \
       null::bigint as delivered, null::bigint as read, null::boolean as shows_read \
from judged j left join fresh f on f.place = j.place \
union all \
select false, false, r.place, r.peer_id, r.last_seq, null, null, p.delivered_seq, p.read_seq, \
       (select show_receipts from users where id = r.user_id) \
           and (select show_receipts from users where id = r.peer_id) \
from reached r \
join places p on p.conversation_id = r.conversation_id and p.user_id = r.user_id",
            $left_out
        )
    };
}

/// Waits for conversations that another node is writing.
const COMMIT: &str = commit!("", "");
/// Leaves them out, and says what it left out: all else that it does not answer is not there.
const COMMIT_YIELDING: &str = commit!(
    " skip locked",
    " \
union all \
select l.of_message, true, l.place, null, null, null, null, null, null, null \
from conversations c join ( \
    select true as of_message, place, conversation_id, sender_id as user_id from sent \
    union all \
    select false, place, conversation_id, user_id from marked) l \
    on l.conversation_id = c.id and l.user_id in (c.low_id, c.high_id) \
where c.id = any ($9) and c.id <> all (array(select id from talks))"
);

/// What a message is that is found to be stored already.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Earlier {
    /// A repeat.
    IsRepeated,
    /// Perhaps stored by the attempt before this one, of which nobody was told.
    IsStored,
}

/// Stores all of a batch or nothing; returns when it is on disk.
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

/// Writes and commits something of no meaning.
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
        messages: vec![SendOutcome::NotFound; batch.messages.len()],
        marks: vec![MarkOutcome::NotFound; batch.marks.len()],
    };
    if batch.messages.is_empty() && batch.marks.is_empty() {
        return Ok(committed);
    }
    let rows = execute(connection, batch, now).await?;
    let mut used = Vec::new();
    let mut marks = Vec::new();
    for row in rows {
        let of_message: bool = row.try_get("of_message")?;
        if row.try_get("left_out")? {
            let at = at(&row)?;
            match of_message {
                true => set(&mut committed.messages, at, SendOutcome::LeftOut),
                false => set(&mut committed.marks, at, MarkOutcome::LeftOut),
            }
            continue;
        }
        let answer = Answer::read(&row)?;
        if !of_message {
            marks.push((answer.place, answer, place(&row)?));
        } else if let Some(outcome) = answer.outcome(now) {
            set(&mut committed.messages, answer.place, outcome);
        } else {
            used.push(answer);
        }
    }
    marks.sort_unstable_by_key(|(place, ..)| *place);
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
    let of_marks = distinct(marks.iter().map(|new| new.conversation));
    let all = distinct(
        messages.iter().map(|m| m.conversation).chain(marks.iter().map(|new| new.conversation)),
    );
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
        .bind(of_marks)
        .fetch_all(connection)
        .await?;
    Ok(rows)
}

fn distinct(ids: impl Iterator<Item = ConversationId>) -> Vec<Uuid> {
    let mut ids: Vec<Uuid> = ids.map(|id| id.0).collect();
    ids.sort_unstable();
    ids.dedup();
    ids
}

/// A row of [`COMMIT`].
struct Answer {
    /// In the batch, from zero.
    place: usize,
    peer: UserId,
    /// Of a message: where it was stored, if it was. Of marks: the last place there is.
    seq: Option<Seq>,
    /// Of a message whose id was used before: where.
    used: Option<(Uuid, i64)>,
}

impl Answer {
    fn read(row: &PgRow) -> std::result::Result<Self, sqlx::Error> {
        let seq: Option<i64> = row.try_get("seq")?;
        let used_in: Option<Uuid> = row.try_get("used_in")?;
        let used_for: Option<i64> = row.try_get("used_for")?;
        Ok(Self {
            place: at(row)?,
            peer: UserId(row.try_get("peer_id")?),
            seq: seq.map(Seq),
            used: used_in.zip(used_for),
        })
    }

    /// What became of a message, unless its id was used before.
    fn outcome(&self, now: Timestamp) -> Option<SendOutcome> {
        match (self.seq, self.used) {
            (Some(seq), _) => Some(SendOutcome::Stored { seq, sent_at: now, peer: self.peer }),
            (None, None) => Some(SendOutcome::PeerDeleted),
            (None, Some(_)) => None,
        }
    }
}

/// In the batch, from zero: what a row is about.
fn at(row: &PgRow) -> std::result::Result<usize, sqlx::Error> {
    let place: i64 = row.try_get("place")?;
    Ok(usize::try_from(place - 1).unwrap_or(usize::MAX))
}

fn place(row: &PgRow) -> std::result::Result<Place, sqlx::Error> {
    let marks =
        Marks { delivered: Seq(row.try_get("delivered")?), read: Seq(row.try_get("read")?) };
    Ok(Place { marks, shows_read: row.try_get("shows_read")? })
}

fn set<T>(outcomes: &mut [T], place: usize, outcome: T) {
    if let Some(slot) = outcomes.get_mut(place) {
        *slot = outcome;
    }
}

/// Says of each of the marks, in their order, what it moved. The statement has moved them already,
/// by the same rule, to where the last of them ends.
fn judge_marks(batch: &Batch, answers: Vec<(usize, Answer, Place)>, outcomes: &mut [MarkOutcome]) {
    // Two marks of one person see each other through this.
    let mut moved: HashMap<(ConversationId, UserId), Marks> = HashMap::new();
    for (at, answer, mut place) in answers {
        let Some(new) = batch.marks.get(at) else { continue };
        let key = (new.conversation, new.user);
        if let Some(marks) = moved.get(&key) {
            place.marks = *marks;
        }
        let outcome = forward(place, new.marks, answer.seq.unwrap_or_default(), answer.peer);
        if let MarkOutcome::Moved { marks, .. } = outcome {
            moved.insert(key, marks);
        }
        set(outcomes, at, outcome);
    }
}

/// Compares messages whose ids were used before with what those were used for.
async fn judge_used(
    connection: &mut PgConnection,
    batch: &Batch,
    used: Vec<Answer>,
    earlier: Earlier,
    outcomes: &mut [SendOutcome],
) -> Result<()> {
    let places: Vec<(Uuid, i64)> = used.iter().filter_map(|answer| answer.used).collect();
    let rows = sqlx::query(
        "select m.conversation_id, m.seq, m.sent_at, m.body \
         from unnest($1::uuid[], $2::bigint[]) as used (conversation_id, seq) \
         join messages m on m.conversation_id = used.conversation_id and m.seq = used.seq \
         where m.conversation_id = any ($1)",
    )
    .bind(places.iter().map(|(id, _)| *id).collect::<Vec<_>>())
    .bind(places.iter().map(|(_, seq)| *seq).collect::<Vec<_>>())
    .fetch_all(connection)
    .await?;
    let mut stored: HashMap<(Uuid, i64), (Timestamp, String)> = HashMap::new();
    for row in rows {
        let at = (row.try_get("conversation_id")?, row.try_get("seq")?);
        stored.insert(at, (Timestamp(row.try_get("sent_at")?), row.try_get("body")?));
    }
    for answer in used {
        let Some((at, new)) = answer.used.zip(batch.messages.get(answer.place)) else { continue };
        let outcome = match stored.get(&at) {
            Some((sent_at, body)) if at.0 == new.conversation.0 && *body == new.body => {
                same(&answer, Seq(at.1), *sent_at, earlier)
            }
            _ => SendOutcome::Reused,
        };
        set(outcomes, answer.place, outcome);
    }
    Ok(())
}

fn same(answer: &Answer, seq: Seq, sent_at: Timestamp, earlier: Earlier) -> SendOutcome {
    match earlier {
        Earlier::IsRepeated => SendOutcome::Repeated { seq, sent_at, peer: answer.peer },
        Earlier::IsStored => SendOutcome::Stored { seq, sent_at, peer: answer.peer },
    }
}

/// Notes who was there, and which sessions were used. People and sessions are locked before
/// conversations, as everybody does it, and in the order of their ids.
///
/// People are locked by one statement and changed by the next, which sees what was locked. One that
/// did both could find an older version of a row than the one it has locked, and would queue for it
/// behind somebody who waits for that lock: Postgres locks each version that has other readers' locks
/// on it, and foreign keys put such locks on people.
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
