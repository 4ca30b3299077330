//! Signing up, in and out.

#![expect(
    missing_docs,
    reason = "the macro writes structs from the arguments, which cannot be documented"
)]

use leptos::prelude::*;
use protocol::ConversationId;

use crate::calls::Calls;
use crate::error::AppError;
use crate::json::JsonCall;

/// Creates an account and signs in. With an invitation, brings the conversation with whoever made
/// it. Without a username, one is made from the display name.
///
/// # Errors
/// What is wrong with a field or the invitation, that registration is closed, or when to try again.
#[server(client = Calls, prefix = "/api", endpoint = "sign_up", output = JsonCall)]
pub async fn sign_up(
    #[server(default)] username: String,
    #[server(default)] display_name: String,
    password: String,
    #[server(default)] invitation: Option<String>,
) -> Result<Option<ConversationId>, AppError> {
    use crate::context;
    let (chat, from) = (context::chat()?, context::client());
    let invitation = invitation.filter(|token| !token.is_empty());
    let username = match username.trim() {
        "" => made_from(&display_name, invitation.as_deref()).await?,
        _ => username,
    };
    let made = match invitation {
        None => chat.sign_up(&username, &display_name, &password, from).await.map(|me| (me, None)),
        Some(token) => {
            chat.sign_up_invited(&token, &username, &display_name, &password, from).await
        }
    };
    let (signed_in, conversation) = made.map_err(context::fail)?;
    context::end_session_before().await;
    context::set_cookie(context::session_cookie()?.issue(&signed_in.token));
    Ok(conversation)
}

/// A free username for somebody of this name; empty, which is refused as such, where none can be made.
#[cfg(feature = "ssr")]
async fn made_from(display_name: &str, invitation: Option<&str>) -> Result<String, AppError> {
    use crate::language::Language;
    use crate::{context, text};
    let wanted = text::username(display_name, context::language() == Language::German);
    // One of a single letter or two has no username of its own, but one with a number.
    let wanted = if wanted.is_empty() { display_name.trim().to_lowercase() } else { wanted };
    let from = context::client().address;
    let free = context::chat()?.free_usernames(&wanted, invitation, from).await;
    Ok(free.map_err(context::fail)?.into_iter().next().unwrap_or_default())
}

/// Usernames like the one that is wanted, which can be had: two at most.
///
/// # Errors
/// When nobody may sign up so, or when to try again.
#[server(client = Calls, prefix = "/api", endpoint = "free_usernames", input = JsonCall, output = JsonCall)]
pub async fn free_usernames(
    wanted: String,
    invitation: Option<String>,
) -> Result<Vec<String>, AppError> {
    use crate::context;
    let from = context::client().address;
    let invitation = invitation.as_deref().filter(|token| !token.is_empty());
    let free = context::chat()?.free_usernames(&wanted, invitation, from).await;
    free.map_err(context::fail)
}

/// Signs in.
///
/// # Errors
/// That name and password do not fit, or when to try again.
#[server(client = Calls, prefix = "/api", endpoint = "sign_in", output = JsonCall)]
pub async fn sign_in(username: String, password: String) -> Result<(), AppError> {
    use crate::context;
    let chat = context::chat()?;
    let signed_in =
        chat.sign_in(&username, &password, context::client()).await.map_err(context::fail)?;
    context::end_session_before().await;
    context::set_cookie(context::session_cookie()?.issue(&signed_in.token));
    Ok(())
}

/// Ends this session. Doing it twice is the same as once.
///
/// # Errors
/// When the store cannot be written.
#[server(client = Calls, prefix = "/api", endpoint = "sign_out", output = JsonCall)]
pub async fn sign_out() -> Result<(), AppError> {
    use crate::context;
    if let Some(session) = context::session() {
        context::chat()?.sign_out(session.id).await.map_err(context::fail)?;
    }
    context::set_cookie(context::session_cookie()?.clear());
    Ok(())
}
