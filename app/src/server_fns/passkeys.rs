//! Passkeys: the list of the caller's, their addition and removal, and the sign-in and sign-up with
//! them.

use leptos::prelude::*;
use protocol::{ConversationId, PasskeyCeremony, PasskeyId, PasskeyState};

use crate::calls::Calls;
use crate::error::AppError;
use crate::form_call::FormCall;
use crate::json::JsonCall;

/// The proof of a change that a call has sent.
#[cfg(feature = "ssr")]
pub(super) struct SentProof {
    password: String,
    passkey: Option<protocol::PasskeyAnswer>,
    /// The browser's proof by the provider, or an empty text that proves nothing.
    identity: Option<String>,
}

#[cfg(feature = "ssr")]
impl SentProof {
    /// `passkey` is a [`protocol::PasskeyAnswer`] as JSON, or empty for a proof by password. Where the
    /// operator has set a provider, a call without either is proved by the browser's cookie, which the
    /// answer then deletes: the call uses the proof up, or the proof was none.
    pub(super) fn read(password: String, passkey: &str) -> Result<Self, AppError> {
        use crate::{request, response};
        let by_identity =
            password.is_empty() && passkey.is_empty() && !request::provider_name().is_empty();
        let identity = by_identity.then(|| request::provider_cookie().unwrap_or_default());
        if by_identity {
            response::set_cookie(request::server_cookies()?.provider.clear());
        }
        let passkey = (!passkey.is_empty()).then(|| answer(passkey)).transpose()?;
        Ok(Self { password, passkey, identity })
    }

    pub(super) fn proof(&self) -> chat::Proof<'_> {
        match (&self.passkey, &self.identity) {
            (Some(answer), _) => answer.into(),
            (None, Some(proof)) => chat::Proof::Identity(proof),
            (None, None) => self.password.as_str().into(),
        }
    }
}

/// Reads the answer of an authenticator.
#[cfg(feature = "ssr")]
fn answer(text: &str) -> Result<protocol::PasskeyAnswer, AppError> {
    use crate::response;
    let read = serde_json::from_str(text);
    read.map_err(|_| response::refuse(protocol::ErrorCode::PasskeyRefused.into()))
}

/// Returns the caller's passkeys, and the sign-in provider.
///
/// # Errors
/// When the caller is not signed in.
#[server(client = Calls, prefix = "/api", endpoint = "list_passkeys", input = JsonCall, output = JsonCall)]
pub async fn list_passkeys() -> Result<PasskeyState, AppError> {
    use crate::{request, response};
    let me = request::signed_in()?;
    let chat = request::chat()?;
    let (passkeys, has_password) = chat.passkeys(me.user.id).await.map_err(response::fail)?;
    let cookie = request::provider_cookie();
    let provider = chat.identities(&me, cookie.as_deref()).await.map_err(response::fail)?;
    Ok(PasskeyState { support: request::passkey_support(), has_password, passkeys, provider })
}

/// Begins a proof of the caller with one of their passkeys.
///
/// # Errors
/// When the caller is not signed in, passkeys do not work at this address, or a rate limit applies.
#[server(client = Calls, prefix = "/api", endpoint = "begin_passkey_proof", input = FormCall, output = JsonCall)]
pub async fn begin_passkey_proof() -> Result<PasskeyCeremony, AppError> {
    use crate::{request, response};
    let me = request::signed_in()?;
    request::chat()?.begin_passkey_proof(&me).await.map_err(response::fail)
}

/// Begins to add a passkey, after a proof by password or, in `passkey`, by another passkey.
///
/// # Errors
/// When the caller is not signed in, the proof is wrong, passkeys do not work at this address, the
/// caller has the maximum number, or a rate limit applies.
#[server(client = Calls, prefix = "/api", endpoint = "begin_passkey", input = FormCall, output = JsonCall)]
pub async fn begin_passkey(
    #[server(default)] password: String,
    #[server(default)] passkey: String,
) -> Result<PasskeyCeremony, AppError> {
    use crate::{client, request, response};
    let (me, chat, from) = (request::signed_in()?, request::chat()?, client::client());
    let sent = SentProof::read(password, &passkey)?;
    chat.begin_passkey(&me, sent.proof(), from).await.map_err(response::fail)
}

/// Adds the passkey that an authenticator has made, and returns the caller's passkeys.
///
/// # Errors
/// When the caller is not signed in, the passkey is refused or its name is invalid, the caller has
/// the maximum number, or a rate limit applies.
#[server(client = Calls, prefix = "/api", endpoint = "add_passkey", input = FormCall, output = JsonCall)]
pub async fn add_passkey(
    passkey: String,
    #[server(default)] name: String,
) -> Result<PasskeyState, AppError> {
    use crate::{client, request, response};
    let (me, chat, from) = (request::signed_in()?, request::chat()?, client::client());
    let added = chat.add_passkey(&me, &answer(&passkey)?, &name, from).await;
    added.map_err(response::fail)?;
    list_passkeys().await
}

