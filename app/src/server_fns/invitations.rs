//! Invitations by link.

use leptos::prelude::*;
use protocol::{ConversationId, Invitation, InvitationInfo, WaitingInvitation};

use crate::calls::Calls;
use crate::error::AppError;
use crate::form_call::FormCall;
use crate::json::JsonCall;

/// Creates an invitation. Only this response contains its token.
///
/// # Errors
/// When the caller is not signed in, invitations are disabled, the caller has too many pending
/// ones, or a rate limit applies.
#[server(client = Calls, prefix = "/api", endpoint = "create_invitation", input = FormCall, output = JsonCall)]
pub async fn create_invitation() -> Result<Invitation, AppError> {
    use crate::{request, response};
    let me = request::signed_in()?;
    request::chat()?.create_invitation(me.caller()).await.map_err(response::fail)
}

/// Returns the caller's pending invitations, newest first.
///
/// # Errors
/// When the caller is not signed in.
#[server(client = Calls, prefix = "/api", endpoint = "list_invitations", input = JsonCall, output = JsonCall)]
pub async fn list_invitations() -> Result<Vec<WaitingInvitation>, AppError> {
    use crate::{request, response};
    let me = request::signed_in()?;
    request::chat()?.waiting_invitations(me.user.id).await.map_err(response::fail)
}

/// Withdraws one of the caller's invitations. A repeated call has no further effect.
///
/// # Errors
/// When the caller is not signed in, or a rate limit applies.
#[server(client = Calls, prefix = "/api", endpoint = "withdraw_invitation", input = FormCall, output = JsonCall)]
pub async fn withdraw_invitation(id: String) -> Result<(), AppError> {
    use crate::{request, response};
    let me = request::signed_in()?;
    request::chat()?.withdraw_invitation(me.caller(), &id).await.map_err(response::fail)
}

/// Returns the inviter of an invitation. Callers need not be signed in.
///
/// # Errors
/// When the invitation is invalid, or a rate limit applies.
#[server(client = Calls, prefix = "/api", endpoint = "get_invitation", input = JsonCall, output = JsonCall)]
pub async fn get_invitation(token: String) -> Result<InvitationInfo, AppError> {
    use crate::{client, request, response};
    let from = client::client().address;
    request::chat()?.invitation(&token, from).await.map_err(response::fail)
}

/// Accepts an invitation as a signed-in user. Returns the conversation with the inviter.
///
/// # Errors
/// When the caller is not signed in, the invitation is invalid or the caller's own, or a rate limit
/// applies.
#[server(client = Calls, prefix = "/api", endpoint = "accept_invitation", input = FormCall, output = JsonCall)]
pub async fn accept_invitation(token: String) -> Result<ConversationId, AppError> {
    use crate::{client, request, response};
    let me = request::signed_in()?;
    let from = client::client().address;
    request::chat()?.accept_invitation(&me, &token, from).await.map_err(response::fail)
}
