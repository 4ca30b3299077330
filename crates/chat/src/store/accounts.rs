//! Parameters and results of the store's calls about accounts, sessions, invitations and people.

use protocol::{Conversation, ConversationId, SessionId, Timestamp, User, UserId};

/// The SHA-256 of a secret token.
pub type TokenHash = [u8; 32];

/// A new account. The keys are the folded forms of the names, used for comparison.
pub struct NewUser {
    /// The user as clients see it.
    pub user: User,
    /// The folded username, which is unique.
    pub username_key: String,
    /// The folded display name, used for sorting.
    pub display_key: String,
    /// The password hash as a PHC string.
    pub password_hash: String,
}

/// A new session.
pub struct NewSession {
    /// The session's id.
    pub id: SessionId,
    /// The user who signs in.
    pub user: UserId,
    /// The hash of the token in the browser's cookie.
    pub token_hash: TokenHash,
    /// A description of the browser or app, which the user sees in the list of sessions.
    pub device: String,
}

/// The result of [`super::Store::create_user`].
pub enum AccountOutcome {
    /// The account is stored. Contains the conversation that the invitation opened.
    Made(Option<Opened>),
    /// The username is taken; nothing is stored.
    NameTaken,
    /// The invitation is not valid; nothing is stored.
    InvitationInvalid,
}

/// A new invitation.
pub struct NewInvitation {
    /// The hash of the token that the inviter passes on.
    pub token_hash: TokenHash,
    /// The user who invites.
    pub inviter: UserId,
    /// The time from which on the invitation is invalid.
    pub expires_at: Timestamp,
}

/// An open invitation.
pub struct InvitationRow {
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

/// The result of [`super::Store::accept_invitation`].
pub enum Acceptance {
    /// The invitation is used up, and the conversation is open.
    Opened(Opened),
    /// The inviter tried to accept their own invitation, which stays open.
    Own,
    /// The invitation does not exist, was used, or has expired.
    Invalid,
}

/// A valid session that was found by its token.
pub struct SessionRow {
    /// The session's id.
    pub id: SessionId,
    /// The user who is signed in.
    pub user: User,
    /// The time of the last use. Updated at intervals, not at every use.
    pub seen_at: Timestamp,
    /// The time at which the current token was made.
    pub rotated_at: Timestamp,
    /// The token that the client presented.
    pub token: TokenState,
}

/// The role of a presented token in its session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenState {
    /// The current token.
    Present,
    /// The current token at its first use; the previous token is still valid.
    NewUnused,
    /// The previous token, while the current token is unused.
    StillNeeded,
    /// The previous token, shortly after the first use of the current token.
    Replaced,
}

impl TokenState {
    /// Derives the state from a row: whether the presented token is the current one, whether a
    /// previous token exists, and whether that token has an end.
    pub(super) fn of(present: bool, has_previous: bool, ends: bool) -> Self {
        match (present, has_previous && !ends) {
            (true, false) => Self::Present,
            (true, true) => Self::NewUnused,
            (false, true) => Self::StillNeeded,
            (false, false) => Self::Replaced,
        }
    }
}

/// The limits that make a session valid or expired.
#[derive(Clone, Copy)]
pub struct SessionLife {
    /// The current time.
    pub now: Timestamp,
    /// Sessions created at or before this time are expired.
    pub oldest_created: Timestamp,
    /// Sessions last used at or before this time are expired.
    pub oldest_seen: Timestamp,
}

/// A user found by a search, as the searching user may see them.
pub struct Found {
    /// The found user.
    pub user: User,
    /// The time when the user was last seen; `None` if unknown or hidden.
    pub last_seen: Option<Timestamp>,
    /// Whether the searching user may see the found user's presence.
    pub shows_presence: bool,
}

/// The first results of a search, and the number of all results as far as the search counts.
pub struct Counted<T> {
    /// The first results.
    pub first: Vec<T>,
    /// The number of results. May be a lower bound.
    pub total: usize,
}

impl<T> Counted<T> {
    /// A search without results.
    pub(crate) fn none() -> Self {
        Self::all(Vec::new())
    }

    /// A search whose results are all in `first`.
    pub(crate) fn all(first: Vec<T>) -> Self {
        Self { total: first.len(), first }
    }
}

/// A conversation as one member may see it. The caller fills in whether the peer is online.
pub struct Seen {
    /// The conversation. The peer's marks and last-seen time are hidden where the privacy settings
    /// require.
    pub conversation: Conversation,
    /// Whether the member may see the peer's presence.
    pub shows_presence: bool,
}
