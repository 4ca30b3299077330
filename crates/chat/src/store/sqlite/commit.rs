//! The group commit in SQLite: many messages and marks in one transaction with one fsync.
//!
//! Every decision (membership, repeats, `seq`) is made from rows read inside the transaction. There
//! is only one writer, so these rows cannot change before the commit. A batch reads and writes each
//! conversation once, however many of its messages and marks belong to it. Called by
//! [`super::commit_thread`].

use std::collections::HashMap;

use protocol::{ConversationId, Marks, Seq, Timestamp, UserId};
use rusqlite::{Connection, OptionalExtension, Result, Transaction, TransactionBehavior};
use uuid::Uuid;

use crate::store::marks::{MemberMarks, forward};
use crate::store::{Batch, Committed, MarkOutcome, NewMarks, NewMessage, SendOutcome};

/// Stores all of a batch or nothing. Returns when the transaction is on disk.
pub(super) fn commit(
    database: &mut Connection,
    batch: &Batch,
    now: Timestamp,
) -> Result<Committed> {
    let tx = database.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let mut work = Work { tx: &tx, now, conversations: HashMap::new(), marks: HashMap::new() };
    let messages = batch.messages.iter().enumerate();
    let messages =
        messages.map(|(index, message)| work.store(index, message)).collect::<Result<_>>()?;
    let marks = batch.marks.iter().map(|new| work.mark(new)).collect::<Result<_>>()?;
    work.write_conversations()?;
    work.write_marks()?;
    touch(&tx, batch, now)?;
    tx.commit()?;
    Ok(Committed { messages, marks })
}

/// A conversation of the batch.
struct BatchConversation {
    low: UserId,
    high: UserId,
    last: Seq,
    /// The index in the batch of the conversation's last new message.
    grew: Option<usize>,
    /// Whether the account of a member is deleted.
    closed: bool,
}

impl BatchConversation {
    /// The other member; `None` if the user is not a member.
    fn peer_of(&self, user: UserId) -> Option<UserId> {
        if user == self.low { Some(self.high) } else { (user == self.high).then_some(self.low) }
    }
}

/// An open transaction and the rows read so far.
struct Work<'tx> {
    tx: &'tx Transaction<'tx>,
    now: Timestamp,
    /// `None` for an id without a conversation.
    conversations: HashMap<ConversationId, Option<BatchConversation>>,
    /// The marks moved so far. A second mark of the same user in the batch starts from these.
    marks: HashMap<(ConversationId, UserId), MemberMarks>,
}

