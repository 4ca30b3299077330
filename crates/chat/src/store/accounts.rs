//! What the store is told and tells of accounts and people.

use protocol::{Conversation, ConversationId, SessionId, Timestamp, User, UserId};

/// A SHA-256 of a secret token.
pub type TokenHash = [u8; 32];

/// A new account; the keys are the folded forms that names are compared by.
pub struct NewUser {
    /// Shown.
    pub user: User,
    /// Unique.
    pub username_key: String,
    /// Ordered by.
    pub display_key: String,
    /// A PHC string.
    pub password_hash: String,
}

/// A new sign-in.
pub struct NewSession {
    /// Which.
    pub id: SessionId,
    /// Whose.
    pub user: UserId,
    /// Of the token the browser was given.
    pub token_hash: TokenHash,
    /// What signed in, for the person to tell it apart.
    pub device: String,
}

/// What became of a new account.
pub enum AccountOutcome {
    /// Stored, with the conversation that its invitation opened.
    Made(Option<Opened>),
    /// The username belongs to someone; nothing is stored.
    NameTaken,
    /// The invitation is not good; nothing is stored.
    InvitationInvalid,
}

/// A new invitation.
pub struct NewInvitation {
    /// Of the token that its maker was given.
    pub token_hash: TokenHash,
    /// Whose.
    pub inviter: UserId,
    /// When it ends.
    pub expires_at: Timestamp,
}

/// An invitation that waits.
pub struct InvitationRow {
    /// Of its token.
    pub token_hash: TokenHash,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it ends.
    pub expires_at: Timestamp,
}

/// A conversation that an invitation opened.
pub struct Opened {
    /// Which.
    pub conversation: ConversationId,
    /// With whom.
    pub inviter: UserId,
    /// Whether the two had none before.
    pub is_new: bool,
}

/// What became of the wish to use an invitation.
pub enum Acceptance {
    /// It is used up.
    Opened(Opened),
    /// It is the asker's own, and stays as it is.
    Own,
    /// There is none, or it was used or is too old.
    Invalid,
}

/// A session that was found by its token, and is still good.
pub struct SessionRow {
    /// Which.
    pub id: SessionId,
    /// Whose.
    pub user: User,
    /// When it was last used; updated now and then, not every time.
    pub seen_at: Timestamp,
    /// When its token was made.
    pub rotated_at: Timestamp,
    /// Which of the session's tokens was presented.
    pub token: TokenState,
}

/// What a presented token is to its session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenState {
    /// The present one.
    Present,
    /// The present one, at its first use: the one before it is still valid.
    NewUnused,
    /// The one before, while the present one was not used yet.
    StillNeeded,
    /// The one before, for a moment after the first use of the present one.
    Replaced,
}

impl TokenState {
    /// From what a row says: whether the token is the present one, whether there is one before,
    /// and whether the end of that one is set.
    pub(super) fn of(present: bool, has_previous: bool, ends: bool) -> Self {
        match (present, has_previous && !ends) {
            (true, false) => Self::Present,
            (true, true) => Self::NewUnused,
            (false, true) => Self::StillNeeded,
            (false, false) => Self::Replaced,
        }
    }
}

/// Which sessions count as good.
#[derive(Clone, Copy)]
pub struct SessionLife {
    /// Now.
    pub now: Timestamp,
    /// Created before this: over.
    pub oldest_created: Timestamp,
    /// Unused since before this: over.
    pub oldest_seen: Timestamp,
}

/// Someone found, and what the asker may see of them.
pub struct Found {
    /// Who.
    pub user: User,
    /// When they were last there; `None` also where that is not shown.
    pub last_seen: Option<Timestamp>,
    /// Whether the asker may see whether they are there.
    pub shows_presence: bool,
}

/// The first of those found, and how many there are, as far as that is counted.
pub struct Counted<T> {
    /// The first.
    pub first: Vec<T>,
    /// Of how many.
    pub total: usize,
}

impl<T> Counted<T> {
    /// Nothing was found.
    pub(crate) fn none() -> Self {
        Self::all(Vec::new())
    }

    /// There are no others.
    pub(crate) fn all(first: Vec<T>) -> Self {
        Self { total: first.len(), first }
    }
}

/// A conversation as the asker sees it; whether the peer is online is left for the caller.
pub struct Seen {
    /// With the peer's marks and last seen as the asker may see them.
    pub conversation: Conversation,
    /// Whether the asker may see whether the peer is there.
    pub shows_presence: bool,
}
