//! Sign-up, sign-in and sign-out.

use leptos::prelude::*;
use protocol::ConversationId;

use crate::calls::Calls;
use crate::error::AppError;
use crate::form_call::FormCall;
use crate::json::JsonCall;

/// Creates an account and signs in. With an invitation, returns the conversation with the inviter.
/// A missing username is derived from the display name.
///
/// # Errors
/// When a field or the invitation is invalid, registration is closed, or a rate limit applies.
#[server(client = Calls, prefix = "/api", endpoint = "sign_up", input = FormCall, output = JsonCall)]
pub async fn sign_up(
    #[server(default)] username: String,
    #[server(default)] display_name: String,
    password: String,
    #[server(default)] invitation: Option<String>,
) -> Result<Option<ConversationId>, AppError> {
    use crate::{client, request, response};
    let (chat, from) = (request::chat()?, client::client());
    let invitation = invitation.filter(|token| !token.is_empty());
    let username = username_or_made(username, &display_name, invitation.as_deref()).await?;
    let made = match invitation {
        None => chat.sign_up(&username, &display_name, &password, from).await.map(|me| (me, None)),
        Some(token) => {
            chat.sign_up_invited(&token, &username, &display_name, &password, from).await
        }
    };
    let (signed_in, conversation) = made.map_err(response::fail)?;
    set_cookies(&signed_in).await?;
    Ok(conversation)
}

/// Replaces the session of the browser, and lets the browser keep that the user signed in here.
#[cfg(feature = "ssr")]
pub(super) async fn set_cookies(signed_in: &chat::SignedIn) -> Result<(), AppError> {
    use crate::{request, response};
    request::end_session_before().await;
    let cookies = request::server_cookies()?;
    response::set_cookie(cookies.session.issue(&signed_in.token));
    response::set_cookie(cookies.device.issue(signed_in.device_token.as_str()));
    Ok(())
}

/// Returns the typed username, or one derived from the display name if none was typed.
#[cfg(feature = "ssr")]
pub(super) async fn username_or_made(
    typed: String,
    display_name: &str,
    invitation: Option<&str>,
) -> Result<String, AppError> {
    match typed.trim() {
        "" => made_from(display_name, invitation).await,
        _ => Ok(typed),
    }
}

/// Returns a free username derived from a display name. Empty if none can be derived; sign-up then
/// refuses it as invalid.
#[cfg(feature = "ssr")]
async fn made_from(display_name: &str, invitation: Option<&str>) -> Result<String, AppError> {
    use crate::language::Language;
    use crate::{client, request, response, text};
    if display_name.len() > protocol::limits::MAX_DISPLAY_NAME_BYTES {
        return Err(response::refuse(protocol::ErrorCode::DisplayNameInvalid.into()));
    }
    let wanted = text::username(display_name, request::language() == Language::German);
    // A name of one or two letters is too short for a username, but not with a number appended.
    let wanted = if wanted.is_empty() { display_name.trim().to_lowercase() } else { wanted };
    let from = client::client().address;
    let free = request::chat()?.free_usernames(&wanted, invitation, from).await;
    Ok(free.map_err(response::fail)?.into_iter().next().unwrap_or_default())
}

/// Returns free usernames similar to the wanted one, at most two.
///
/// # Errors
/// When the caller may not sign up this way, or a rate limit applies.
#[server(client = Calls, prefix = "/api", endpoint = "free_usernames", input = JsonCall, output = JsonCall)]
pub async fn free_usernames(
    wanted: String,
    invitation: Option<String>,
) -> Result<Vec<String>, AppError> {
    use crate::{client, request, response};
    let from = client::client().address;
    let invitation = invitation.as_deref().filter(|token| !token.is_empty());
    let free = request::chat()?.free_usernames(&wanted, invitation, from).await;
    free.map_err(response::fail)
}

/// Signs in. `code` is a code of the user's authenticator app or a recovery code, for an account
/// with two-step sign-in.
///
/// # Errors
/// When the username, the password or the code is wrong, a code is needed, or a rate limit applies.
#[server(client = Calls, prefix = "/api", endpoint = "sign_in", input = FormCall, output = JsonCall)]
pub async fn sign_in(
    username: String,
    password: String,
    #[server(default)] code: String,
) -> Result<(), AppError> {
    use crate::{client, request, response};
    let (chat, from) = (request::chat()?, client::client());
    let signed_in = chat.sign_in_with_code(&username, &password, &code, from).await;
    set_cookies(&signed_in.map_err(response::fail)?).await?;
    Ok(())
}

/// Ends this session, and a round to the provider. A repeated call has no further effect. The device stays
/// known.
///
/// # Errors
/// When the store cannot be written.
#[server(client = Calls, prefix = "/api", endpoint = "sign_out", input = FormCall, output = JsonCall)]
pub async fn sign_out() -> Result<(), AppError> {
    use crate::{request, response};
    if let Some(session) = request::session() {
        request::chat()?.sign_out(session.id).await.map_err(response::fail)?;
    }
    response::set_cookie(request::session_cookie()?.clear());
    // The next user of the browser must not find a sign-in that waits.
    if request::provider_cookie().is_some() {
        response::set_cookie(request::server_cookies()?.provider.clear());
    }
    Ok(())
}
