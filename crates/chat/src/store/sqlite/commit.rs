//! The group commit in SQLite: many messages and marks in one transaction with one fsync.
//!
//! Every decision (session, membership, repeats, `seq`) is made from rows that cannot change before the
//! commit: this transaction has read them, or [`RowCache`] has kept them since an earlier batch. A
//! batch writes each conversation once, however many of its messages and marks belong to it. Called
//! by [`super::commit_thread`].

use std::collections::{HashMap, HashSet};

use protocol::{ConversationId, Marks, Seq, SessionId, Timestamp, UserId};
use rusqlite::{
    CachedStatement, Connection, Error, OptionalExtension, Result, Transaction, TransactionBehavior,
};
use uuid::Uuid;

use super::row_cache::{CachedConversation, CachedSession, MemberStanding, RowCache, Side};
use crate::store::marks::{MemberMarks, forward};
use crate::store::{
    Batch, Committed, Deferrable, MarkOutcome, NewMarks, NewMessage, OldestSession, Reach,
    SendOutcome,
};

/// Stores all of a batch or nothing. Returns when the transaction is on disk. After an error the
/// cache is empty.
pub(super) fn commit(
    database: &mut Connection,
    cache: &mut RowCache,
    batch: &Batch,
    now: Timestamp,
) -> Result<Committed> {
    let committed = try_commit(database, cache, batch, now);
    if committed.is_err() {
        // The cache may contain rows that were rolled back.
        cache.clear();
    }
    committed
}

fn try_commit(
    database: &mut Connection,
    cache: &mut RowCache,
    batch: &Batch,
    now: Timestamp,
) -> Result<Committed> {
    let tx = database.transaction_with_behavior(TransactionBehavior::Immediate)?;
    cache.validate(&tx)?;
    let mut work = Work {
        tx: &tx,
        cache,
        now,
        oldest: batch.oldest,
        grown: HashMap::with_capacity(batch.messages.len()),
        spoke: Vec::new(),
        moved: HashSet::with_capacity(batch.marks.len()),
    };
    // Repeats are rare, so the earlier message is read only after a conflict of ids.
    let mut insert = tx.prepare_cached(
        "insert into messages (conversation_id, seq, sender_id, client_id, body, sent_at, withheld) \
         values (?1, ?2, ?3, ?4, ?5, ?6, ?7) on conflict (client_id, sender_id) do nothing",
    )?;
    let messages = batch.messages.iter().enumerate();
    let messages = messages
        .map(|(index, message)| work.store(&mut insert, index, message).map(Deferrable::Decided))
        .collect::<Result<_>>()?;
    drop(insert);
    let marks = batch.marks.iter().map(|new| work.mark(new).map(Deferrable::Decided));
    let marks = marks.collect::<Result<_>>()?;
    work.write_conversations()?;
    work.write_standings()?;
    work.write_marks()?;
    touch(&tx, work.cache, batch, now)?;
    tx.commit()?;
    Ok(Committed { messages, marks })
}

/// An open transaction and the rows that it must still write.
struct Work<'tx> {
    tx: &'tx Transaction<'tx>,
    cache: &'tx mut RowCache,
    now: Timestamp,
    oldest: OldestSession,
    /// The conversations with new messages, each with the index of its last message in the batch.
    grown: HashMap<ConversationId, usize>,
    /// The members who have written for the first time.
    spoke: Vec<(ConversationId, UserId)>,
    /// The members whose marks moved.
    moved: HashSet<(ConversationId, Side)>,
}

