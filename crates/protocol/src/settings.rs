//! What a person may see and change of their own account.

use serde::{Deserialize, Serialize};

use crate::{SessionId, Timestamp, User};

/// What a person lets others see. Both are reciprocal: whoever hides does not see either.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Privacy {
    /// How far they have read. Off: neither of the two of a conversation sees the other's `read`.
    pub receipts: bool,
    /// Whether they are there, and when they last were.
    pub last_seen: bool,
}

/// A person's own account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    /// Who they are to others.
    pub user: User,
    /// What they let others see.
    pub privacy: Privacy,
}

/// One sign-in of a person, as they see it themselves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionInfo {
    /// Which.
    pub id: SessionId,
    /// What signed in: browser and system, or empty where that is not known.
    pub device: String,
    /// When it signed in.
    pub created_at: Timestamp,
    /// When it was last used, to the hour.
    pub seen_at: Timestamp,
    /// Whether it is the one that asks.
    pub current: bool,
}
