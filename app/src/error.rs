//! The error type of server functions.
//!
//! Only `response::fail` and the transport ([`crate::server_fns`]) create it. Pages match on
//! the code and show their own text ([`crate::error_messages`]). It contains no internal details.

use protocol::{ErrorCode, Refusal, Retry};
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Why a server function failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AppError {
    /// The server refused the request.
    #[error("refused: {0}")]
    Refused(Refusal),
    /// No response arrived, because the network or the server is down. The request may still have
    /// taken effect.
    #[error("the server was not reached")]
    Unreached,
}

impl AppError {
    /// Returns the refusal's code; `None` without a response.
    pub fn code(self) -> Option<ErrorCode> {
        match self {
            Self::Refused(refusal) => Some(refusal.code),
            Self::Unreached => None,
        }
    }

    /// Returns whether and when the same request can succeed.
    pub fn retry(self) -> Retry {
        self.code().map_or(Retry::Later, ErrorCode::retry)
    }
}

impl From<ErrorCode> for AppError {
    fn from(code: ErrorCode) -> Self {
        Self::Refused(code.into())
    }
}
