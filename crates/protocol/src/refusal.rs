//! Why something was not done: a closed list, and all that a stranger may learn.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The reason of a refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorCode {
    /// Not of the documented form: not JSON, an unknown type, a missing or mistyped field.
    Malformed,
    /// No valid session. Sign in, then repeat.
    Unauthenticated,
    /// The request is for another person than the one who is signed in: somebody else signed in in the
    /// same browser. Nothing was done.
    OtherPerson,
    /// It does not exist or is not yours; which of the two is not told.
    NotFound,
    /// The message is empty.
    BodyBlank,
    /// The message is over the limit.
    BodyTooLong,
    /// The message holds NUL or another control character.
    BodyControlCharacter,
    /// This message id was used before with another text or in another conversation.
    ClientIdReused,
    /// A mark or cursor below zero or beyond the conversation's last place.
    OutOfRange,
    /// One cannot talk to oneself here.
    NotWithOneself,
    /// The username has characters or a length that are not allowed, or mixes scripts.
    UsernameInvalid,
    /// The username belongs to someone.
    UsernameTaken,
    /// The display name is too long or has characters that cannot be shown.
    DisplayNameInvalid,
    /// The password is under the minimum.
    PasswordTooShort,
    /// The password is over the maximum.
    PasswordTooLong,
    /// The password has control characters or ones that are not seen.
    PasswordInvalid,
    /// The password is among the most common, or is the username.
    PasswordCommon,
    /// Unknown user or wrong password; which of the two is not told.
    WrongCredentials,
    /// Not the password of the account that is to be changed.
    WrongPassword,
    /// The operator has closed registration.
    RegistrationClosed,
    /// There is no such invitation, or it was used or is too old; which of them is not told.
    InvitationInvalid,
    /// As many invitations wait to be used as one person may have.
    TooManyInvitations,
    /// The other one's account was deleted: nothing more is said here.
    PeerDeleted,
    /// Too often. `retry_after_ms` says when to come again.
    RateLimited,
    /// The server has too much to do. Come again after `retry_after_ms`.
    Busy,
    /// The store cannot be written just now. Come again after `retry_after_ms`.
    Unavailable,
    /// The server did not end in time. Whether it did what was asked is not known: the same
    /// request may be made again, and does no harm where it was done.
    TimedOut,
    /// The request did not come from this site's own pages.
    ForeignOrigin,
    /// A fault of the server's. Nothing was done.
    Internal,
}

/// What to do after a refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// The same request will be refused again.
    Never,
    /// The same request may be made again after a while.
    Later,
    /// The same request may be made again after signing in.
    AfterSignIn,
}

impl ErrorCode {
    /// Whether the same request can succeed later.
    pub fn retry(self) -> Retry {
        match self {
            Self::RateLimited
            | Self::Busy
            | Self::Unavailable
            | Self::TimedOut
            | Self::Internal => Retry::Later,
            Self::Unauthenticated | Self::OtherPerson => Retry::AfterSignIn,
            _ => Retry::Never,
        }
    }
}

/// A refusal: the reason and, where it helps, when to come again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// Why.
    pub code: ErrorCode,
    /// How long to wait before the same request, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<u64>,
}

impl From<ErrorCode> for Refusal {
    fn from(code: ErrorCode) -> Self {
        Self { code, retry_after_ms: None }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.code)?;
        match self.retry_after_ms {
            Some(ms) => write!(f, ", retry after {ms} ms"),
            None => Ok(()),
        }
    }
}