impl Work<'_> {
    fn conversation(&mut self, id: ConversationId) -> Result<Option<&mut CachedConversation>> {
        let tx = self.tx;
        self.cache.conversation(id, || {
            tx.prepare_cached(
                "select c.low_id, c.high_id, c.last_seq, c.closed_at is not null, \
                        low.standing = 0, low.blocked_at is not null, \
                        high.standing = 0, high.blocked_at is not null \
                 from conversations c \
                 join members low on low.conversation_id = c.id and low.user_id = c.low_id \
                 join members high on high.conversation_id = c.id and high.user_id = c.high_id \
                 where c.id = ?1",
            )?
            .query_row((id.0.as_bytes(),), |row| {
                let members = [user_id(row.get(0)?), user_id(row.get(1)?)];
                let stands = [
                    MemberStanding { spoken: row.get(4)?, blocks: row.get(5)? },
                    MemberStanding { spoken: row.get(6)?, blocks: row.get(7)? },
                ];
                Ok(CachedConversation::new(members, Seq(row.get(2)?), row.get(3)?, stands))
            })
            .optional()
        })
    }

    /// Whether this session of this user has not ended and is not too old.
    fn is_valid(&mut self, session: SessionId, user: UserId) -> Result<bool> {
        let tx = self.tx;
        let found = self.cache.session(session, || {
            tx.prepare_cached("select user_id, created_at, seen_at from sessions where id = ?1")?
                .query_row((session.0.as_bytes(),), |row| {
                    let (created, seen) = (Timestamp(row.get(1)?), Timestamp(row.get(2)?));
                    Ok(CachedSession { user: user_id(row.get(0)?), created, seen })
                })
                .optional()
        })?;
        Ok(found.is_some_and(|found| {
            found.user == user
                && found.created > self.oldest.created
                && found.seen > self.oldest.seen
        }))
    }

    fn store(
        &mut self,
        insert: &mut CachedStatement<'_>,
        index: usize,
        message: &NewMessage,
    ) -> Result<SendOutcome> {
        if !self.is_valid(message.session, message.sender)? {
            return Ok(SendOutcome::SessionEnded);
        }
        let (tx, now) = (self.tx, self.now);
        let conversation = self.conversation(message.conversation)?;
        let Some((conversation, side)) = conversation.and_then(|conversation| {
            let side = conversation.side_of(message.sender)?;
            Some((conversation, side))
        }) else {
            return Ok(SendOutcome::NotFound);
        };
        let peer = conversation.member(side.other());
        let (own, theirs) = (conversation.standing(side), conversation.standing(side.other()));
        if conversation.closed || own.blocks {
            let refused = match conversation.closed {
                true => SendOutcome::PeerDeleted,
                false => SendOutcome::PeerBlocked,
            };
            return Ok(earlier(tx, message, peer).optional()?.unwrap_or(refused));
        }
        let seq = conversation.last_seq.next();
        let inserted = insert.execute((
            message.conversation.0.as_bytes(),
            seq.0,
            message.sender.0.as_bytes(),
            message.client_id.0.as_bytes(),
            &message.body,
            now.0,
            theirs.blocks,
        ))?;
        if inserted == 0 {
            return earlier(tx, message, peer);
        }
        conversation.last_seq = seq;
        let acquaints = !own.spoken && theirs.spoken;
        if !own.spoken {
            conversation.note_spoken(side);
            self.spoke.push((message.conversation, message.sender));
        }
        self.grown.insert(message.conversation, index);
        let reach = Reach { withheld: theirs.blocks, acquaints };
        Ok(SendOutcome::Stored { seq, sent_at: now, peer, reach })
    }

    fn mark(&mut self, new: &NewMarks) -> Result<MarkOutcome> {
        if !self.is_valid(new.session, new.user)? {
            return Ok(MarkOutcome::SessionEnded);
        }
        let tx = self.tx;
        let Some(conversation) = self.conversation(new.conversation)? else {
            return Ok(MarkOutcome::NotFound);
        };
        let Some(side) = conversation.side_of(new.user) else { return Ok(MarkOutcome::NotFound) };
        let (last, peer) = (conversation.last_seq, conversation.member(side.other()));
        let (own, theirs) = (conversation.standing(side), conversation.standing(side.other()));
        let stored = conversation.marks_mut(side);
        let current = match *stored {
            Some(marks) => marks,
            None => *stored.insert(read_marks(tx, new, own, theirs)?),
        };
        let outcome = forward(current, new.marks, last, peer);
        if let MarkOutcome::Moved { marks, .. } = outcome {
            *stored = Some(MemberMarks { marks, ..current });
            self.moved.insert((new.conversation, side));
        }
        Ok(outcome)
    }

    /// Updates `last_seq` of the conversations with new messages, and their order in both members'
    /// lists.
    fn write_conversations(&mut self) -> Result<()> {
        let mut counter =
            self.tx.prepare_cached("update conversations set last_seq = ?2 where id = ?1")?;
        let mut grown: Vec<_> = self.grown.drain().collect();
        // In the order of their last messages, so that the newest is first in the list.
        grown.sort_unstable_by_key(|(_, index)| *index);
        for (id, _) in grown {
            let conversation = self.cache.get(id).ok_or(Error::QueryReturnedNoRows)?;
            let (last, members) = (conversation.last_seq, conversation.members);
            counter.execute((id.0.as_bytes(), last.0))?;
            let lists = [Side::Low, Side::High].map(|side| !conversation.standing(side).blocks);
            for (member, _) in members.into_iter().zip(lists).filter(|(_, lists)| *lists) {
                list_first(self.tx, self.cache, id, member, self.now)?;
            }
        }
        Ok(())
    }

    /// Stores that members have written for the first time, which also accepts a request. The peer
    /// must not learn when marks moved before that.
    fn write_standings(&self) -> Result<()> {
        for (id, member) in &self.spoke {
            self.tx
                .prepare_cached(
                    "update members set standing = 0, \
                            delivered_at = iif(delivered_seq > 0, ?3, delivered_at), \
                            read_at = iif(read_seq > 0, ?3, read_at) \
                     where conversation_id = ?1 and user_id = ?2",
                )?
                .execute((id.0.as_bytes(), member.0.as_bytes(), self.now.0))?;
        }
        Ok(())
    }

    fn write_marks(&self) -> Result<()> {
        let mut update = self.tx.prepare_cached(
            "update members set delivered_seq = ?3, read_seq = ?4, \
                    delivered_at = iif(delivered_seq = ?3, delivered_at, ?5), \
                    read_at = iif(read_seq = ?4, read_at, ?5) \
             where conversation_id = ?1 and user_id = ?2",
        )?;
        for (id, side) in &self.moved {
            let conversation = self.cache.get(*id).ok_or(Error::QueryReturnedNoRows)?;
            let MemberMarks { marks, .. } =
                conversation.marks(*side).ok_or(Error::QueryReturnedNoRows)?;
            update.execute((
                id.0.as_bytes(),
                conversation.member(*side).0.as_bytes(),
                marks.delivered.0,
                marks.read.0,
                self.now.0,
            ))?;
        }
        Ok(())
    }
}

