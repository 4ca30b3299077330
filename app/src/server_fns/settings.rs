//! Account settings.

use leptos::prelude::*;
use protocol::{Settings, User};

use crate::calls::Calls;
use crate::error::AppError;
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
#[server(client = Calls, prefix = "/api", endpoint = "set_display_name", output = JsonCall)]
pub async fn set_display_name(#[server(default)] display_name: String) -> Result<User, AppError> {
    use crate::{request, response};
    let me = request::signed_in()?;
    request::chat()?.set_display_name(&me.user, &display_name).await.map_err(response::fail)
}

/// Changes whether the caller shares receipts and the last-seen time. A user who does not share
/// them does not see those of others either.
///
/// # Errors
/// When the caller is not signed in, or a rate limit applies.
#[server(client = Calls, prefix = "/api", endpoint = "set_privacy", output = JsonCall)]
pub async fn set_privacy(
    #[server(default)] receipts: bool,
    #[server(default)] last_seen: bool,
) -> Result<(), AppError> {
    use crate::{request, response};
    let me = request::signed_in()?;
    let privacy = protocol::Privacy { receipts, last_seen };
    request::chat()?.set_privacy(me.user.id, privacy).await.map_err(response::fail)
}

/// Changes the caller's password and ends all other sessions.
///
/// # Errors
/// When the caller is not signed in, the current password is wrong, the new one is invalid, or a
/// rate limit applies.
#[server(client = Calls, prefix = "/api", endpoint = "change_password", output = JsonCall)]
pub async fn change_password(current: String, new: String) -> Result<(), AppError> {
    use crate::{client, request, response};
    let me = request::signed_in()?;
    let chat = request::chat()?;
    chat.change_password(&me, &current, &new, client::client()).await.map_err(response::fail)
}

/// Deletes the caller's account and signs out.
///
/// # Errors
/// When the caller is not signed in, the password is wrong, or a rate limit applies.
#[server(client = Calls, prefix = "/api", endpoint = "delete_account", output = JsonCall)]
pub async fn delete_account(password: String) -> Result<(), AppError> {
    use crate::{client, request, response};
    let me = request::signed_in()?;
    let chat = request::chat()?;
    chat.delete_account(&me, &password, client::client()).await.map_err(response::fail)?;
    response::set_cookie(request::session_cookie()?.clear());
    Ok(())
}
