//! The part of the store for how users stand to their conversations: requests, blocks and mutes. Its
//! trait and results. Called by [`crate::standings`].
//!
//! A standing is a number in the member's own row, so the statement that commits a message reads it
//! there: 0 after the member has written, accepted a request or come by an invitation (*spoken*); 1
//! after the member has opened the conversation; otherwise 2, and messages of the peer wait as a
//! request.

use async_trait::async_trait;
use protocol::{BlockedUser, ConversationId, Timestamp, UserId};

use super::{Caller, Result};

/// How a user comes to open a conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Comes {
    /// By the user's own choice.
    Alone,
    /// By an invitation, which counts as an answer.
    Invited,
}

/// The standings of users in their conversations.
#[async_trait]
pub trait StandingStore: Send + Sync + 'static {
    /// Lets the caller count as having answered; a second call changes nothing. A deleted request
    /// returns to the caller's list. `None` if the caller has no such conversation.
    async fn accept_request(
        &self,
        me: Caller,
        id: ConversationId,
        now: Timestamp,
    ) -> Result<Option<AnswerChange>>;

    /// Removes a request from the caller's requests until the peer writes again. Does nothing to a
    /// conversation that is no request. False if the caller has no such conversation.
    async fn delete_request(&self, me: Caller, id: ConversationId) -> Result<bool>;

    /// Blocks the peer since a time, or ends the block. `None` if the caller has no such
    /// conversation.
    async fn set_blocked(
        &self,
        me: Caller,
        id: ConversationId,
        since: Option<BlockTime>,
    ) -> Result<Option<BlockChange>>;

    /// Stores until when the conversation is muted; `None` ends it. False if the caller has no such
    /// conversation.
    async fn set_muted(
        &self,
        me: Caller,
        id: ConversationId,
        until: Option<Timestamp>,
    ) -> Result<bool>;

    /// At most `limit` users whom `me` has blocked, the most recently blocked first.
    async fn blocked_users(&self, me: UserId, limit: usize) -> Result<Vec<BlockedUser>>;

    /// The number of waiting requests of `me`, counted up to `most`.
    async fn count_requests(&self, me: UserId, most: u32) -> Result<u32>;
}

/// The result of [`StandingStore::accept_request`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AnswerChange {
    /// The other member.
    pub peer: UserId,
    /// Whether the call changed anything.
    pub changed: bool,
    /// Whether both members have spoken from now on, and neither blocks the other.
    pub acquaints: bool,
}

/// When a block begins, which is also the time since when the blocked peer sees the user as offline.
/// The store uses the user's last-seen time for a user who is offline already, because the time of
/// the block would tell the peer of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlockTime {
    /// The present time.
    pub now: Timestamp,
    /// Whether the user is online.
    pub is_online: bool,
}

/// The result of [`StandingStore::set_blocked`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlockChange {
    /// The other member.
    pub peer: UserId,
    /// Whether the call changed anything.
    pub changed: bool,
    /// Whether the peer sees the caller's presence while there is no block.
    pub shows_presence: bool,
}
