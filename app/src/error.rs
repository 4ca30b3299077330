//! The error type of server functions.
//!
//! Only `response::fail` on the server and the transport in the browser create it. Pages match on
//! the code and show their own text ([`crate::error_messages`]). It contains no internal details.

use leptos::server_fn::error::{FromServerFnError, ServerFnErrorErr};
use protocol::{ErrorCode, Refusal, Retry};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::json::Json;

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

impl FromServerFnError for AppError {
    type Encoder = Json;

    fn from_server_fn_error(error: ServerFnErrorErr) -> Self {
        match error {
            ServerFnErrorErr::Args(_) | ServerFnErrorErr::MissingArg(_) => {
                #[cfg(feature = "ssr")]
                crate::response::set_status(axum::http::StatusCode::UNPROCESSABLE_ENTITY);
                ErrorCode::Malformed.into()
            }
            // On the server: the request could not be decoded.
            #[cfg(feature = "ssr")]
            ServerFnErrorErr::Deserialization(_) => {
                crate::response::set_status(axum::http::StatusCode::UNPROCESSABLE_ENTITY);
                ErrorCode::Malformed.into()
            }
            #[cfg(feature = "ssr")]
            _ => ErrorCode::Internal.into(),
            // In the browser: no response, or a response from elsewhere, such as a proxy's error
            // page.
            #[cfg(not(feature = "ssr"))]
            _ => Self::Unreached,
        }
    }
}
