//! Conversations: the list, one of them, opening one, how far one has come in it.

#![expect(
    missing_docs,
    reason = "the macro writes structs from the arguments, which cannot be documented"
)]

use leptos::prelude::*;
use protocol::{
    Conversation, ConversationId, ConversationPage, ListCursor, Seq, TickTimes, UserId,
};

use crate::calls::Calls;
use crate::error::AppError;
use crate::json::JsonCall;

/// The conversation with a person, made if there is none.
///
/// # Errors
/// When not signed in, or there is no such person, or it is oneself.
#[server(client = Calls, prefix = "/api", endpoint = "open_conversation", output = JsonCall)]
pub async fn open_conversation(peer: UserId) -> Result<ConversationId, AppError> {
    use crate::context;
    let me = context::signed_in()?;
    context::chat()?.open_conversation(me.user.id, peer).await.map_err(context::fail)
}

/// A page of the list, newest first.
///
/// # Errors
/// When not signed in.
#[server(client = Calls, prefix = "/api", endpoint = "list_conversations", input = JsonCall, output = JsonCall)]
pub async fn list_conversations(after: Option<ListCursor>) -> Result<ConversationPage, AppError> {
    use crate::context;
    let me = context::signed_in()?;
    context::chat()?.conversations(me.user.id, after).await.map_err(context::fail)
}

/// One conversation, as the list shows it.
///
/// # Errors
/// When not signed in, or it is not mine or does not exist.
#[server(client = Calls, prefix = "/api", endpoint = "get_conversation", input = JsonCall, output = JsonCall)]
pub async fn get_conversation(id: ConversationId) -> Result<Conversation, AppError> {
    use crate::context;
    let me = context::signed_in()?;
    context::chat()?.conversation(me.user.id, id).await.map_err(context::fail)
}

/// Says how far I have come. Marks only move forward, so a repeat or a late one does nothing.
///
/// # Errors
/// When not signed in, the conversation is not mine, or a mark is past its end.
#[server(client = Calls, prefix = "/api", endpoint = "mark_conversation", output = JsonCall)]
pub async fn mark_conversation(
    id: ConversationId,
    delivered: Seq,
    read: Seq,
) -> Result<(), AppError> {
    use crate::context;
    let me = context::signed_in()?;
    let marks = protocol::Marks { delivered: delivered.max(read), read };
    context::chat()?.mark(me.user.id, id, marks).await.map_err(context::fail)
}

/// How far the peer has come, and when: the why of a tick.
///
/// # Errors
/// When not signed in, or the conversation is not mine.
#[server(client = Calls, name = GetTickTimes, prefix = "/api", endpoint = "tick_times", input = JsonCall, output = JsonCall)]
pub async fn tick_times(conversation: ConversationId) -> Result<TickTimes, AppError> {
    use crate::context;
    let me = context::signed_in()?;
    context::chat()?.tick_times(me.user.id, conversation).await.map_err(context::fail)
}
