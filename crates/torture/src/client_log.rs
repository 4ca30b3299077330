//! The log of the clients: their requests, the answers, the messages they saw, and the times.
//!
//! The checker uses only this log and the store. All times come from one clock of this process, so
//! their order is valid between any two clients.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use protocol::{ClientId, ConversationId, ErrorCode, HistoryPage, Marks, Message, UserId};
use serde::Serialize;

/// A browser tab, the same across reloads. Tab 0 is the harness itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub(crate) struct Tab(pub u32);

/// An observation of a client.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Event {
    /// Microseconds since the start of the round.
    pub at: u64,
    /// Milliseconds since the Unix epoch.
    pub wall: u64,
    pub tab: Tab,
    pub user: UserId,
    pub observation: Observation,
}

/// The kinds of observation.
#[derive(Clone, Debug, Serialize)]
pub(crate) enum Observation {
    /// A client sent a message; logged for each attempt.
    Attempted {
        id: ClientId,
        conversation: ConversationId,
        body: String,
        /// Position among the messages of this tab.
        ordinal: u64,
    },
    /// A client sent another text under the id of a stored message. The server must refuse it.
    Forged {
        id: ClientId,
        /// The other text.
        body: String,
    },
    /// The server acknowledged a message.
    Acknowledged { id: ClientId, conversation: ConversationId, seq: i64 },
    /// The server refused a message.
    Refused { id: ClientId, code: ErrorCode },
    /// The connection broke or no answer came: the message may be stored or not.
    Unknown { id: ClientId },
    /// A page of history arrived.
    HistoryPage {
        conversation: ConversationId,
        /// Time of the request.
        requested: u64,
        /// The requested start: the page begins after this seq. `None` for the newest page.
        after: Option<i64>,
        messages: Vec<SeenMessage>,
        /// The newest seq according to the page.
        last_seq: i64,
        /// The reader's marks.
        mine: Marks,
        /// The peer's marks.
        theirs: Marks,
        peer: UserId,
    },
    /// A message arrived over a connection.
    Received { conversation: ConversationId, seen: SeenMessage },
    /// A receipt arrived over a connection.
    Receipt {
        /// Number of the connection within this tab. Receipts are ordered only within one
        /// connection.
        connection: u32,
        conversation: ConversationId,
        /// The user whose marks these are.
        whose: UserId,
        marks: Marks,
    },
    /// The client sent its own marks.
    MarksSent { conversation: ConversationId, marks: Marks },
    /// A second hello arrived on a connection: events may have been lost, so the tab has to resync.
    Resync,
    /// A connection ended, or could not be opened; with the reason.
    Disconnected(String),
    /// The session ended, and the server confirmed it.
    SignedOut,
    /// A request that succeeded with an ended session.
    AcceptedAfterSignOut(String),
    /// An injected fault, which the report counts.
    Fault(String),
    /// A step of the round that is not a fault, such as a repair.
    Note(String),
}

impl Observation {
    /// The arrival of a page that was requested at this time, after this seq.
    pub(crate) fn history_page(
        page: &HistoryPage,
        peer: UserId,
        requested: u64,
        after: Option<i64>,
    ) -> Self {
        Self::HistoryPage {
            conversation: page.conversation,
            requested,
            after,
            messages: page.messages.iter().map(SeenMessage::from).collect(),
            last_seq: page.last_seq.0,
            mine: page.mine,
            theirs: page.theirs,
            peer,
        }
    }
}

/// A message as a client saw it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct SeenMessage {
    pub seq: i64,
    pub sender: UserId,
    pub id: ClientId,
    pub body: String,
}

impl From<&Message> for SeenMessage {
    fn from(message: &Message) -> Self {
        Self {
            seq: message.seq.0,
            sender: message.sender,
            id: message.client_id,
            body: message.body.clone(),
        }
    }
}

/// The shared log. Clones write to the same list. The lock is held for one push.
#[derive(Clone)]
pub(crate) struct ClientLog {
    started: Instant,
    events: Arc<Mutex<Vec<Event>>>,
}

impl ClientLog {
    /// Creates an empty log and starts its clock.
    pub(crate) fn new() -> Self {
        Self { started: Instant::now(), events: Arc::default() }
    }

    /// Microseconds since the start of the round.
    pub(crate) fn now(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_micros()).unwrap_or(u64::MAX)
    }

    pub(crate) fn write(&self, tab: Tab, user: UserId, observation: Observation) {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let wall = u64::try_from(wall.as_millis()).unwrap_or(u64::MAX);
        let mut events = self.events.lock().unwrap_or_else(PoisonError::into_inner);
        // Reads the clock under the lock, so that the list is ordered by time.
        events.push(Event { at: self.now(), wall, tab, user, observation });
    }

    /// Logs an injected fault.
    pub(crate) fn fault(&self, text: impl Into<String>) {
        self.write_own(Observation::Fault(text.into()));
    }

    /// Logs a step that is not a fault.
    pub(crate) fn note(&self, text: impl Into<String>) {
        self.write_own(Observation::Note(text.into()));
    }

    fn write_own(&self, observation: Observation) {
        self.write(Tab(0), UserId(uuid::Uuid::nil()), observation);
    }

    pub(crate) fn events(&self) -> Vec<Event> {
        self.events.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
