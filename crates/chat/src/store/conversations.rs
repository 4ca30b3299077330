//! The part of the store for conversations: its trait and results. Called by
//! [`crate::conversations`].

use async_trait::async_trait;
use protocol::{Conversation, ConversationId, ListCursor, TickTimes, Timestamp, Unread, UserId};

use super::{Caller, Result};

/// The conversations, each as one member may see it.
#[async_trait]
pub trait ConversationStore: Send + Sync + 'static {
    /// The conversation of two users, created if necessary, and listed for `me` from now on. `None`
    /// if the peer does not exist.
    async fn open_conversation(
        &self,
        me: Caller,
        peer: UserId,
        now: Timestamp,
    ) -> Result<Option<ConversationId>>;

    /// Whether two users have a conversation, listed or not.
    async fn has_conversation(&self, me: UserId, peer: UserId) -> Result<bool>;

    /// A conversation as `me` may see it.
    async fn conversation(
        &self,
        me: UserId,
        id: ConversationId,
    ) -> Result<Option<ConversationView>>;

    /// At most `limit` conversations as `me` may see them, without requests, most recently active
    /// first.
    async fn conversations(
        &self,
        me: UserId,
        after: Option<ListCursor>,
        limit: usize,
    ) -> Result<Vec<ConversationView>>;

    /// As [`Self::conversations`], the requests alone.
    async fn requests(
        &self,
        me: UserId,
        after: Option<ListCursor>,
        limit: usize,
    ) -> Result<Vec<ConversationView>>;

    /// The unread counts of the conversations after `cursor` in the list, most recently active
    /// first. Visits at most `limit` conversations and returns those with unread messages, without
    /// those that are muted or blocked.
    async fn unread_behind(
        &self,
        me: UserId,
        cursor: ListCursor,
        limit: usize,
        now: Timestamp,
    ) -> Result<Vec<Unread>>;

    /// The peer's marks in a conversation of `me` and their times, as far as `me` may see them.
    async fn tick_times(&self, me: UserId, id: ConversationId) -> Result<Option<TickTimes>>;

    /// The peer in a conversation of `me`, and whether the peer may see that `me` is typing: both
    /// have spoken, and neither has blocked the other.
    async fn typing_peer(&self, me: UserId, id: ConversationId) -> Result<Option<(UserId, bool)>>;
}

/// A conversation as one member may see it. The caller fills in whether the peer is online.
pub struct ConversationView {
    /// The conversation. The peer's marks and last-seen time are hidden where the privacy settings
    /// require.
    pub conversation: Conversation,
    /// Whether the member may see whether the peer is online.
    pub shows_presence: bool,
}
