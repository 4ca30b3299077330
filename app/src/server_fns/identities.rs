//! Identities: the permission to link one, and unlinking. The list is part of [`super::list_passkeys`].

use leptos::prelude::*;
use protocol::{IdentityId, PasskeyState};

use crate::calls::Calls;
use crate::error::AppError;
use crate::form_call::FormCall;
use crate::json::JsonCall;

/// Permits this browser to link an identity, after a proof. The page then opens
/// [`crate::paths::PROVIDER_LINK`].
///
/// # Errors
/// When the caller is not signed in, the proof is wrong, the caller has the maximum number, there is no
/// provider, or a rate limit applies.
#[server(client = Calls, prefix = "/api", endpoint = "permit_identity_link", input = FormCall, output = JsonCall)]
pub async fn permit_identity_link(
    #[server(default)] password: String,
    #[server(default)] passkey: String,
) -> Result<(), AppError> {
    use crate::{client, request, response};
    let (me, chat, from) = (request::signed_in()?, request::chat()?, client::client());
    let sent = super::passkeys::SentProof::read(password, &passkey)?;
    let permitted = chat.permit_identity_link(&me, sent.proof(), from).await;
    let cookie = request::server_cookies()?.provider;
    response::set_cookie(cookie.issue(&permitted.map_err(response::fail)?));
    Ok(())
}

/// Unlinks one of the caller's identities, after a proof, and returns the remaining ways to sign in.
///
/// # Errors
/// When the caller is not signed in or has no such identity, the proof is wrong, the identity is the
/// only way to sign in, or a rate limit applies.
#[server(client = Calls, prefix = "/api", endpoint = "unlink_identity", input = FormCall, output = JsonCall)]
pub async fn unlink_identity(
    id: IdentityId,
    #[server(default)] password: String,
    #[server(default)] passkey: String,
) -> Result<PasskeyState, AppError> {
    use crate::{client, request, response};
    let (me, chat, from) = (request::signed_in()?, request::chat()?, client::client());
    let sent = super::passkeys::SentProof::read(password, &passkey)?;
    chat.unlink_identity(&me, id, sent.proof(), from).await.map_err(response::fail)?;
    super::list_passkeys().await
}

/// Finishes a sign-in through the provider that waits for a code or a username. Returns the path to open.
#[cfg(feature = "ssr")]
pub(crate) async fn finish_provider_sign_in(typed: FinishTyped) -> Result<String, AppError> {
    use crate::{client, request, response};
    let (chat, from) = (request::chat()?, client::client());
    let cookie = request::provider_cookie().unwrap_or_default();
    let finished = match typed {
        FinishTyped::Code(code) => chat.finish_identity_sign_in(&cookie, &code, from).await,
        FinishTyped::Username(name) => chat.sign_up_with_identity(&cookie, &name, from).await,
    };
    let (signed_in, next) = finished.map_err(response::fail)?;
    super::accounts::set_cookies(&signed_in).await?;
    response::set_cookie(request::server_cookies()?.provider.clear());
    Ok(next)
}

/// What a user typed to finish a sign-in.
#[cfg(feature = "ssr")]
pub(crate) enum FinishTyped {
    Code(String),
    Username(String),
}

/// Sets the cookies at the end of a round, and returns the path to open.
///
/// # Errors
/// When a route was set up without the request's context.
#[cfg(feature = "ssr")]
pub async fn leave_round(arrived: chat::Arrived) -> Result<String, AppError> {
    use chat::Arrived;

    use crate::{paths, request, response};
    let cookie = request::server_cookies()?.provider;
    let (value, path) = match arrived {
        Arrived::SignedIn(signed_in, next) => {
            super::accounts::set_cookies(&signed_in).await?;
            (cookie.clear(), next)
        }
        Arrived::Waiting(waiting) => (cookie.issue(&waiting), paths::PROVIDER_FINISH.to_owned()),
        Arrived::Linked => (cookie.clear(), paths::IDENTITIES.to_owned()),
        Arrived::Confirmed(proof) => (cookie.issue(&proof), paths::SETTINGS.to_owned()),
    };
    response::set_cookie(value);
    Ok(path)
}
