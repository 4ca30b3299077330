//! Bringing someone in by a link.

#![expect(
    missing_docs,
    reason = "the macro writes structs from the arguments, which cannot be documented"
)]

use leptos::prelude::*;
use protocol::{ConversationId, Invitation, InvitationInfo};

use crate::error::AppError;
use crate::json::JsonCall;

/// Makes an invitation of mine; its token is told this once.
///
/// # Errors
/// When not signed in, nobody may be invited, too many of mine wait, or when to try again.
#[server(prefix = "/api", endpoint = "create_invitation", output = JsonCall)]
pub async fn create_invitation() -> Result<Invitation, AppError> {
    use crate::context;
    let me = context::signed_in()?;
    context::chat()?.create_invitation(me.user.id).await.map_err(context::fail)
}

/// Whose invitation this is; also for those who are not signed in.
///
/// # Errors
/// When it is not good, or when to try again.
#[server(prefix = "/api", endpoint = "get_invitation", input = JsonCall, output = JsonCall)]
pub async fn get_invitation(token: String) -> Result<InvitationInfo, AppError> {
    use crate::context;
    let from = context::client().address;
    context::chat()?.invitation(&token, from).await.map_err(context::fail)
}

/// Uses an invitation up, for someone who has an account: brings the conversation with whoever
/// made it.
///
/// # Errors
/// When not signed in, it is not good or one's own, or when to try again.
#[server(prefix = "/api", endpoint = "accept_invitation", output = JsonCall)]
pub async fn accept_invitation(token: String) -> Result<ConversationId, AppError> {
    use crate::context;
    let me = context::signed_in()?;
    let from = context::client().address;
    context::chat()?.accept_invitation(&me.user, &token, from).await.map_err(context::fail)
}
