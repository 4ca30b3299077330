//! The error of every [`crate::Chat`] call, and the refusal that a client gets for it.
//!
//! A refusal must not carry the cause of a failure: causes are for the log. `app` and
//! [`crate::Connection`] send the refusals.

use protocol::{BodyError, ErrorCode, Refusal};
use std::time::Duration;

use crate::store::StoreError;

/// Why a call on [`crate::Chat`] failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The client gets exactly this refusal.
    #[error("refused: {0}")]
    Refused(Refusal),
    /// The store failed. The client is told to retry; the cause is only logged.
    #[error("the store failed: {0}")]
    Store(#[source] StoreError),
    /// A fault of the server.
    #[error("internal: {0}")]
    Internal(&'static str),
}

/// The result of every call. The second parameter is for the few functions with another error.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// The retry delay sent after a store failure.
const STORE_RETRY: Duration = Duration::from_secs(1);

impl Error {
    /// Returns the refusal to send to the client.
    pub fn refusal(&self) -> Refusal {
        match self {
            Self::Refused(refusal) => *refusal,
            Self::Store(_) => later(ErrorCode::Unavailable, STORE_RETRY),
            Self::Internal(_) => ErrorCode::Internal.into(),
        }
    }
}

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::SessionEnded => ErrorCode::Unauthenticated.into(),
            error => Self::Store(error),
        }
    }
}

impl From<ErrorCode> for Error {
    fn from(code: ErrorCode) -> Self {
        Self::Refused(code.into())
    }
}

impl From<BodyError> for Error {
    fn from(error: BodyError) -> Self {
        match error {
            BodyError::Blank => ErrorCode::BodyBlank,
            BodyError::TooLong => ErrorCode::BodyTooLong,
            BodyError::ControlCharacter => ErrorCode::BodyControlCharacter,
        }
        .into()
    }
}

/// Returns a refusal with a retry delay of at least 1 ms.
pub(crate) fn later(code: ErrorCode, wait: Duration) -> Refusal {
    let ms = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX).max(1);
    Refusal { code, retry_after_ms: Some(ms) }
}
