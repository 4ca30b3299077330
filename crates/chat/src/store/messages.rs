//! The part of the store for messages and marks: its trait, parameters and results. Called by
//! [`crate::writer`] and, for history, by [`crate::conversations`]. Nodes send batches and results
//! to each other, so their serialised names must not change.

use std::sync::Arc;

use async_trait::async_trait;
use protocol::{
    ClientId, ConversationId, Cursor, HistoryPage, Marks, Seq, SessionId, Timestamp, UserId,
};
use serde::{Deserialize, Serialize};

use super::{AskedBy, OldestSession, Result};

/// The messages and marks.
#[async_trait]
pub trait MessageStore: Send + Sync + 'static {
    /// A page of a conversation of `me`, at most `limit` messages.
    async fn history(
        &self,
        me: UserId,
        id: ConversationId,
        cursor: Cursor,
        limit: usize,
    ) -> Result<History>;

    /// Stores a batch in one transaction and returns when the transaction is on disk.
    ///
    /// After an error the batch may or may not be stored. A retry is harmless. The engine has
    /// dropped its reference to the batch when the call returns.
    async fn commit(&self, batch: Arc<Batch>, now: Timestamp) -> Result<Committed>;
}

/// A message to store. The caller has validated the body.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct NewMessage {
    /// The user who sends the message.
    pub sender: UserId,
    /// The session that sends the message. The store refuses the message if the session has ended.
    pub session: SessionId,
    /// The conversation. The store checks that the sender is a member.
    pub conversation: ConversationId,
    /// The id that the client chose. Unique for each sender.
    pub client_id: ClientId,
    /// The text.
    pub body: String,
}

/// The result of storing a [`NewMessage`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum SendOutcome {
    /// The message is stored now.
    Stored {
        /// The message's number in the conversation.
        seq: Seq,
        /// The time at which the message was stored.
        sent_at: Timestamp,
        /// The recipient.
        peer: UserId,
        /// The rest of what others learn of the message.
        #[serde(flatten)]
        reach: Reach,
    },
    /// The same message was stored before, and the first result is returned again.
    Repeated {
        /// The message's number in the conversation.
        seq: Seq,
        /// The time at which the message was first stored.
        sent_at: Timestamp,
        /// The recipient. The event must be sent again, because the node that stored the message
        /// may have failed before sending.
        peer: UserId,
        /// Whether the message is withheld from the recipient.
        #[serde(flatten)]
        reach: Reach,
    },
    /// The sender used the id before for another message.
    Reused,
    /// The recipient's account is deleted.
    PeerDeleted,
    /// The sender has blocked the recipient.
    PeerBlocked,
    /// The sender has no such conversation.
    NotFound,
    /// The session has ended or belongs to another user. Decided before everything else; the same
    /// message may be stored already.
    SessionEnded,
}

/// Who learns of a message beside its sender.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reach {
    /// The recipient has blocked the sender and must get nothing.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub withheld: bool,
    /// Both users have spoken from this message on, so that they see each other's receipts and
    /// presence.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub acquaints: bool,
}

/// Marks that a member wants to move forward.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct NewMarks {
    /// The member whose marks move.
    pub user: UserId,
    /// The session that moves them. The store refuses the marks if the session has ended.
    pub session: SessionId,
    /// The conversation.
    pub conversation: ConversationId,
    /// The new marks. Values below the stored marks change nothing.
    pub marks: Marks,
}

/// The result of applying [`NewMarks`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum MarkOutcome {
    /// The marks moved.
    Moved {
        /// The marks after the move.
        marks: Marks,
        /// The other member.
        peer: UserId,
        /// The marks that the other member may see; `None` if only hidden marks moved.
        shown: Option<Marks>,
    },
    /// The stored marks already reach as far.
    Unchanged,
    /// A mark is below zero or beyond the last `seq`.
    OutOfRange,
    /// The user has no such conversation.
    NotFound,
    /// The session has ended or belongs to another user.
    SessionEnded,
}

