//! Users, conversations and messages, as the server sends them to a client. Data only: `chat` has
//! the rules.

use serde::{Deserialize, Serialize};

use crate::{ClientId, ConversationId, Seq, Standing, Timestamp, UserId};

/// A user, as other users see them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// The user's id.
    pub id: UserId,
    /// The unique username, as typed at sign-up. Comparison ignores case. Both names are empty when
    /// the account was deleted.
    pub username: String,
    /// The display name; equals the username if the user chose none.
    pub display_name: String,
}

/// Whether a user is online.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Presence {
    /// The user has at least one live connection, or lost the last one within the grace period.
    pub online: bool,
    /// When the user was last online; absent if never, or if one of the two users hides presence.
    pub last_seen: Option<Timestamp>,
}

/// A user and their presence.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Person {
    /// The user.
    pub user: User,
    /// The user's presence.
    pub presence: Presence,
}

/// One stored message. Its fields never change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// The conversation that contains the message.
    pub conversation: ConversationId,
    /// The position in the conversation. Seqs are dense, so a missing one is a message not fetched
    /// yet.
    pub seq: Seq,
    /// The id that the sender's client generated.
    pub client_id: ClientId,
    /// The user who sent the message.
    pub sender: UserId,
    /// The plain text. Empty for a message that was withheld from the recipient: see
    /// [`Self::is_withheld`].
    pub body: String,
    /// When the server stored the message.
    pub sent_at: Timestamp,
}

impl Message {
    /// Whether the server withholds the text, because the recipient had blocked the sender when the
    /// message was stored. Only the recipient gets such a message, so that the seqs stay dense.
    pub fn is_withheld(&self) -> bool {
        self.body.is_empty()
    }
}

/// The receipt marks of one user in one conversation. Both are inclusive and only move forward, and
/// `read <= delivered <= last_seq` always holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Marks {
    /// One of the user's clients has applied every message up to here.
    pub delivered: Seq,
    /// The user has seen every message up to here in a visible, focused window.
    pub read: Seq,
}

/// One of the peer's marks, with the time of its last move.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TickTime {
    /// The mark; inclusive.
    pub up_to: Seq,
    /// When the mark last moved: exact for the message at `up_to`, an upper bound for earlier ones.
    /// Absent if the mark never moved, or moved before the server recorded times.
    pub at: Option<Timestamp>,
}

/// The peer's marks with their times, from which a client renders the ticks of its own messages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TickTimes {
    /// The time of [`Marks::delivered`].
    pub delivered: TickTime,
    /// The time of [`Marks::read`]; zero and without a time if one of the two users hides receipts.
    pub read: TickTime,
}

/// A conversation, as one of its two users sees it in the list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Conversation {
    /// The conversation's id.
    pub id: ConversationId,
    /// The other user.
    pub peer: Person,
    /// The newest message, if there is one.
    pub last: Option<Message>,
    /// The newest seq; zero if there is no message.
    pub last_seq: Seq,
    /// The sort key of the list, greatest first. The key only grows. It is the time at which the
    /// conversation came to the top, or later if a clock was ahead; a conversation that stays at the
    /// top may keep its key. The time to display is that of [`Self::last`].
    pub active_at: Timestamp,
    /// Number of the peer's messages after the user's own `read` mark, counted up to
    /// [`crate::limits::MAX_UNREAD`].
    pub unread: u32,
    /// The user's own marks.
    pub mine: Marks,
    /// The peer's marks, from which a client renders ticks. `read` is zero if one of the two users
    /// hides receipts. Both marks are zero until the peer has answered.
    pub theirs: Marks,
    /// How the user stands to the conversation.
    #[serde(default, skip_serializing_if = "Standing::is_usual")]
    pub standing: Standing,
}

/// One page of the conversation list.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConversationPage {
    /// The conversations, most recently active first.
    pub conversations: Vec<Conversation>,
    /// Whether older conversations exist; fetch them with the [`ListCursor`] of the last entry.
    pub has_more: bool,
    /// On the first page: the unread counts of older conversations, newest first, among the
    /// [`crate::limits::MAX_UNREAD_ELSEWHERE`] that follow the page. A client can compute the total
    /// unread count from it without fetching every page.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unread_elsewhere: Vec<Unread>,
    /// On the first page of the list: the number of waiting requests, counted up to
    /// [`crate::limits::MAX_REQUESTS_COUNTED`].
    #[serde(default, skip_serializing_if = "is_zero")]
    pub requests: u32,
}

/// Whether a count need not be sent.
fn is_zero(count: &u32) -> bool {
    *count == 0
}

/// The unread count of a conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unread {
    /// The conversation's id.
    pub id: ConversationId,
    /// The count, with the bound of [`Conversation::unread`].
    pub unread: u32,
}

/// A position in the conversation list, given by the last entry that the client holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListCursor {
    /// The [`Conversation::active_at`] of that entry.
    pub active_at: Timestamp,
    /// The id of that entry.
    pub id: ConversationId,
}

/// Which page of a conversation to fetch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cursor {
    /// The newest page.
    Latest,
    /// The page that ends just before this seq.
    Before(Seq),
    /// The page that begins just after this seq; used to catch up.
    After(Seq),
    /// The page with this seq in its middle; used for a link to a message.
    Around(Seq),
}

/// One page of a conversation, oldest first and dense: no seq between its first and its last is
/// missing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HistoryPage {
    /// The conversation's id.
    pub conversation: ConversationId,
    /// The messages, oldest first.
    pub messages: Vec<Message>,
    /// The newest seq when the page was read. Newer messages exist if the page's last seq is below
    /// it, older ones if the page's first seq is above 1.
    pub last_seq: Seq,
    /// The user's own marks.
    pub mine: Marks,
    /// The peer's marks, as in [`Conversation::theirs`].
    pub theirs: Marks,
}

/// The answer to a send. A repeated send gets the same answer on either transport, at any age.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sent {
    /// The conversation of the message.
    pub conversation: ConversationId,
    /// The id of the message.
    pub client_id: ClientId,
    /// The seq that the message got.
    pub seq: Seq,
    /// When the server stored the message.
    pub sent_at: Timestamp,
}
