//! Bringing someone in by a link.

use serde::{Deserialize, Serialize};

use crate::{Timestamp, User};

/// A new invitation. Its token is told once, to the one who made it; the server keeps no copy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Invitation {
    /// What it is called among those that wait, to withdraw it; no secret.
    #[serde(default)]
    pub id: String,
    /// Whoever holds it may use it: 43 characters that can stand in an address.
    pub token: String,
    /// When it ends, used or not.
    pub expires_at: Timestamp,
}

/// An invitation of mine that waits to be used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WaitingInvitation {
    /// As [`Invitation::id`].
    pub id: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it ends.
    pub expires_at: Timestamp,
}

/// What whoever holds an invitation may know of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InvitationInfo {
    /// Who wants to talk with them.
    pub inviter: User,
    /// When it ends.
    pub expires_at: Timestamp,
}
