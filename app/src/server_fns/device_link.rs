//! Links by which a signed-in device signs in another one.

use leptos::prelude::*;
use protocol::{DeviceLink, DeviceLinkState, User};

use crate::calls::Calls;
use crate::error::AppError;
use crate::form_call::FormCall;
use crate::json::JsonCall;

/// Makes a link that signs in another device of the caller, after a proof by password or, in
/// `passkey`, by passkey. An earlier link ends.
///
/// # Errors
/// When the caller is not signed in, the proof is wrong, or a rate limit applies.
#[server(client = Calls, prefix = "/api", endpoint = "create_device_link", input = FormCall, output = JsonCall)]
pub async fn create_device_link(
    #[server(default)] password: String,
    #[server(default)] passkey: String,
) -> Result<DeviceLink, AppError> {
    use crate::components::QrCode;
    use crate::{client, paths, request, response};
    let (me, chat, from) = (request::signed_in()?, request::chat()?, client::client());
    let sent = super::passkeys::SentProof::read(password, &passkey)?;
    let made = chat.create_device_link(&me, sent.proof(), from).await.map_err(response::fail)?;
    let origin = request::addresses().split(' ').next().unwrap_or_default().to_owned();
    let link = origin + &paths::device_link(&made.token);
    let label = request::language().device_link().qr_code;
    let qr = view! { <QrCode text=link.clone() label=label /> }.to_html();
    let valid_seconds = u32::try_from(made.life.as_secs()).unwrap_or(u32::MAX);
    Ok(DeviceLink { id: made.id, link, qr, valid_seconds })
}

/// Returns what became of a link that the caller's session made.
///
/// # Errors
/// When the caller is not signed in, or a rate limit applies.
#[server(client = Calls, prefix = "/api", endpoint = "get_device_link", input = JsonCall, output = JsonCall)]
pub async fn get_device_link(id: String) -> Result<DeviceLinkState, AppError> {
    use crate::{request, response};
    let me = request::signed_in()?;
    request::chat()?.device_link_state(&me, &id).await.map_err(response::fail)
}

/// Ends an unused link that the caller's session made. A repeated call has no further effect.
///
/// # Errors
/// When the caller is not signed in, or a rate limit applies.
#[server(client = Calls, prefix = "/api", endpoint = "withdraw_device_link", input = FormCall, output = JsonCall)]
pub async fn withdraw_device_link(id: String) -> Result<(), AppError> {
    use crate::{request, response};
    let me = request::signed_in()?;
    request::chat()?.withdraw_device_link(&me, &id).await.map_err(response::fail)
}

/// Returns the user whom a link would sign in. The link stays valid.
///
/// # Errors
/// When the link is not valid, or a rate limit applies.
#[server(client = Calls, prefix = "/api", endpoint = "get_linked_user", input = JsonCall, output = JsonCall)]
pub async fn get_linked_user(token: String) -> Result<User, AppError> {
    use crate::{client, request, response};
    let from = client::client().address;
    request::chat()?.device_link(&token, from).await.map_err(response::fail)
}

/// Signs in by a link, which is used up.
///
/// # Errors
/// When the link is not valid, the browser is signed in already, or a rate limit applies.
#[server(client = Calls, prefix = "/api", endpoint = "sign_in_by_link", input = FormCall, output = JsonCall)]
pub async fn sign_in_by_link(token: String) -> Result<(), AppError> {
    use super::accounts::set_cookies;
    use crate::{client, request, response};
    use protocol::ErrorCode;
    if request::session().is_some() {
        return Err(response::refuse(ErrorCode::SignedInAlready.into()));
    }
    let (chat, from) = (request::chat()?, client::client());
    let signed_in = chat.sign_in_by_link(&token, from).await.map_err(response::fail)?;
    set_cookies(&signed_in).await
}