/// All writes of one transaction.
#[derive(Clone, Default, Serialize, Deserialize)]
pub struct Batch {
    /// Messages in the order of arrival. No two have the same sender and client id.
    pub messages: Vec<NewMessage>,
    /// Marks in the order of arrival.
    pub marks: Vec<NewMarks>,
    /// Users whose last-seen time is set to the time of the commit.
    pub seen_users: Vec<UserId>,
    /// Sessions whose last use is set to the time of the commit.
    pub seen_sessions: Vec<SessionId>,
    /// Whether to defer writes to conversations that another node has locked, instead of waiting
    /// for the lock.
    pub yields: bool,
    /// Writes of older sessions are answered like those of ended ones. Nodes of an older version send
    /// none.
    #[serde(default)]
    pub oldest: OldestSession,
    /// The other nodes for which this node commits as leader. The transaction checks that all of
    /// them hold a lease in this database. If not, nothing is stored and the result is
    /// [`super::StoreError::Elsewhere`].
    #[serde(skip)]
    pub asked_by: Option<AskedBy>,
}

impl Batch {
    /// The number of writes.
    pub fn len(&self) -> usize {
        self.messages.len() + self.marks.len() + self.seen_users.len() + self.seen_sessions.len()
    }

    /// Whether the batch has no writes.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// The results of a [`Batch`], in the order of its lists.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Committed {
    /// One result for each message.
    pub messages: Vec<Deferrable<SendOutcome>>,
    /// One result for each of the marks.
    pub marks: Vec<Deferrable<MarkOutcome>>,
}

/// The result of a write that the store may have deferred. Between nodes, a decided result is
/// serialised as its outcome alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Deferrable<T> {
    /// The write is neither done nor refused. See [`Batch::yields`].
    // The name that nodes of other versions use.
    #[serde(rename = "LeftOut")]
    Deferred,
    /// The write is done or refused.
    #[serde(untagged)]
    Decided(T),
}

impl<T: Copy> Deferrable<T> {
    /// Returns the outcome; `None` for a deferred write.
    pub fn decided(&self) -> Option<T> {
        match self {
            Self::Deferred => None,
            Self::Decided(outcome) => Some(*outcome),
        }
    }
}

impl Committed {
    /// Whether the numbers of results and writes match.
    pub(crate) fn is_of(&self, batch: &Batch) -> bool {
        self.messages.len() == batch.messages.len() && self.marks.len() == batch.marks.len()
    }
}

/// The result of [`MessageStore::history`].
pub enum History {
    /// The requested page.
    Page(HistoryPage),
    /// The cursor is below zero or beyond the last `seq`.
    OutOfRange,
    /// The user has no such conversation.
    NotFound,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_leader_does_not_commit_a_message_that_names_no_session() {
        let id = "00000000-0000-0000-0000-000000000000";
        let without = format!(
            "{{\"sender\":\"{id}\",\"conversation\":\"{id}\",\"client_id\":\"{id}\",\
             \"body\":\"hello\"}}"
        );
        serde_json::from_str::<NewMessage>(&without).expect_err("a node of an older version");
        let with = without.replacen('{', &format!("{{\"session\":\"{id}\","), 1);
        serde_json::from_str::<NewMessage>(&with).expect("a message");
    }

    #[test]
    fn nodes_of_other_versions_understand_a_deferred_result() {
        let results = [
            (Deferrable::Deferred, "\"LeftOut\""),
            (Deferrable::Decided(SendOutcome::NotFound), "\"NotFound\""),
            (Deferrable::Decided(SendOutcome::SessionEnded), "\"SessionEnded\""),
            (
                Deferrable::Decided(SendOutcome::Stored {
                    seq: Seq(1),
                    sent_at: Timestamp(2),
                    peer: UserId(uuid::Uuid::nil()),
                    reach: Reach::default(),
                }),
                "{\"Stored\":{\"seq\":1,\"sent_at\":2,\
                 \"peer\":\"00000000-0000-0000-0000-000000000000\"}}",
            ),
        ];
        for (result, json) in results {
            assert_eq!(serde_json::to_string(&result).expect("JSON"), json);
            let read: Deferrable<SendOutcome> = serde_json::from_str(json).expect("a result");
            assert_eq!(read, result);
        }
    }
}
