//! The list of my sign-ins, and ending them.

#![expect(
    missing_docs,
    reason = "the macro writes structs from the arguments, which cannot be documented"
)]

use leptos::prelude::*;
use protocol::{SessionId, SessionInfo};

use crate::calls::Calls;
use crate::error::AppError;
use crate::json::JsonCall;

/// My sessions: this one, then the others, the last used first.
///
/// # Errors
/// When not signed in.
#[server(client = Calls, prefix = "/api", endpoint = "list_sessions", input = JsonCall, output = JsonCall)]
pub async fn list_sessions() -> Result<Vec<SessionInfo>, AppError> {
    use crate::context;
    let me = context::signed_in()?;
    context::chat()?.sessions(&me).await.map_err(context::fail)
}

/// Ends a session of mine; ending this one is signing out.
///
/// # Errors
/// When not signed in, or it is not mine or has ended.
#[server(client = Calls, prefix = "/api", endpoint = "end_session", output = JsonCall)]
pub async fn end_session(id: SessionId) -> Result<(), AppError> {
    use crate::context;
    let me = context::signed_in()?;
    context::chat()?.end_session(&me, id).await.map_err(context::fail)?;
    if id == me.id {
        context::set_cookie(context::session_cookie()?.clear());
    }
    Ok(())
}

/// Ends all sessions of mine but this one.
///
/// # Errors
/// When not signed in.
#[server(client = Calls, prefix = "/api", endpoint = "end_other_sessions", output = JsonCall)]
pub async fn end_other_sessions() -> Result<(), AppError> {
    use crate::context;
    let me = context::signed_in()?;
    context::chat()?.end_other_sessions(&me).await.map_err(context::fail)
}
