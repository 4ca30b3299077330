//! The user's sessions: listing and ending them.

use leptos::prelude::*;
use protocol::{SessionId, SessionInfo};

use crate::calls::Calls;
use crate::error::AppError;
use crate::form_call::FormCall;
use crate::json::JsonCall;

/// Returns the caller's sessions: the current one, then the others, most recently used first.
///
/// # Errors
/// When the caller is not signed in.
#[server(client = Calls, prefix = "/api", endpoint = "list_sessions", input = JsonCall, output = JsonCall)]
pub async fn list_sessions() -> Result<Vec<SessionInfo>, AppError> {
    use crate::{request, response};
    let me = request::signed_in()?;
    request::chat()?.sessions(&me).await.map_err(response::fail)
}

/// Ends one of the caller's sessions. Ending the current one signs out.
///
/// # Errors
/// When the caller is not signed in, or has no active session with this id.
#[server(client = Calls, prefix = "/api", endpoint = "end_session", input = FormCall, output = JsonCall)]
pub async fn end_session(id: SessionId) -> Result<(), AppError> {
    use crate::{request, response};
    let me = request::signed_in()?;
    request::chat()?.end_session(&me, id).await.map_err(response::fail)?;
    if id == me.id {
        response::set_cookie(request::session_cookie()?.clear());
    }
    Ok(())
}

/// Ends all of the caller's sessions except the current one.
///
/// # Errors
/// When the caller is not signed in.
#[server(client = Calls, prefix = "/api", endpoint = "end_other_sessions", input = FormCall, output = JsonCall)]
pub async fn end_other_sessions() -> Result<(), AppError> {
    use crate::{request, response};
    let me = request::signed_in()?;
    request::chat()?.end_other_sessions(&me).await.map_err(response::fail)
}
