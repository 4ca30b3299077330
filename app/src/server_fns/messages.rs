//! Messages: reading a page, sending one without a socket.

#![expect(
    missing_docs,
    reason = "the macro writes structs from the arguments, which cannot be documented"
)]

use leptos::prelude::*;
use protocol::{ClientId, ConversationId, Cursor, HistoryPage, Sent, UserId};

use crate::calls::Calls;
use crate::error::AppError;
use crate::json::JsonCall;

/// A page of a conversation. Paging, catching up and links to messages all come here.
///
/// # Errors
/// When not signed in, the conversation is not mine, or the cursor is out of range.
#[server(client = Calls, prefix = "/api", endpoint = "load_history", input = JsonCall, output = JsonCall)]
pub async fn load_history(id: ConversationId, cursor: Cursor) -> Result<HistoryPage, AppError> {
    use crate::context;
    let me = context::signed_in()?;
    context::chat()?.history(me.user.id, id, cursor).await.map_err(context::fail)
}

/// Sends a message: the way without a socket. The same `client_id` gets the same answer, always.
///
/// `sender` is who the page belongs to. When another person has signed in in the same browser
/// since, the cookie is theirs, and the message must not go out under their name.
///
/// # Errors
/// When not signed in as the sender, the conversation is not mine, or the body is refused.
#[server(client = Calls, prefix = "/api", endpoint = "send_message", output = JsonCall)]
pub async fn send_message(
    conversation: ConversationId,
    client_id: ClientId,
    body: String,
    #[server(default)] sender: Option<UserId>,
) -> Result<Sent, AppError> {
    use crate::context;
    let me = context::signed_in()?;
    if sender.is_some_and(|sender| sender != me.user.id) {
        return Err(context::refuse(protocol::ErrorCode::Unauthenticated.into()));
    }
    let chat = context::chat()?;
    chat.send_message(me.user.id, conversation, client_id, &body).await.map_err(context::fail)
}
