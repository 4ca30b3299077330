//! Refusals: a closed list of reasons, and all that an unauthorised client learns of a failure.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The reason for a refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorCode {
    /// The request is not of the documented form: not JSON, an unknown type, a missing or mistyped
    /// field.
    Malformed,
    /// There is no valid session. Sign in, then repeat.
    Unauthenticated,
    /// The request is for another user than the signed-in one, because another user signed in in
    /// the same browser. Nothing was done.
    OtherPerson,
    /// The object does not exist or belongs to others; the answer does not disclose which.
    NotFound,
    /// The message is empty.
    BodyBlank,
    /// The message is over the length limit.
    BodyTooLong,
    /// The message contains NUL or another control character.
    BodyControlCharacter,
    /// This message id was used before with another text or in another conversation.
    ClientIdReused,
    /// A mark or cursor is below zero or beyond the conversation's last seq.
    OutOfRange,
    /// A user cannot open a conversation with themselves.
    NotWithOneself,
    /// The username has characters or a length that are not allowed, or mixes scripts.
    UsernameInvalid,
    /// The username belongs to another account or looks like that of another one, was freed less than
    /// 90 days ago, or is reserved for the operator.
    UsernameTaken,
    /// The display name is too long or contains characters that cannot be displayed.
    DisplayNameInvalid,
    /// The password is shorter than the minimum.
    PasswordTooShort,
    /// The password is longer than the maximum.
    PasswordTooLong,
    /// The password contains control characters or invisible ones.
    PasswordInvalid,
    /// The password is among the most common ones or easy to guess from the user's names.
    PasswordCommon,
    /// Unknown user or wrong password; the answer does not disclose which.
    WrongCredentials,
    /// The password does not match the account that is to be changed.
    WrongPassword,
    /// The password is right, and the account also needs a code of the user's authenticator app, or
    /// a recovery code. Repeat with a code.
    CodeNeeded,
    /// The code is wrong or was used before.
    WrongCode,
    /// Two-step sign-in is on where the call needs it off, or off where the call needs it on: it was
    /// changed meanwhile.
    SecondFactorChanged,
    /// The link that signs in another device does not exist, was used or has expired, or its session
    /// or password has ended; the answer does not disclose which.
    DeviceLinkInvalid,
    /// The browser is signed in already, and a link does not replace that session. Sign out first.
    SignedInAlready,
    /// The passkey cannot be used: it is unknown or was removed, its signature is wrong, or the
    /// ceremony was used before or has expired; the answer does not disclose which.
    PasskeyRefused,
    /// This server's address cannot carry passkeys.
    PasskeysUnavailable,
    /// The user has the maximum number of passkeys.
    TooManyPasskeys,
    /// The passkey or identity is the only way to sign in to the account.
    LastSignInMethod,
    /// The sign-in provider's answer cannot be used: it is not the answer to this browser's request, was
    /// used before or has expired, or proves another user; the answer does not disclose which.
    IdentityRefused,
    /// The identity is linked to an account already.
    IdentityTaken,
    /// The user has the maximum number of identities.
    TooManyIdentities,
    /// The sign-in provider does not answer, or the operator has set none.
    ProviderUnavailable,
    /// The operator has closed registration.
    RegistrationClosed,
    /// The invitation does not exist, was used or has expired; the answer does not disclose which.
    InvitationInvalid,
    /// The user has the maximum number of pending invitations.
    TooManyInvitations,
    /// The peer's account was deleted, so that the conversation takes no more messages.
    PeerDeleted,
    /// The user has blocked the peer, so that the conversation takes no messages of the user.
    PeerBlocked,
    /// The report has no message or too many, a message that the user cannot read, or too long a
    /// reason.
    ReportInvalid,
    /// The client sent too many requests. Retry after `retry_after_ms`.
    RateLimited,
    /// The server is overloaded. Retry after `retry_after_ms`.
    Busy,
    /// The store has reached the size that the operator allows. Retry after `retry_after_ms`.
    StorageFull,
    /// The store cannot be written at present. Retry after `retry_after_ms`.
    Unavailable,
    /// The server did not answer in time. The request may have been done; repeating it is harmless.
    TimedOut,
    /// The request did not come from a page of this site.
    ForeignOrigin,
    /// The server has a fault. Nothing was done.
    Internal,
}

/// What a client does after a refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// The same request will be refused again.
    Never,
    /// The same request can succeed after a delay.
    Later,
    /// The same request can succeed after signing in.
    AfterSignIn,
}

impl ErrorCode {
    /// Returns whether the same request can succeed later.
    pub fn retry(self) -> Retry {
        match self {
            Self::RateLimited
            | Self::Busy
            | Self::StorageFull
            | Self::Unavailable
            | Self::TimedOut
            | Self::Internal => Retry::Later,
            Self::Unauthenticated | Self::OtherPerson => Retry::AfterSignIn,
            _ => Retry::Never,
        }
    }
}

/// A refusal: the reason and, if waiting helps, when to retry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// The reason.
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
