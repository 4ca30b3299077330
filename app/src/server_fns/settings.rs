//! Account settings.

use leptos::prelude::*;
use protocol::{Settings, User};

use crate::calls::Calls;
use crate::error::AppError;
use crate::form_call::FormCall;
use crate::json::JsonCall;

/// Returns the caller's account and privacy settings.
///
/// # Errors
/// When the caller is not signed in.
#[server(client = Calls, prefix = "/api", endpoint = "get_settings", input = JsonCall, output = JsonCall)]
pub async fn get_settings() -> Result<Settings, AppError> {
    use crate::{request, response};
    let me = request::signed_in()?;
    request::chat()?.settings(me.user.id).await.map_err(response::fail)
}

/// Changes the caller's display name. A blank name stands for the username.
///
/// # Errors
/// When the caller is not signed in, the name is invalid, or a rate limit applies.
#[server(client = Calls, prefix = "/api", endpoint = "set_display_name", input = FormCall, output = JsonCall)]
pub async fn set_display_name(#[server(default)] display_name: String) -> Result<User, AppError> {
    use crate::{request, response};
    let me = request::signed_in()?;
    request::chat()?.set_display_name(&me, &display_name).await.map_err(response::fail)
}

/// Changes whether the caller shares receipts and the last-seen time. A user who does not share
/// them does not see those of others either.
///
/// # Errors
/// When the caller is not signed in, or a rate limit applies.
#[server(client = Calls, prefix = "/api", endpoint = "set_privacy", input = FormCall, output = JsonCall)]
pub async fn set_privacy(
    #[server(default)] receipts: bool,
    #[server(default)] last_seen: bool,
) -> Result<(), AppError> {
    use crate::{request, response};
    let me = request::signed_in()?;
    let privacy = protocol::Privacy { receipts, last_seen };
    request::chat()?.set_privacy(me.caller(), privacy).await.map_err(response::fail)
}

/// Changes the caller's password, replaces the cookie's token and ends all other sessions. Only this
/// device stays known. With `withdraw_invitations`, also withdraws all of the caller's open
/// invitations. An account without a password gets one, after a proof in `passkey`.
///
/// # Errors
/// When the caller is not signed in, the current password is wrong, the new one is invalid, or a
/// rate limit applies.
#[server(client = Calls, prefix = "/api", endpoint = "change_password", input = FormCall, output = JsonCall)]
pub async fn change_password(
    #[server(default)] current: String,
    new: String,
    #[server(default)] withdraw_invitations: bool,
    #[server(default)] passkey: String,
) -> Result<(), AppError> {
    use crate::{client, request, response};
    let me = request::signed_in()?;
    let (chat, cookies) = (request::chat()?, request::server_cookies()?);
    let sent = super::passkeys::SentProof::read(current, &passkey)?;
    let (current, new) = (sent.proof(), &*new);
    let withdraws_invitations = withdraw_invitations;
    let change = chat::PasswordChange { current, new, withdraws_invitations };
    let changed = chat.change_password(&me, change, client::client()).await;
    let tokens = changed.map_err(response::fail)?;
    response::set_cookie(cookies.session.issue(&tokens.session));
    response::set_cookie(cookies.device.issue(tokens.device.as_str()));
    Ok(())
}

/// Deletes the caller's account and signs out, after a proof by password or, in `passkey`, by passkey.
///
/// # Errors
/// When the caller is not signed in, the proof is wrong, or a rate limit applies.
#[server(client = Calls, prefix = "/api", endpoint = "delete_account", input = FormCall, output = JsonCall)]
pub async fn delete_account(
    #[server(default)] password: String,
    #[server(default)] passkey: String,
) -> Result<(), AppError> {
    use crate::{client, request, response};
    let me = request::signed_in()?;
    let chat = request::chat()?;
    let sent = super::passkeys::SentProof::read(password, &passkey)?;
    chat.delete_account(&me, sent.proof(), client::client()).await.map_err(response::fail)?;
    let cookies = request::server_cookies()?;
    response::set_cookie(cookies.session.clear());
    response::set_cookie(cookies.device.clear());
    Ok(())
}
