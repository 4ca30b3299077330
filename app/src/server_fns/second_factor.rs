//! Two-step sign-in: its state, set-up and end.

use leptos::prelude::*;
use protocol::{SecondFactorSetUp, SecondFactorState};

use crate::calls::Calls;
use crate::error::AppError;
use crate::form_call::FormCall;
use crate::json::JsonCall;

/// Returns the state of the caller's two-step sign-in.
///
/// # Errors
/// When the caller is not signed in.
#[server(client = Calls, prefix = "/api", endpoint = "get_second_factor", input = JsonCall, output = JsonCall)]
pub async fn get_second_factor() -> Result<SecondFactorState, AppError> {
    use crate::{request, response};
    let me = request::signed_in()?;
    request::chat()?.second_factor(me.user.id).await.map_err(response::fail)
}

/// Makes a new key for the caller's authenticator app. Sign-in needs no code before
/// `confirm_second_factor`.
///
/// # Errors
/// When the caller is not signed in or has a second factor, or a rate limit applies.
#[server(client = Calls, prefix = "/api", endpoint = "begin_second_factor", input = FormCall, output = JsonCall)]
pub async fn begin_second_factor() -> Result<SecondFactorSetUp, AppError> {
    use crate::{request, response};
    let me = request::signed_in()?;
    let secret = request::chat()?.begin_second_factor(me.caller()).await.map_err(response::fail)?;
    Ok(set_up(&me.user.username, secret))
}

/// Turns two-step sign-in on with a code of the new key. Returns the recovery codes.
///
/// # Errors
/// When the caller is not signed in, the code is wrong, there is no new key, or a rate limit
/// applies.
#[server(client = Calls, prefix = "/api", endpoint = "confirm_second_factor", input = FormCall, output = JsonCall)]
pub async fn confirm_second_factor(code: String) -> Result<Vec<String>, AppError> {
    use crate::{request, response};
    let me = request::signed_in()?;
    request::chat()?.confirm_second_factor(me.caller(), &code).await.map_err(response::fail)
}

/// Replaces the caller's recovery codes and returns the new ones, after a proof by password or, in
/// `passkey`, by passkey.
///
/// # Errors
/// When the caller is not signed in or has no second factor, the proof is wrong, or a rate limit
/// applies.
#[server(client = Calls, prefix = "/api", endpoint = "renew_recovery_codes", input = FormCall, output = JsonCall)]
pub async fn renew_recovery_codes(
    #[server(default)] password: String,
    #[server(default)] passkey: String,
) -> Result<Vec<String>, AppError> {
    use crate::{client, request, response};
    let (me, chat, from) = (request::signed_in()?, request::chat()?, client::client());
    let sent = super::passkeys::SentProof::read(password, &passkey)?;
    chat.renew_recovery_codes(&me, sent.proof(), from).await.map_err(response::fail)
}

/// Turns the caller's two-step sign-in off, after a proof by password or, in `passkey`, by passkey.
///
/// # Errors
/// When the caller is not signed in or has no second factor, the proof is wrong, or a rate limit
/// applies.
#[server(client = Calls, prefix = "/api", endpoint = "turn_off_second_factor", input = FormCall, output = JsonCall)]
pub async fn turn_off_second_factor(
    #[server(default)] password: String,
    #[server(default)] passkey: String,
) -> Result<(), AppError> {
    use crate::{client, request, response};
    let (me, chat, from) = (request::signed_in()?, request::chat()?, client::client());
    let sent = super::passkeys::SentProof::read(password, &passkey)?;
    chat.turn_off_second_factor(&me, sent.proof(), from).await.map_err(response::fail)
}

/// Returns the unconfirmed key again, for the page that a plain form with a wrong code gets.
#[cfg(feature = "ssr")]
pub(crate) async fn set_up_again() -> Result<SecondFactorSetUp, AppError> {
    use crate::{request, response};
    let me = request::signed_in()?;
    let secret = request::chat()?.unconfirmed_second_factor(me.user.id).await;
    Ok(set_up(&me.user.username, secret.map_err(response::fail)?))
}

#[cfg(feature = "ssr")]
fn set_up(username: &str, secret: String) -> SecondFactorSetUp {
    use crate::components::QrCode;
    use crate::request;
    let link = link(&request::addresses(), username, &secret);
    let label = request::language().two_step().qr_code;
    let qr = view! { <QrCode text=link.clone() label=label /> }.to_html();
    SecondFactorSetUp { secret, link, qr }
}

/// Returns the link by which authenticator apps take a key over. Apps list the key under the host,
/// because a user can have accounts on several servers. The other parameters are the defaults of
/// all apps: SHA-1, six digits, 30 seconds.
#[cfg(feature = "ssr")]
fn link(addresses: &str, username: &str, secret: &str) -> String {
    use crate::paths::encode;
    let origin = addresses.split(' ').next().unwrap_or_default();
    let host = origin.split_once("://").map_or(origin, |(_, host)| host);
    // A colon would separate the issuer from the username.
    let issuer = encode(&format!("Duet {}", host.replace(':', " ")));
    format!("otpauth://totp/{issuer}:{}?secret={secret}&issuer={issuer}", encode(username))
}

#[cfg(all(test, feature = "ssr"))]
mod tests {
    use super::*;

    #[test]
    fn the_link_names_the_server_and_the_user() {
        let addresses = "https://chat.example.org:8443 http://10.0.0.2";
        assert_eq!(
            link(addresses, "Änne", "ABCD"),
            "otpauth://totp/Duet%20chat.example.org%208443:%C3%84nne?secret=ABCD\
             &issuer=Duet%20chat.example.org%208443"
        );
    }
}
