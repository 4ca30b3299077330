//! What the store is told and tells of messages and marks.

use protocol::{ClientId, ConversationId, HistoryPage, Marks, Seq, SessionId, Timestamp, UserId};
use serde::{Deserialize, Serialize};

use super::shared::AskedBy;

/// A message to store. Its body was checked.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct NewMessage {
    /// Who.
    pub sender: UserId,
    /// Where; whether they may is decided by the store.
    pub conversation: ConversationId,
    /// Its id.
    pub client_id: ClientId,
    /// Its text.
    pub body: String,
}

/// What became of a [`NewMessage`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum SendOutcome {
    /// Stored now.
    Stored {
        /// Its place.
        seq: Seq,
        /// When.
        sent_at: Timestamp,
        /// Whom to tell.
        peer: UserId,
    },
    /// Stored before, the same: the first answer again.
    Repeated {
        /// Its place.
        seq: Seq,
        /// When.
        sent_at: Timestamp,
        /// Whom to tell: whoever stored it may not have come to that.
        peer: UserId,
    },
    /// Its id was used before for something else.
    Reused,
    /// The other one has no account any more.
    PeerDeleted,
    /// No such conversation of this person's.
    NotFound,
    /// Not stored, and not refused: see [`Batch::yields`].
    LeftOut,
}

/// Marks to move forward.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct NewMarks {
    /// Whose.
    pub user: UserId,
    /// Where.
    pub conversation: ConversationId,
    /// How far; what is behind the present marks changes nothing.
    pub marks: Marks,
}

/// What became of [`NewMarks`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum MarkOutcome {
    /// Moved to this.
    Moved {
        /// Now.
        marks: Marks,
        /// Whom to tell.
        peer: UserId,
        /// What of it: nothing where only what is not shown to them moved.
        shown: Option<Marks>,
    },
    /// They were as far already.
    Unchanged,
    /// Below zero or beyond the last place.
    OutOfRange,
    /// No such conversation of this person's.
    NotFound,
    /// Not moved, and not refused: see [`Batch::yields`].
    LeftOut,
}

/// All that is written in one transaction.
#[derive(Clone, Default, Serialize, Deserialize)]
pub struct Batch {
    /// In the order they came. No two of them have the same sender and client id.
    pub messages: Vec<NewMessage>,
    /// In the order they came.
    pub marks: Vec<NewMarks>,
    /// People who were just there.
    pub seen_users: Vec<UserId>,
    /// Sessions that were just used.
    pub seen_sessions: Vec<SessionId>,
    /// Leaves out what stands in conversations that another node is writing just now, instead of
    /// waiting for it.
    pub yields: bool,
    /// For which other nodes this is committed. The transaction asks whether all of them stand on
    /// this database now; if not, nothing is stored and the answer is [`super::StoreError::Elsewhere`].
    #[serde(skip)]
    pub asked_by: Option<AskedBy>,
}

impl Batch {
    /// How many writes.
    pub fn len(&self) -> usize {
        self.messages.len() + self.marks.len() + self.seen_users.len() + self.seen_sessions.len()
    }

    /// Whether there is nothing to write.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// What became of a [`Batch`], each list in its order.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Committed {
    /// One for each message.
    pub messages: Vec<SendOutcome>,
    /// One for each of the marks.
    pub marks: Vec<MarkOutcome>,
}

impl Committed {
    /// Whether it says something of each thing in a batch.
    pub(crate) fn is_of(&self, batch: &Batch) -> bool {
        self.messages.len() == batch.messages.len() && self.marks.len() == batch.marks.len()
    }
}

/// A part of a conversation, or why not.
pub enum History {
    /// The page.
    Page(HistoryPage),
    /// The cursor is below zero or beyond the last place.
    OutOfRange,
    /// No such conversation of this person's.
    NotFound,
}
