//! Messages: history pages, and sending without a socket.

use leptos::prelude::*;
use protocol::{ClientId, ConversationId, Cursor, HistoryPage, Sent, UserId};

use crate::calls::Calls;
use crate::error::AppError;
use crate::form_call::FormCall;
use crate::json::JsonCall;

/// Returns a page of a conversation's history, for paging, resync and links to messages.
///
/// # Errors
/// When the caller is not signed in or not a member of the conversation, or the cursor is out of
/// range.
#[server(client = Calls, prefix = "/api", endpoint = "load_history", input = JsonCall, output = JsonCall)]
pub async fn load_history(id: ConversationId, cursor: Cursor) -> Result<HistoryPage, AppError> {
    use crate::{request, response};
    let me = request::signed_in()?;
    request::chat()?.history(me.user.id, id, cursor).await.map_err(response::fail)
}

/// Sends a message without a socket. A repeated `client_id` returns the first answer.
///
/// `sender` is the user of the page. If another user has signed in in the same browser since, the
/// cookie is theirs, and the message must not be sent in their name.
///
/// # Errors
/// When the caller is not signed in as `sender` or not a member of the conversation, or the body is
/// invalid.
#[server(client = Calls, prefix = "/api", endpoint = "send_message", input = FormCall, output = JsonCall)]
pub async fn send_message(
    conversation: ConversationId,
    client_id: ClientId,
    body: String,
    #[server(default)] sender: Option<UserId>,
) -> Result<Sent, AppError> {
    use crate::{request, response};
    let me = request::signed_in()?;
    if sender.is_some_and(|sender| sender != me.user.id) {
        return Err(response::refuse(protocol::ErrorCode::Unauthenticated.into()));
    }
    let chat = request::chat()?;
    chat.send_message(me.caller(), conversation, client_id, &body).await.map_err(response::fail)
}
