//! What clients write down: what they asked, what they were told, what they saw, and when.
//!
//! The checker believes nothing else but this and the store. Times are of one clock of this process,
//! so "asked after it was told" is a fact about any two clients.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use protocol::{ClientId, ConversationId, ErrorCode, Marks, Message, UserId};
use serde::Serialize;

/// A tab of somebody's browser, over all its reloads. Zero is the harness itself, looking.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Tab(pub u32);

/// Something that a client knows, with the moment at which it knew.
#[derive(Clone, Debug, Serialize)]
pub struct Event {
    /// Microseconds since the round began.
    pub at: u64,
    /// Milliseconds since 1970.
    pub wall: u64,
    /// Which tab.
    pub tab: Tab,
    /// Whose it is.
    pub user: UserId,
    /// What.
    pub what: What,
}

/// See [`Event`].
#[derive(Clone, Debug, Serialize)]
pub enum What {
    /// A message was asked to be stored; once for each repeat.
    Asked {
        /// Its id.
        id: ClientId,
        /// Where.
        conversation: ConversationId,
        /// Its text.
        body: String,
        /// Its place among the messages of this tab.
        ordinal: u64,
    },
    /// The id of a message of ours was used for another text, which must be refused.
    Forged {
        /// Whose id.
        id: ClientId,
        /// The other text.
        body: String,
    },
    /// "It is on disk".
    Told {
        /// Which.
        id: ClientId,
        /// Where.
        conversation: ConversationId,
        /// Its place.
        seq: i64,
    },
    /// "It was not done".
    Refused {
        /// Which.
        id: ClientId,
        /// Why.
        code: ErrorCode,
    },
    /// The line broke, or no answer came: it may have been done, or not.
    Unknown {
        /// Which.
        id: ClientId,
    },
    /// A page of history came.
    Page {
        /// Where.
        conversation: ConversationId,
        /// When it was asked for.
        asked: u64,
        /// The place it was to begin after; none for the newest page.
        after: Option<i64>,
        /// What it holds.
        messages: Vec<Seen>,
        /// The newest place, as it says.
        last_seq: i64,
        /// The asker's marks.
        mine: Marks,
        /// The peer's marks.
        theirs: Marks,
        /// The peer.
        peer: UserId,
    },
    /// A message came over a line.
    Heard {
        /// Where.
        conversation: ConversationId,
        /// What.
        seen: Seen,
    },
    /// Somebody's marks, over a line. Lines are numbered, since only within one is there an order.
    Receipt {
        /// On which line of this tab.
        line: u32,
        /// Where.
        conversation: ConversationId,
        /// Whose.
        whose: UserId,
        /// How far.
        marks: Marks,
    },
    /// We said how far we are.
    Marked {
        /// Where.
        conversation: ConversationId,
        /// How far.
        marks: Marks,
    },
    /// A second hello on a line: events may have been lost.
    ReadAgain,
    /// A line ended, or could not be had.
    Left(String),
    /// The session of this tab was ended, and the server said so.
    SignedOut,
    /// A session that was ended could do this.
    AfterEnd(String),
    /// What was broken, or mended.
    Fault(String),
}

/// A message, as a client saw it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Seen {
    /// Its place.
    pub seq: i64,
    /// Whose.
    pub sender: UserId,
    /// Its id.
    pub id: ClientId,
    /// Its text.
    pub body: String,
}

impl From<&Message> for Seen {
    fn from(message: &Message) -> Self {
        Self {
            seq: message.seq.0,
            sender: message.sender,
            id: message.client_id,
            body: message.body.clone(),
        }
    }
}

/// Where all write to. Cheap to clone; the lock is held for one push.
#[derive(Clone)]
pub struct Log {
    begun: Instant,
    events: Arc<Mutex<Vec<Event>>>,
}

impl Log {
    /// An empty one; its clock starts now.
    pub fn new() -> Self {
        Self { begun: Instant::now(), events: Arc::default() }
    }

    /// Microseconds since the round began.
    pub fn now(&self) -> u64 {
        u64::try_from(self.begun.elapsed().as_micros()).unwrap_or(u64::MAX)
    }

    /// Writes down.
    pub fn write(&self, tab: Tab, user: UserId, what: What) {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let wall = u64::try_from(wall.as_millis()).unwrap_or(u64::MAX);
        let mut events = self.events.lock().unwrap_or_else(PoisonError::into_inner);
        // Under the lock, so that the list is in the order of its times.
        events.push(Event { at: self.now(), wall, tab, user, what });
    }

    /// Writes down what was broken, or mended.
    pub fn fault(&self, text: impl Into<String>) {
        self.write(Tab(0), UserId(uuid::Uuid::nil()), What::Fault(text.into()));
    }

    /// What was written so far.
    pub fn events(&self) -> Vec<Event> {
        self.events.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
