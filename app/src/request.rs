//! The request context of pages and server functions: the chat, the session, the settings that the
//! browser sends. Server only.
//!
//! `server` passes the result of [`provider`] to every route that renders; pages and server
//! functions read the context from here. A missing context never panics, because Leptos runs the
//! application once at start without a request to list its routes.

use std::sync::Arc;

use axum::http::header::{ACCEPT_LANGUAGE, HOST};
use axum::http::request::Parts;
use chat::{Chat, Session};
use leptos::prelude::{provide_context, use_context};
use protocol::{ErrorCode, PasskeySupport};

use crate::cookies::{ServerCookie, ServerCookies, cookies};
use crate::error::AppError;
use crate::language::Language;
use crate::preferences::{self, Preferences};
use crate::response::refuse;
use crate::time::TimeContext;
use crate::time::conventions::{self, ReportedClock};

/// The origins of the site, the public one first, separated by spaces.
#[derive(Clone, Debug)]
pub struct Addresses(pub Arc<str>);

/// The operator's introduction for users who are not signed in.
#[derive(Clone, Debug)]
pub struct Greeting {
    /// Who runs this server; "Duet" if the operator set no name.
    pub name: Arc<str>,
    /// A welcome text; may be empty.
    pub welcome: Arc<str>,
}

/// Returns the function that provides the chat, the cookies, the origins and the greeting as
/// contexts.
pub fn provider(
    chat: Chat,
    cookies: ServerCookies,
    addresses: Addresses,
    greeting: Greeting,
) -> impl Fn() + Clone + Send + Sync + 'static {
    move || {
        provide_context(chat.clone());
        provide_context(cookies.clone());
        provide_context(addresses.clone());
        provide_context(greeting.clone());
    }
}

/// The chat.
///
/// # Errors
/// `Internal` if a route was set up without [`provider`].
pub fn chat() -> Result<Chat, AppError> {
    use_context::<Chat>().ok_or_else(|| ErrorCode::Internal.into())
}

/// The session of the request, if the user is signed in.
pub fn session() -> Option<Session> {
    use_context::<Parts>()?.extensions.get::<Session>().cloned()
}

/// The session of the request.
///
/// # Errors
/// `Unauthenticated`, with its status, if the user is not signed in.
pub fn signed_in() -> Result<Session, AppError> {
    session().ok_or_else(|| refuse(ErrorCode::Unauthenticated.into()))
}

/// Ends the previous session of this browser. Its cookie is being replaced, so no client could end
/// that session later. Its open pages are notified at once.
pub async fn end_session_before() {
    let (Some(before), Ok(chat)) = (session(), chat()) else { return };
    if let Err(error) = chat.sign_out(before.id).await {
        // The session expires by itself; signing in does not fail because of this error.
        tracing::warn!(%error, "could not end the previous session");
    }
}

/// The user's appearance settings, from their cookie.
pub fn preferences() -> Preferences {
    let Some(parts) = use_context::<Parts>() else { return Preferences::default() };
    cookies(&parts.headers)
        .find_map(|(name, value)| (name == preferences::COOKIE).then(|| Preferences::parse(value)))
        .unwrap_or_default()
}

/// The language of the page: the chosen one, else the best match in `Accept-Language`.
pub fn language() -> Language {
    let accepted = || {
        let parts = use_context::<Parts>()?;
        Language::accepted(parts.headers.get(ACCEPT_LANGUAGE)?.to_str().ok()?)
    };
    preferences().language.or_else(accepted).unwrap_or_default()
}

/// The time zone and conventions in which the page writes times.
pub fn time_context() -> TimeContext {
    let Some(parts) = use_context::<Parts>() else { return TimeContext::default() };
    let accepted = parts.headers.get(ACCEPT_LANGUAGE).and_then(|header| header.to_str().ok());
    let reported = clock_cookie(&parts).map(ReportedClock::parse).unwrap_or_default();
    conventions::time_context(
        reported,
        accepted.unwrap_or_default(),
        language(),
        preferences().hours,
    )
}

/// The time zone that the user's browser reported, if known.
pub fn zone() -> Option<String> {
    let parts = use_context::<Parts>()?;
    let zone = clock_cookie(&parts).map(ReportedClock::parse)?.zone;
    (!zone.is_empty()).then(|| zone.to_owned())
}

fn clock_cookie(parts: &Parts) -> Option<&str> {
    cookies(&parts.headers).find_map(|(name, value)| (name == conventions::COOKIE).then_some(value))
}