/// Makes a conversation the first in a member's list. Writes nothing if the conversation is first
/// already, because each of these writes changes an index.
fn list_first(
    tx: &Transaction<'_>,
    cache: &mut RowCache,
    id: ConversationId,
    member: UserId,
    now: Timestamp,
) -> Result<()> {
    let first = cache.first_listed(member, || {
        tx.prepare_cached(
            "select conversation_id from members where user_id = ?1 and active_at is not null \
             order by active_at desc, conversation_id desc limit 1",
        )?
        .query_row((member.0.as_bytes(),), |row| Ok(ConversationId(Uuid::from_bytes(row.get(0)?))))
        .optional()
    })?;
    if *first == Some(id) {
        return Ok(());
    }
    // Later than all other conversations of the member, even if the clock was ahead before.
    tx.prepare_cached(
        "update members set active_at = max(?3, 1 + coalesce( \
             (select max(o.active_at) from members o where o.user_id = ?2), 0)) \
         where conversation_id = ?1 and user_id = ?2",
    )?
    .execute((id.0.as_bytes(), member.0.as_bytes(), now.0))?;
    *first = Some(id);
    Ok(())
}

fn read_marks(
    tx: &Transaction<'_>,
    new: &NewMarks,
    own: MemberStanding,
    theirs: MemberStanding,
) -> Result<MemberMarks> {
    tx.prepare_cached(
        "select m.delivered_seq, m.read_seq, one.show_receipts and two.show_receipts \
         from members m \
         join users one on one.id = m.user_id join users two on two.id = m.peer_id \
         where m.conversation_id = ?1 and m.user_id = ?2",
    )?
    .query_row((new.conversation.0.as_bytes(), new.user.0.as_bytes()), |row| {
        let marks = Marks { delivered: Seq(row.get(0)?), read: Seq(row.get(1)?) };
        let reaches_peer = own.spoken && !theirs.blocks;
        Ok(MemberMarks { marks, shows_read: row.get(2)?, reaches_peer, blocks: own.blocks })
    })
}

/// The result for a message whose id was used before.
fn earlier(tx: &Transaction<'_>, message: &NewMessage, peer: UserId) -> Result<SendOutcome> {
    tx.prepare_cached(
        "select conversation_id, seq, sent_at, body, withheld from messages \
         where client_id = ?1 and sender_id = ?2",
    )?
    .query_row((message.client_id.0.as_bytes(), message.sender.0.as_bytes()), |row| {
        let same = row.get::<_, [u8; 16]>(0)? == *message.conversation.0.as_bytes()
            && row.get_ref(3)?.as_str()? == message.body;
        if same {
            let (seq, sent_at) = (Seq(row.get(1)?), Timestamp(row.get(2)?));
            let reach = Reach { withheld: row.get(4)?, acquaints: false };
            Ok(SendOutcome::Repeated { seq, sent_at, peer, reach })
        } else {
            Ok(SendOutcome::Reused)
        }
    })
}

/// Stores the last-seen times of users and the last uses of sessions.
fn touch(tx: &Transaction<'_>, cache: &mut RowCache, batch: &Batch, now: Timestamp) -> Result<()> {
    for user in &batch.seen_users {
        tx.prepare_cached(
            "update users set last_seen_at = ?2 where id = ?1 and deleted_at is null",
        )?
        .execute((user.0.as_bytes(), now.0))?;
    }
    for session in &batch.seen_sessions {
        tx.prepare_cached("update sessions set seen_at = ?2 where id = ?1")?
            .execute((session.0.as_bytes(), now.0))?;
        cache.see_session(*session, now);
    }
    Ok(())
}

fn user_id(id: [u8; 16]) -> UserId {
    UserId(Uuid::from_bytes(id))
}
