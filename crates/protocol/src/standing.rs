//! How a user stands to a conversation, the list of blocked users, and the limits of a report. The
//! server sends a standing to its user alone: nothing tells the peer. Data only: `chat` has the
//! rules.

use serde::{Deserialize, Serialize};

use crate::{ConversationId, Timestamp, User};

/// How a user stands to a conversation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    /// The conversation is a request: a stranger has written, and the user has not answered. The
    /// peer sees no receipt, presence or typing until then.
    #[serde(default, skip_serializing_if = "is_false")]
    pub request: bool,
    /// The conversation is in neither list: the peer has not written yet, or the user deleted or
    /// blocked the request.
    #[serde(default, skip_serializing_if = "is_false")]
    pub unlisted: bool,
    /// The user has blocked the peer. The conversation stays as it was when the block began.
    #[serde(default, skip_serializing_if = "is_false")]
    pub blocked: bool,
    /// Until when the conversation must not notify the user; [`Timestamp::FOREVER`] without an end.
    /// The client compares the time with its own clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub muted_until: Option<Timestamp>,
}

impl Standing {
    /// Whether there is nothing to send.
    pub fn is_usual(&self) -> bool {
        *self == Self::default()
    }

    /// Whether the list of conversations has the conversation.
    pub fn is_listed(&self) -> bool {
        !self.request && !self.unlisted
    }

    /// Whether the conversation must not notify the user at this time.
    pub fn is_quiet(&self, now: Timestamp) -> bool {
        !self.is_listed() || self.blocked || self.muted_until.is_some_and(|until| until > now)
    }
}

impl Timestamp {
    /// The latest time that a browser can represent. Stands for a mute without an end.
    pub const FOREVER: Self = Self(8_640_000_000_000_000);
}

/// Whether a flag need not be sent.
fn is_false(flag: &bool) -> bool {
    !*flag
}

/// A user whom the caller has blocked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlockedUser {
    /// The conversation, by which the block is ended.
    pub conversation: ConversationId,
    /// The blocked user.
    pub user: User,
    /// When the block began.
    pub blocked_at: Timestamp,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_blocked_and_muted_conversations_are_quiet() {
        let now = Timestamp(1_000);
        let usual = Standing::default();
        let muted = |until| Standing { muted_until: Some(until), ..usual };
        assert!(!usual.is_quiet(now) && usual.is_usual());
        assert!(Standing { request: true, ..usual }.is_quiet(now));
        assert!(Standing { blocked: true, ..usual }.is_quiet(now));
        assert!(muted(Timestamp(1_001)).is_quiet(now) && muted(Timestamp::FOREVER).is_quiet(now));
        assert!(!muted(Timestamp(1_000)).is_quiet(now), "the time has come");
    }
}
