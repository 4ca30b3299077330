//! Signing up, in and out.

#![expect(
    missing_docs,
    reason = "the macro writes structs from the arguments, which cannot be documented"
)]

use leptos::prelude::*;
use protocol::ConversationId;

use crate::error::AppError;
use crate::json::JsonCall;

/// Creates an account and signs in. With an invitation, brings the conversation with whoever made
/// it.
///
/// # Errors
/// What is wrong with a field or the invitation, that registration is closed, or when to try again.
#[server(prefix = "/api", endpoint = "sign_up", output = JsonCall)]
pub async fn sign_up(
    username: String,
    #[server(default)] display_name: String,
    password: String,
    #[server(default)] invitation: Option<String>,
) -> Result<Option<ConversationId>, AppError> {
    use crate::context;
    let (chat, from) = (context::chat()?, context::client());
    let made = match invitation.filter(|token| !token.is_empty()) {
        None => chat.sign_up(&username, &display_name, &password, from).await.map(|me| (me, None)),
        Some(token) => chat
            .sign_up_invited(&token, &username, &display_name, &password, from)
            .await
            .map(|(me, conversation)| (me, Some(conversation))),
    };
    let (signed_in, conversation) = made.map_err(context::fail)?;
    context::set_cookie(context::session_cookie()?.issue(&signed_in.token));
    Ok(conversation)
}

/// Signs in.
///
/// # Errors
/// That name and password do not fit, or when to try again.
#[server(prefix = "/api", endpoint = "sign_in", output = JsonCall)]
pub async fn sign_in(username: String, password: String) -> Result<(), AppError> {
    use crate::context;
    let chat = context::chat()?;
    let signed_in =
        chat.sign_in(&username, &password, context::client()).await.map_err(context::fail)?;
    context::set_cookie(context::session_cookie()?.issue(&signed_in.token));
    Ok(())
}

/// Ends this session. Doing it twice is the same as once.
///
/// # Errors
/// When the store cannot be written.
#[server(prefix = "/api", endpoint = "sign_out", output = JsonCall)]
pub async fn sign_out() -> Result<(), AppError> {
    use crate::context;
    if let Some(session) = context::session() {
        context::chat()?.sign_out(session.id).await.map_err(context::fail)?;
    }
    context::set_cookie(context::session_cookie()?.clear());
    Ok(())
}
