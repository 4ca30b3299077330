//! What a server function answers when it did not do what was asked.
//!
//! Made only by `context::fail` on the server and by the transport in the browser. Pages match on
//! the code and say it in their own words ([`crate::words`]); nothing internal is in here.

use leptos::server_fn::error::{FromServerFnError, ServerFnErrorErr};
use protocol::{ErrorCode, Refusal, Retry};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::json::Json;

/// Why a call brought nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AppError {
    /// The server said no.
    #[error("refused: {0}")]
    Refused(Refusal),
    /// No answer came: the network or the server is away. Nothing is known of what was done.
    #[error("the server was not reached")]
    Unreached,
}

impl AppError {
    /// The refusal's code; `None` when no answer came.
    pub fn code(self) -> Option<ErrorCode> {
        match self {
            Self::Refused(refusal) => Some(refusal.code),
            Self::Unreached => None,
        }
    }

    /// Whether the same call can succeed later.
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
                crate::context::set_status(axum::http::StatusCode::UNPROCESSABLE_ENTITY);
                ErrorCode::Malformed.into()
            }
            // On the server the request's own encoding was not readable.
            #[cfg(feature = "ssr")]
            ServerFnErrorErr::Deserialization(_) => {
                crate::context::set_status(axum::http::StatusCode::UNPROCESSABLE_ENTITY);
                ErrorCode::Malformed.into()
            }
            #[cfg(feature = "ssr")]
            _ => ErrorCode::Internal.into(),
            // In the browser: no answer, or one that is not ours (a proxy's error page).
            #[cfg(not(feature = "ssr"))]
            _ => Self::Unreached,
        }
    }
}
