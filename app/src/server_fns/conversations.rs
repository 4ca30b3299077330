//! Conversations: the list, single entries, opening, read marks.

use leptos::prelude::*;
use protocol::{
    Conversation, ConversationId, ConversationPage, ListCursor, Seq, TickTimes, UserId,
};

use crate::calls::Calls;
use crate::error::AppError;
use crate::form_call::FormCall;
use crate::json::JsonCall;

/// Returns the conversation with a user, and creates it if there is none.
///
/// # Errors
/// When the caller is not signed in, or the user does not exist or is the caller.
#[server(client = Calls, prefix = "/api", endpoint = "open_conversation", input = FormCall, output = JsonCall)]
pub async fn open_conversation(peer: UserId) -> Result<ConversationId, AppError> {
    use crate::{request, response};
    let me = request::signed_in()?;
    request::chat()?.open_conversation(me.caller(), peer).await.map_err(response::fail)
}

/// Returns a page of the list, newest first.
///
/// # Errors
/// When the caller is not signed in.
#[server(client = Calls, prefix = "/api", endpoint = "list_conversations", input = JsonCall, output = JsonCall)]
pub async fn list_conversations(after: Option<ListCursor>) -> Result<ConversationPage, AppError> {
    use crate::{request, response};
    let me = request::signed_in()?;
    request::chat()?.conversations(me.user.id, after).await.map_err(response::fail)
}

/// Returns one conversation, as the list shows it.
///
/// # Errors
/// When the caller is not signed in, or not a member of an existing conversation with this id.
#[server(client = Calls, prefix = "/api", endpoint = "get_conversation", input = JsonCall, output = JsonCall)]
pub async fn get_conversation(id: ConversationId) -> Result<Conversation, AppError> {
    use crate::{request, response};
    let me = request::signed_in()?;
    request::chat()?.conversation(me.user.id, id).await.map_err(response::fail)
}

/// Moves the caller's marks. Marks only move forward, so a repeated or late call has no effect.
///
/// # Errors
/// When the caller is not signed in or not a member of the conversation, or a mark is beyond its
/// end.
#[server(client = Calls, prefix = "/api", endpoint = "mark_conversation", input = FormCall, output = JsonCall)]
pub async fn mark_conversation(
    id: ConversationId,
    delivered: Seq,
    read: Seq,
) -> Result<(), AppError> {
    use crate::{request, response};
    let me = request::signed_in()?;
    let marks = protocol::Marks { delivered: delivered.max(read), read };
    request::chat()?.mark(me.caller(), id, marks).await.map_err(response::fail)
}

/// Returns the peer's marks with their times, for the details of a receipt tick.
///
/// # Errors
/// When the caller is not signed in or not a member of the conversation.
#[server(client = Calls, name = GetTickTimes, prefix = "/api", endpoint = "tick_times", input = JsonCall, output = JsonCall)]
pub async fn tick_times(conversation: ConversationId) -> Result<TickTimes, AppError> {
    use crate::{request, response};
    let me = request::signed_in()?;
    request::chat()?.tick_times(me.user.id, conversation).await.map_err(response::fail)
}
