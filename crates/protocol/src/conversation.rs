//! What a client is shown of people, conversations and messages.

use serde::{Deserialize, Serialize};

use crate::{ClientId, ConversationId, Seq, Timestamp, UserId};

/// A person, as others see them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// Who.
    pub id: UserId,
    /// Unique without regard to case; shown as it was typed at sign-up. Empty, as the display name
    /// is, when the account was deleted.
    pub username: String,
    /// What they want to be called; the username where they gave nothing.
    pub display_name: String,
}

/// Whether a person is there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Presence {
    /// At least one live connection, or one that ended less than the grace time ago.
    pub online: bool,
    /// When they were last there; absent if never, or if one of the two does not show it.
    pub last_seen: Option<Timestamp>,
}

/// A person and whether they are there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Person {
    /// Who.
    pub user: User,
    /// Whether they are there.
    pub presence: Presence,
}

/// One stored message. Nothing in it ever changes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// Where it was said.
    pub conversation: ConversationId,
    /// Its place; places are dense, so a missing one is a message not yet fetched.
    pub seq: Seq,
    /// Its id, from the sender's client.
    pub client_id: ClientId,
    /// Who said it.
    pub sender: UserId,
    /// What was said: plain text.
    pub body: String,
    /// When the server stored it.
    pub sent_at: Timestamp,
}

/// How far one person has come in one conversation. Both are inclusive, only move forward, and
/// `read <= delivered <= last_seq` holds always.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Marks {
    /// Applied by one of the person's clients.
    pub delivered: Seq,
    /// Shown to the person in a visible, focused window.
    pub read: Seq,
}

/// One of the peer's marks, and when it came there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TickTime {
    /// The mark; inclusive.
    pub up_to: Seq,
    /// When it last moved: exact for the message at `up_to`, the latest possible for those before
    /// it. Absent while it never moved, or where that was not noted yet.
    pub at: Option<Timestamp>,
}

/// What the ticks of my messages are made from, with times.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TickTimes {
    /// See [`Marks::delivered`].
    pub delivered: TickTime,
    /// See [`Marks::read`]; at zero and without a time where it is not shown.
    pub read: TickTime,
}

/// A conversation, as one of its two people sees it in the list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Conversation {
    /// Which.
    pub id: ConversationId,
    /// The other one.
    pub peer: Person,
    /// The newest message, if there is one.
    pub last: Option<Message>,
    /// The newest place; zero while nothing was said.
    pub last_seq: Seq,
    /// What the list is ordered by, the greatest first: when something last happened, or more where
    /// clocks were ahead before. It only grows. The time to show is that of [`Self::last`].
    pub active_at: Timestamp,
    /// Messages of the peer after my `read` mark, counted up to [`crate::limits::MAX_UNREAD`].
    pub unread: u32,
    /// How far I have come.
    pub mine: Marks,
    /// How far the peer has come: what the ticks are made from. `read` is zero while one of the two
    /// does not show it.
    pub theirs: Marks,
}

/// One page of the conversation list.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConversationPage {
    /// Newest first.
    pub conversations: Vec<Conversation>,
    /// Whether older ones exist; ask for them with the last one's [`ListCursor`].
    pub has_more: bool,
    /// On the first page: which of the older ones have something unread, newest first, among the
    /// [`crate::limits::MAX_UNREAD_ELSEWHERE`] that follow the page. So a client knows how much is
    /// unread in all without reading every page.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unread_elsewhere: Vec<Unread>,
}

/// How much is unread in a conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unread {
    /// Which.
    pub id: ConversationId,
    /// As [`Conversation::unread`].
    pub unread: u32,
}

/// A place in the list of conversations: the last entry one has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListCursor {
    /// That entry's [`Conversation::active_at`].
    pub active_at: Timestamp,
    /// That entry's id.
    pub id: ConversationId,
}

/// Which part of a conversation to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cursor {
    /// The newest page.
    Latest,
    /// The page that ends just before a place.
    Before(Seq),
    /// The page that begins just after a place: catching up.
    After(Seq),
    /// The page with a place in its middle: a link to a message.
    Around(Seq),
}

/// One page of a conversation, oldest first, dense: no place between its first and its last is
/// missing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HistoryPage {
    /// Which conversation.
    pub conversation: ConversationId,
    /// The messages, oldest first.
    pub messages: Vec<Message>,
    /// The newest place when the page was read: compare with the page's last to know whether
    /// newer ones exist, and the first with 1 to know whether older ones do.
    pub last_seq: Seq,
    /// How far I have come.
    pub mine: Marks,
    /// How far the peer has come, as in [`Conversation::theirs`].
    pub theirs: Marks,
}

/// The answer to a send, over whichever way it came, at whatever age it is repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sent {
    /// Where.
    pub conversation: ConversationId,
    /// Which.
    pub client_id: ClientId,
    /// The place it got.
    pub seq: Seq,
    /// When it was stored.
    pub sent_at: Timestamp,
}
