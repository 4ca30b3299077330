//! Turns an error of the transport of server functions into an [`AppError`].

use leptos::server_fn::error::{FromServerFnError, ServerFnErrorErr};
use protocol::ErrorCode;

use crate::error::AppError;
use crate::json::Json;

impl FromServerFnError for AppError {
    type Encoder = Json;

    fn from_server_fn_error(error: ServerFnErrorErr) -> Self {
        match error {
            #[cfg(not(feature = "ssr"))]
            ServerFnErrorErr::Args(_) | ServerFnErrorErr::MissingArg(_) => {
                ErrorCode::Malformed.into()
            }
            // The request could not be decoded.
            #[cfg(feature = "ssr")]
            ServerFnErrorErr::Args(_)
            | ServerFnErrorErr::MissingArg(_)
            | ServerFnErrorErr::Deserialization(_) => {
                crate::response::refuse(ErrorCode::Malformed.into())
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
