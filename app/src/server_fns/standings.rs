//! Requests, blocks, mutes and reports.

use leptos::prelude::*;
use protocol::{BlockedUser, ConversationId, ConversationPage, ListCursor};

use crate::calls::Calls;
use crate::error::AppError;
use crate::form_call::FormCall;
use crate::json::JsonCall;

/// Returns a page of the caller's requests, newest first.
///
/// # Errors
/// When the caller is not signed in, or a rate limit applies.
#[server(client = Calls, prefix = "/api", endpoint = "list_requests", input = JsonCall, output = JsonCall)]
pub async fn list_requests(after: Option<ListCursor>) -> Result<ConversationPage, AppError> {
    use crate::{request, response};
    let me = request::signed_in()?;
    request::chat()?.requests(me.user.id, after).await.map_err(response::fail)
}

/// Accepts a request, as an answer would.
///
/// # Errors
/// When the caller is not signed in or not a member of the conversation, or a rate limit applies.
#[server(client = Calls, prefix = "/api", endpoint = "accept_request", input = FormCall, output = JsonCall)]
pub async fn accept_request(id: ConversationId) -> Result<(), AppError> {
    use crate::{request, response};
    let me = request::signed_in()?;
    request::chat()?.accept_request(me.caller(), id).await.map_err(response::fail)
}

/// Removes a request from the caller's requests until its sender writes again.
///
/// # Errors
/// When the caller is not signed in or not a member of the conversation, or a rate limit applies.
#[server(client = Calls, prefix = "/api", endpoint = "delete_request", input = FormCall, output = JsonCall)]
pub async fn delete_request(id: ConversationId) -> Result<(), AppError> {
    use crate::{request, response};
    let me = request::signed_in()?;
    request::chat()?.delete_request(me.caller(), id).await.map_err(response::fail)
}

/// Blocks the peer in a conversation, or ends the block.
///
/// # Errors
/// When the caller is not signed in or not a member of the conversation, or a rate limit applies.
#[server(client = Calls, prefix = "/api", endpoint = "set_blocked", input = FormCall, output = JsonCall)]
pub async fn set_blocked(
    id: ConversationId,
    #[server(default)] blocked: bool,
) -> Result<(), AppError> {
    use crate::{request, response};
    let me = request::signed_in()?;
    request::chat()?.set_blocked(me.caller(), id, blocked).await.map_err(response::fail)
}

/// Mutes a conversation for some minutes, or without an end. Zero minutes end the mute.
///
/// # Errors
/// When the caller is not signed in or not a member of the conversation, or a rate limit applies.
#[server(client = Calls, prefix = "/api", endpoint = "mute_conversation", input = FormCall, output = JsonCall)]
pub async fn mute_conversation(
    id: ConversationId,
    #[server(default)] minutes: Option<u32>,
) -> Result<(), AppError> {
    use crate::{request, response};
    let me = request::signed_in()?;
    request::chat()?.mute_for(me.caller(), id, minutes).await.map_err(response::fail)
}

/// Returns the users whom the caller has blocked, the most recently blocked first.
///
/// # Errors
/// When the caller is not signed in, or a rate limit applies.
#[server(client = Calls, prefix = "/api", endpoint = "list_blocked", input = JsonCall, output = JsonCall)]
pub async fn list_blocked() -> Result<Vec<BlockedUser>, AppError> {
    use crate::{request, response};
    let me = request::signed_in()?;
    request::chat()?.blocked_users(me.user.id).await.map_err(response::fail)
}

/// Reports the peer in a conversation to the operator. `messages` are the seqs of the chosen
/// messages, separated by spaces.
///
/// # Errors
/// When the caller is not signed in, the report is invalid, or a rate limit applies.
#[server(client = Calls, prefix = "/api", endpoint = "report", input = FormCall, output = JsonCall)]
pub async fn report(
    conversation: ConversationId,
    messages: String,
    #[server(default)] reason: String,
) -> Result<(), AppError> {
    use crate::{request, response};
    let me = request::signed_in()?;
    let seqs: Result<Vec<_>, _> =
        messages.split_whitespace().map(|seq| seq.parse().map(protocol::Seq)).collect();
    let invalid = |_| response::fail(protocol::ErrorCode::ReportInvalid.into());
    let seqs = seqs.map_err(invalid)?;
    let chat = request::chat()?;
    chat.report(me.caller(), conversation, &seqs, &reason).await.map_err(response::fail)
}
