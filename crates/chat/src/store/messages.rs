//! The part of the store for messages and marks: its trait, parameters and results.

use std::sync::Arc;

use async_trait::async_trait;
use protocol::{
    ClientId, ConversationId, Cursor, HistoryPage, Marks, Seq, SessionId, Timestamp, UserId,
};
use serde::{Deserialize, Serialize};

use super::{AskedBy, Result};

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
    },
    /// The sender used the id before for another message.
    Reused,
    /// The recipient's account is deleted.
    PeerDeleted,
    /// The sender has no such conversation.
    NotFound,
    /// The message is deferred: neither stored nor refused. See [`Batch::yields`].
    // The name that nodes of other versions use.
    #[serde(rename = "LeftOut")]
    Deferred,
}

/// Marks that a member wants to move forward.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct NewMarks {
    /// The member whose marks move.
    pub user: UserId,
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
    /// The marks are deferred: neither moved nor refused. See [`Batch::yields`].
    #[serde(rename = "LeftOut")]
    Deferred,
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
    pub messages: Vec<SendOutcome>,
    /// One result for each of the marks.
    pub marks: Vec<MarkOutcome>,
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