/// Renames one of the caller's passkeys, and returns them all.
///
/// # Errors
/// When the caller is not signed in or has no such passkey, the name is invalid, or a rate limit
/// applies.
#[server(client = Calls, prefix = "/api", endpoint = "rename_passkey", input = FormCall, output = JsonCall)]
pub async fn rename_passkey(
    id: PasskeyId,
    #[server(default)] name: String,
) -> Result<PasskeyState, AppError> {
    use crate::{request, response};
    let me = request::signed_in()?;
    request::chat()?.rename_passkey(&me, id, &name).await.map_err(response::fail)?;
    list_passkeys().await
}

/// Removes one of the caller's passkeys, after a proof, and returns the others.
///
/// # Errors
/// When the caller is not signed in or has no such passkey, the proof is wrong, the passkey is the
/// only way to sign in, or a rate limit applies.
#[server(client = Calls, prefix = "/api", endpoint = "remove_passkey", input = FormCall, output = JsonCall)]
pub async fn remove_passkey(
    id: PasskeyId,
    #[server(default)] password: String,
    #[server(default)] passkey: String,
) -> Result<PasskeyState, AppError> {
    use crate::{client, request, response};
    let (me, chat, from) = (request::signed_in()?, request::chat()?, client::client());
    let sent = SentProof::read(password, &passkey)?;
    chat.remove_passkey(&me, id, sent.proof(), from).await.map_err(response::fail)?;
    list_passkeys().await
}

/// Begins a sign-in with a passkey.
///
/// # Errors
/// When passkeys do not work at this address, or a rate limit applies.
#[server(client = Calls, prefix = "/api", endpoint = "begin_passkey_sign_in", input = FormCall, output = JsonCall)]
pub async fn begin_passkey_sign_in() -> Result<PasskeyCeremony, AppError> {
    use crate::{client, request, response};
    let begun = request::chat()?.begin_passkey_sign_in(client::client()).await;
    begun.map_err(response::fail)
}

/// Signs in with a passkey, which needs no code of a second factor.
///
/// # Errors
/// When the passkey is refused, or a rate limit applies.
#[server(client = Calls, prefix = "/api", endpoint = "sign_in_with_passkey", input = FormCall, output = JsonCall)]
pub async fn sign_in_with_passkey(passkey: String) -> Result<(), AppError> {
    use crate::{client, request, response};
    let (chat, from) = (request::chat()?, client::client());
    let signed_in = chat.sign_in_with_passkey(&answer(&passkey)?, from).await;
    super::accounts::set_cookies(&signed_in.map_err(response::fail)?).await
}

/// Begins a sign-up with a passkey in place of a password. A missing username is derived from the
/// display name.
///
/// # Errors
/// When the operator does not allow it, a name or the invitation is invalid, or a rate limit applies.
#[server(client = Calls, prefix = "/api", endpoint = "begin_passkey_sign_up", input = FormCall, output = JsonCall)]
pub async fn begin_passkey_sign_up(
    #[server(default)] username: String,
    #[server(default)] display_name: String,
    #[server(default)] invitation: Option<String>,
) -> Result<PasskeyCeremony, AppError> {
    use crate::{client, request, response};
    let (chat, from) = (request::chat()?, client::client());
    let invitation = invitation.as_deref().filter(|token| !token.is_empty());
    let username = super::accounts::username_or_made(username, &display_name, invitation).await?;
    let begun = chat.begin_passkey_sign_up(&username, &display_name, invitation, from).await;
    begun.map_err(response::fail)
}

/// Creates an account with the passkey that an authenticator has made, and signs in. With an
/// invitation, returns the conversation with the inviter.
///
/// # Errors
/// When the operator does not allow it, the passkey is refused, the username is taken or the
/// invitation is invalid, or a rate limit applies.
#[server(client = Calls, prefix = "/api", endpoint = "sign_up_with_passkey", input = FormCall, output = JsonCall)]
pub async fn sign_up_with_passkey(
    passkey: String,
    #[server(default)] invitation: Option<String>,
) -> Result<Option<ConversationId>, AppError> {
    use crate::{client, request, response};
    let (chat, from) = (request::chat()?, client::client());
    let invitation = invitation.as_deref().filter(|token| !token.is_empty());
    let made = chat.sign_up_with_passkey(&answer(&passkey)?, invitation, from).await;
    let (signed_in, conversation) = made.map_err(response::fail)?;
    super::accounts::set_cookies(&signed_in).await?;
    Ok(conversation)
}