impl Work<'_> {
    fn conversation(&mut self, id: ConversationId) -> Result<Option<&mut BatchConversation>> {
        if !self.conversations.contains_key(&id) {
            let conversation = self
                .tx
                .prepare_cached(
                    "select low_id, high_id, last_seq, closed_at is not null \
                     from conversations where id = ?1",
                )?
                .query_row((id.0.as_bytes(),), |row| {
                    Ok(BatchConversation {
                        low: user(row.get(0)?),
                        high: user(row.get(1)?),
                        last: Seq(row.get(2)?),
                        grew: None,
                        closed: row.get(3)?,
                    })
                })
                .optional()?;
            self.conversations.insert(id, conversation);
        }
        Ok(self.conversations.get_mut(&id).and_then(Option::as_mut))
    }

    fn store(&mut self, index: usize, message: &NewMessage) -> Result<SendOutcome> {
        let (tx, now) = (self.tx, self.now);
        let conversation = self.conversation(message.conversation)?;
        let Some((conversation, peer)) = conversation.and_then(|conversation| {
            let peer = conversation.peer_of(message.sender)?;
            Some((conversation, peer))
        }) else {
            return Ok(SendOutcome::NotFound);
        };
        if conversation.closed {
            let before = earlier(tx, message, peer).optional()?;
            return Ok(before.unwrap_or(SendOutcome::PeerDeleted));
        }
        let seq = conversation.last.next();
        // Repeats are rare, so the earlier message is read only after a conflict of ids.
        let inserted = tx
            .prepare_cached(
                "insert into messages \
                 (conversation_id, seq, sender_id, client_id, body, sent_at) \
                 values (?1, ?2, ?3, ?4, ?5, ?6) on conflict (client_id, sender_id) do nothing",
            )?
            .execute((
                message.conversation.0.as_bytes(),
                seq.0,
                message.sender.0.as_bytes(),
                message.client_id.0.as_bytes(),
                &message.body,
                now.0,
            ))?;
        if inserted == 0 {
            return earlier(tx, message, peer);
        }
        conversation.last = seq;
        conversation.grew = Some(index);
        Ok(SendOutcome::Stored { seq, sent_at: now, peer })
    }

    fn mark(&mut self, new: &NewMarks) -> Result<MarkOutcome> {
        let Some(conversation) = self.conversation(new.conversation)? else {
            return Ok(MarkOutcome::NotFound);
        };
        let (last, Some(peer)) = (conversation.last, conversation.peer_of(new.user)) else {
            return Ok(MarkOutcome::NotFound);
        };
        let key = (new.conversation, new.user);
        let current = match self.marks.get(&key) {
            Some(marks) => *marks,
            None => self.read_marks(new)?,
        };
        let outcome = forward(current, new.marks, last, peer);
        if let MarkOutcome::Moved { marks, .. } = outcome {
            self.marks.insert(key, MemberMarks { marks, ..current });
        }
        Ok(outcome)
    }

    fn read_marks(&self, new: &NewMarks) -> Result<MemberMarks> {
        self.tx
            .prepare_cached(
                "select m.delivered_seq, m.read_seq, one.show_receipts and two.show_receipts \
                 from members m \
                 join users one on one.id = m.user_id join users two on two.id = m.peer_id \
                 where m.conversation_id = ?1 and m.user_id = ?2",
            )?
            .query_row((new.conversation.0.as_bytes(), new.user.0.as_bytes()), |row| {
                let marks = Marks { delivered: Seq(row.get(0)?), read: Seq(row.get(1)?) };
                Ok(MemberMarks { marks, shows_read: row.get(2)? })
            })
    }

    /// Updates `last_seq` of the conversations with new messages, and their order in both members'
    /// lists.
    fn write_conversations(&self) -> Result<()> {
        let mut counter =
            self.tx.prepare_cached("update conversations set last_seq = ?2 where id = ?1")?;
        // Later than all other conversations of the member, even if an earlier clock was ahead of
        // this one.
        let mut list = self.tx.prepare_cached(
            "update members set active_at = max(?2, 1 + coalesce( \
                 (select max(o.active_at) from members o where o.user_id = members.user_id), 0)) \
             where conversation_id = ?1",
        )?;
        let grown = self.conversations.iter().filter_map(|(id, conversation)| {
            let conversation = conversation.as_ref()?;
            Some((conversation.grew?, id, conversation.last))
        });
        // In the order of their last messages, so that the newest is first in the list.
        let mut grown: Vec<_> = grown.collect();
        grown.sort_unstable_by_key(|(index, ..)| *index);
        for (_, id, last) in grown {
            counter.execute((id.0.as_bytes(), last.0))?;
            list.execute((id.0.as_bytes(), self.now.0))?;
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
        for ((conversation, user), MemberMarks { marks, .. }) in &self.marks {
            update.execute((
                conversation.0.as_bytes(),
                user.0.as_bytes(),
                marks.delivered.0,
                marks.read.0,
                self.now.0,
            ))?;
        }
        Ok(())
    }
}

/// The result for a message whose id was used before.
fn earlier(tx: &Transaction<'_>, message: &NewMessage, peer: UserId) -> Result<SendOutcome> {
    tx.prepare_cached(
        "select conversation_id, seq, sent_at, body from messages \
         where client_id = ?1 and sender_id = ?2",
    )?
    .query_row((message.client_id.0.as_bytes(), message.sender.0.as_bytes()), |row| {
        let same = row.get::<_, [u8; 16]>(0)? == *message.conversation.0.as_bytes()
            && row.get_ref(3)?.as_str()? == message.body;
        if same {
            let (seq, sent_at) = (Seq(row.get(1)?), Timestamp(row.get(2)?));
            Ok(SendOutcome::Repeated { seq, sent_at, peer })
        } else {
            Ok(SendOutcome::Reused)
        }
    })
}

/// Stores the last-seen times of users and the last uses of sessions.
fn touch(tx: &Transaction<'_>, batch: &Batch, now: Timestamp) -> Result<()> {
    for user in &batch.seen_users {
        tx.prepare_cached(
            "update users set last_seen_at = ?2 where id = ?1 and deleted_at is null",
        )?
        .execute((user.0.as_bytes(), now.0))?;
    }
    for session in &batch.seen_sessions {
        tx.prepare_cached("update sessions set seen_at = ?2 where id = ?1")?
            .execute((session.0.as_bytes(), now.0))?;
    }
    Ok(())
}

fn user(id: [u8; 16]) -> UserId {
    UserId(Uuid::from_bytes(id))
}