/// The settings of the session cookie.
///
/// # Errors
/// `Internal` if a route was set up without [`provider`].
pub fn session_cookie() -> Result<ServerCookie, AppError> {
    server_cookies().map(|cookies| cookies.session)
}

/// The settings of the cookies that the server sets.
///
/// # Errors
/// `Internal` if a route was set up without [`provider`].
pub fn server_cookies() -> Result<ServerCookies, AppError> {
    use_context::<ServerCookies>().ok_or_else(|| ErrorCode::Internal.into())
}

/// The value of the cookie that holds the state of a sign-in through the provider.
pub fn provider_cookie() -> Option<String> {
    let (parts, cookie) = (use_context::<Parts>()?, server_cookies().ok()?.provider);
    let sent = cookies(&parts.headers).find(|(name, _)| **name == *cookie.name);
    sent.map(|(_, value)| value.to_owned())
}

/// The name of the sign-in provider; empty if there is none.
pub fn provider_name() -> String {
    chat().ok().and_then(|chat| chat.provider_name().map(str::to_owned)).unwrap_or_default()
}

/// The build of the page that this process serves; empty if unknown.
pub fn build() -> String {
    chat().ok().and_then(|chat| chat.build().map(str::to_owned)).unwrap_or_default()
}

/// The origins of the site, separated by spaces.
pub fn addresses() -> Arc<str> {
    use_context::<Addresses>().map(|Addresses(all)| all).unwrap_or_default()
}

/// The name of the operator (empty if not set) and the welcome text.
pub fn greeting() -> (String, String) {
    /// The name if the operator set none.
    const NOBODY: &str = "Duet";
    let Some(Greeting { name, welcome }) = use_context::<Greeting>() else {
        return Default::default();
    };
    let name = if *name == *NOBODY { String::new() } else { name.to_string() };
    (name, welcome.to_string())
}

/// Whether an account may be created without an invitation.
pub fn registration_open() -> bool {
    chat().is_ok_and(|chat| chat.registration_open())
}

/// Whether an account may be created with an invitation.
pub fn invitations_open() -> bool {
    chat().is_ok_and(|chat| chat.invitations_open())
}

/// Whether an account may be created with a passkey and without a password.
pub fn passkey_sign_up_open() -> bool {
    chat().is_ok_and(|chat| chat.passkey_sign_up_open())
}

/// Whether passkeys work at the address of this request.
pub fn passkey_support() -> PasskeySupport {
    let parts = use_context::<Parts>();
    let host = parts.as_ref().and_then(|parts| parts.headers.get(HOST)?.to_str().ok());
    support(&addresses(), chat().is_ok_and(|chat| chat.has_passkeys()), host)
}

/// `addresses` are the origins of the site. Several of them are those of a server for this machine
/// alone, whose passkeys belong to `localhost`. The host of a request counts only there, because a
/// proxy may send another one.
fn support(addresses: &str, has_passkeys: bool, host: Option<&str>) -> PasskeySupport {
    let is_localhost = || host.is_some_and(|host| host.split(':').next() == Some("localhost"));
    match has_passkeys {
        true if addresses.contains(' ') && !is_localhost() => PasskeySupport::NeedsLocalhost,
        true => PasskeySupport::Works,
        false if addresses.starts_with("https://") => PasskeySupport::NeedsDomain,
        false => PasskeySupport::NeedsHttps,
    }
}

/// The path and query of the requested page.
pub fn requested_path() -> String {
    use_context::<Parts>()
        .and_then(|parts| parts.uri.path_and_query().map(ToString::to_string))
        .unwrap_or_else(|| "/".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passkeys_need_https_and_a_domain_or_localhost() {
        let local = "http://127.0.0.1:3000 http://localhost:3000 http://[::1]:3000";
        for (addresses, has_passkeys, host, expected) in [
            ("https://chat.example.org", true, "127.0.0.1:3000", PasskeySupport::Works),
            ("https://192.0.2.1", false, "192.0.2.1", PasskeySupport::NeedsDomain),
            ("http://chat.example.org", false, "chat.example.org", PasskeySupport::NeedsHttps),
            (local, true, "localhost:3000", PasskeySupport::Works),
            (local, true, "127.0.0.1:3000", PasskeySupport::NeedsLocalhost),
            (local, true, "[::1]:3000", PasskeySupport::NeedsLocalhost),
        ] {
            assert_eq!(
                support(addresses, has_passkeys, Some(host)),
                expected,
                "{addresses} {host}"
            );
        }
    }
}
