//! The part of the store for invitations: its trait, parameters and results. Called by
//! [`crate::invitations`], and by [`crate::accounts`] for a sign-up.

use async_trait::async_trait;
use protocol::{ConversationId, InvitationInfo, Timestamp, UserId};

use super::{Caller, Result, TokenHash};

/// The invitations, with the first invitation of an empty store.
#[async_trait]
pub trait InvitationStore: Send + Sync + 'static {
    /// Stores a first invitation, which has no inviter, and keeps only the newest `most` of them.
    /// Returns false and stores nothing if any account exists or ever existed.
    async fn offer_first_invitation(
        &self,
        token: &TokenHash,
        most: u32,
        now: Timestamp,
    ) -> Result<bool>;

    /// Whether the token is a first invitation and no account exists yet.
    async fn is_first_invitation(&self, token: &TokenHash) -> Result<bool>;

    /// Stores an invitation, unless the inviter already has `most_open` open invitations or no
    /// account.
    async fn create_invitation(
        &self,
        new: NewInvitation,
        most_open: u32,
        now: Timestamp,
    ) -> Result<InvitationOutcome>;

    /// The inviter's open invitations, newest first.
    async fn waiting_invitations(
        &self,
        inviter: UserId,
        now: Timestamp,
    ) -> Result<Vec<OpenInvitation>>;

    /// Deletes an unused invitation of this inviter. Returns whether such an invitation existed.
    async fn withdraw_invitation(&self, inviter: Caller, token: &TokenHash) -> Result<bool>;

    /// The valid invitation with this token.
    async fn invitation(&self, token: &TokenHash, now: Timestamp)
    -> Result<Option<InvitationInfo>>;

    /// Uses up an invitation and opens the conversation, which both users then see in their lists.
    async fn accept_invitation(
        &self,
        token: &TokenHash,
        me: Caller,
        now: Timestamp,
    ) -> Result<Acceptance>;
}

/// A new invitation.
pub struct NewInvitation {
    /// The hash of the token that the inviter passes on.
    pub token_hash: TokenHash,
    /// The user who invites.
    pub inviter: Caller,
    /// The time from which on the invitation is invalid.
    pub expires_at: Timestamp,
}

/// The result of [`InvitationStore::create_invitation`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InvitationOutcome {
    /// The invitation is stored.
    Made,
    /// The inviter has the maximum number of open invitations; nothing is stored.
    TooMany,
    /// The inviter's account was deleted; nothing is stored.
    NoAccount,
}

/// An open invitation.
pub struct OpenInvitation {
    /// The hash of the invitation's token.
    pub token_hash: TokenHash,
    /// The time of creation.
    pub created_at: Timestamp,
    /// The time from which on the invitation is invalid.
    pub expires_at: Timestamp,
}

/// A conversation that an invitation opened.
pub struct Opened {
    /// The conversation's id.
    pub conversation: ConversationId,
    /// The user who invited, and the peer in the conversation.
    pub inviter: UserId,
    /// Whether the conversation did not exist before.
    pub is_new: bool,
}

/// The result of [`InvitationStore::accept_invitation`].
pub enum Acceptance {
    /// The invitation is used up, and the conversation is open.
    Opened(Opened),
    /// The inviter tried to accept their own invitation, which stays open.
    Own,
    /// The invitation does not exist, was used, or has expired.
    Invalid,
}
