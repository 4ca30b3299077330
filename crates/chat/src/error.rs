//! What can go wrong, and what of it a stranger may learn.

use protocol::{BodyError, ErrorCode, Refusal};
use std::time::Duration;

use crate::store::StoreError;

/// Why [`crate::Chat`] did not do what was asked. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The asker is told this, by name.
    #[error("refused: {0}")]
    Refused(Refusal),
    /// The store failed; the asker is told to come again, the log is told why.
    #[error("the store failed: {0}")]
    Store(#[from] StoreError),
    /// A fault of ours.
    #[error("internal: {0}")]
    Internal(&'static str),
}

/// The answer of every call.
pub type Result<T> = std::result::Result<T, Error>;

/// A store that failed is tried again after this long.
const STORE_RETRY: Duration = Duration::from_secs(1);

impl Error {
    /// What the asker is told.
    pub fn refusal(&self) -> Refusal {
        match self {
            Self::Refused(refusal) => *refusal,
            Self::Store(_) => later(ErrorCode::Unavailable, STORE_RETRY),
            Self::Internal(_) => ErrorCode::Internal.into(),
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

/// A refusal that says when to come again; never "at once".
pub(crate) fn later(code: ErrorCode, wait: Duration) -> Refusal {
    let ms = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX).max(1);
    Refusal { code, retry_after_ms: Some(ms) }
}
