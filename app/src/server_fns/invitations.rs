//! Bringing someone in by a link.

#![expect(
    missing_docs,
    reason = "the macro writes structs from the arguments, which cannot be documented"
)]

use leptos::prelude::*;
use protocol::{ConversationId, Invitation, InvitationInfo, WaitingInvitation};

use crate::calls::Calls;
use crate::error::AppError;
use crate::json::JsonCall;

/// Makes an invitation of mine; its token is told this once.
///
/// # Errors
/// When not signed in, nobody may be invited, too many of mine wait, or when to try again.
#[server(client = Calls, prefix = "/api", endpoint = "create_invitation", output = JsonCall)]
pub async fn create_invitation() -> Result<Invitation, AppError> {
    use crate::context;
    let me = context::signed_in()?;
    context::chat()?.create_invitation(me.user.id).await.map_err(context::fail)
}

/// My invitations that wait to be used, the newest first.
///
/// # Errors
/// When not signed in.
#[server(client = Calls, prefix = "/api", endpoint = "list_invitations", input = JsonCall, output = JsonCall)]
pub async fn list_invitations() -> Result<Vec<WaitingInvitation>, AppError> {
    use crate::context;
    let me = context::signed_in()?;
    context::chat()?.waiting_invitations(me.user.id).await.map_err(context::fail)
}

/// Withdraws an invitation of mine, by its id. Twice is the same as once.
///
/// # Errors
/// When not signed in, or when to try again.
#[server(client = Calls, prefix = "/api", endpoint = "withdraw_invitation", output = JsonCall)]
pub async fn withdraw_invitation(id: String) -> Result<(), AppError> {
    use crate::context;
    let me = context::signed_in()?;
    context::chat()?.withdraw_invitation(me.user.id, &id).await.map_err(context::fail)
}

/// Whose invitation this is; also for those who are not signed in.
///
/// # Errors
/// When it is not good, or when to try again.
#[server(client = Calls, prefix = "/api", endpoint = "get_invitation", input = JsonCall, output = JsonCall)]
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
#[server(client = Calls, prefix = "/api", endpoint = "accept_invitation", output = JsonCall)]
pub async fn accept_invitation(token: String) -> Result<ConversationId, AppError> {
    use crate::context;
    let me = context::signed_in()?;
    let from = context::client().address;
    context::chat()?.accept_invitation(&me.user, &token, from).await.map_err(context::fail)
}
