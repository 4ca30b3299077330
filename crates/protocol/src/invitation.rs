//! Invitations, as the server sends them to the inviter and to the holder of a token. Data only:
//! `chat` has the rules.

use serde::{Deserialize, Serialize};

use crate::{Timestamp, User};

/// A new invitation. The server sends its token once, to the inviter, and stores only a hash.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Invitation {
    /// Identifies the invitation in the list of pending ones, to withdraw it; not a secret.
    #[serde(default)]
    pub id: String,
    /// The secret that permits use of the invitation: 43 characters, safe in a URL.
    pub token: String,
    /// When the invitation expires.
    pub expires_at: Timestamp,
}

/// A pending invitation of the user.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WaitingInvitation {
    /// The id, as in [`Invitation::id`].
    pub id: String,
    /// When the invitation was created.
    pub created_at: Timestamp,
    /// When the invitation expires.
    pub expires_at: Timestamp,
}

/// What the server discloses to the holder of an invitation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InvitationInfo {
    /// The user who created the invitation.
    pub inviter: User,
    /// When the invitation expires.
    pub expires_at: Timestamp,
}
