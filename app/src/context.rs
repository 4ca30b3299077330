//! What a request brings to the pages and server functions: the chat, who is asking, the cookie.
//!
//! Server only. `server` calls [`provider`] and gives the result to every route that renders; the
//! server functions read from here. Nothing in here panics when a context is missing (Leptos runs
//! the application once at start, without a request, to list its routes).

mod device;

use std::net::{IpAddr, Ipv4Addr};

use axum::http::header::{
    ACCEPT_LANGUAGE, CONTENT_SECURITY_POLICY, COOKIE, HOST, LOCATION, RETRY_AFTER, SET_COOKIE,
    USER_AGENT,
};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use chat::{Chat, Client, Session};
use leptos::prelude::{Owner, provide_context, use_context};
use leptos::reactive::computed::ScopedFuture;
use leptos_axum::ResponseOptions;
use protocol::{ErrorCode, Refusal};

use crate::error::AppError;
use crate::language::Language;
use crate::look::{self, Look};
use crate::paths;

/// How the session cookie is named and protected.
#[derive(Clone, Copy, Debug)]
pub struct SessionCookie {
    /// `__Host-…` over https; a plain name over http, where browsers refuse that prefix.
    pub name: &'static str,
    /// Whether the cookie goes over https alone.
    pub secure: bool,
}

/// How long a browser keeps the cookie. The session itself ends by the store's own rule.
const COOKIE_SECONDS: u32 = 30 * 24 * 60 * 60;

impl SessionCookie {
    /// The header that gives a browser its token.
    pub fn issue(&self, token: &str) -> HeaderValue {
        self.header(token, COOKIE_SECONDS)
    }

    /// The header that takes it away.
    pub fn clear(&self) -> HeaderValue {
        self.header("", 0)
    }

    fn header(&self, token: &str, seconds: u32) -> HeaderValue {
        let secure = if self.secure { "; Secure" } else { "" };
        let name = self.name;
        HeaderValue::try_from(format!(
            "{name}={token}; Path=/; HttpOnly; SameSite=Lax; Max-Age={seconds}{secure}"
        ))
        .expect("a cookie's name and an encoded token are visible ASCII")
    }
}

/// The address a request came from, behind the operator's own proxies.
#[derive(Clone, Copy, Debug)]
pub struct ClientIp(pub IpAddr);

/// What makes the chat and the cookie known to pages and server functions.
pub fn provider(chat: Chat, cookie: SessionCookie) -> impl Fn() + Clone + Send + Sync + 'static {
    move || {
        provide_context(chat.clone());
        provide_context(cookie);
    }
}

/// The chat.
///
/// # Errors
/// `Internal` when a route was set up without [`provider`].
pub fn chat() -> Result<Chat, AppError> {
    use_context::<Chat>().ok_or_else(|| ErrorCode::Internal.into())
}

/// Who is asking, if they are signed in.
pub fn session() -> Option<Session> {
    use_context::<Parts>()?.extensions.get::<Session>().cloned()
}

/// Who is asking.
///
/// # Errors
/// `Unauthenticated`, with its status, when they are not signed in.
pub fn signed_in() -> Result<Session, AppError> {
    session().ok_or_else(|| refuse(ErrorCode::Unauthenticated.into()))
}

/// Where the request came from; the unspecified address when the server did not say, which puts
/// all such requests under one throttle.
pub fn client() -> Client {
    let parts = use_context::<Parts>();
    let address = parts.as_ref().and_then(|parts| parts.extensions.get::<ClientIp>());
    let says = parts.as_ref().and_then(|parts| parts.headers.get(USER_AGENT)?.to_str().ok());
    Client {
        address: address.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |ClientIp(ip)| *ip),
        device: says.map(device::device).unwrap_or_default(),
    }
}

/// How the person wants the page to look, as their browser keeps it.
pub fn look() -> Look {
    let Some(parts) = use_context::<Parts>() else { return Look::default() };
    cookies(&parts.headers)
        .find_map(|(name, value)| (name == look::COOKIE).then(|| Look::parse(value)))
        .unwrap_or_default()
}

/// The language of the page: the chosen one, else the best of those that the browser names.
pub fn language() -> Language {
    let accepted = || {
        let parts = use_context::<Parts>()?;
        Language::accepted(parts.headers.get(ACCEPT_LANGUAGE)?.to_str().ok()?)
    };
    look().language.or_else(accepted).unwrap_or_default()
}

/// The cookies of a request, by name.
pub fn cookies(headers: &HeaderMap) -> impl Iterator<Item = (&str, &str)> {
    headers
        .get_all(COOKIE)
        .iter()
        .filter_map(|cookies| cookies.to_str().ok())
        .flat_map(|cookies| cookies.split(';'))
        .filter_map(|cookie| cookie.trim().split_once('='))
}

/// The one place where a fault of `chat` becomes an answer: logged if it is ours, named if it is
/// theirs, with the HTTP status that fits.
pub fn fail(error: chat::Error) -> AppError {
    let refusal = error.refusal();
    if refusal.code == ErrorCode::Internal {
        tracing::error!(error = %error, "a request failed");
    }
    refuse(refusal)
}

/// Refuses with the status and headers that belong to the code.
pub fn refuse(refusal: Refusal) -> AppError {
    set_status(status(refusal.code));
    if let Some(ms) = refusal.retry_after_ms {
        set_header(RETRY_AFTER, HeaderValue::from(ms.div_ceil(1_000)));
    }
    AppError::Refused(refusal)
}

/// Gives a page that shows an error the status and headers that belong to it.
pub fn say(error: AppError) {
    if let AppError::Refused(refusal) = error {
        refuse(refusal);
    }
}

/// The HTTP status that fits a refusal.
pub fn status(code: ErrorCode) -> StatusCode {
    match code {
        ErrorCode::Unauthenticated | ErrorCode::WrongCredentials => StatusCode::UNAUTHORIZED,
        ErrorCode::RegistrationClosed | ErrorCode::ForeignOrigin | ErrorCode::WrongPassword => {
            StatusCode::FORBIDDEN
        }
        ErrorCode::NotFound | ErrorCode::InvitationInvalid => StatusCode::NOT_FOUND,
        ErrorCode::ClientIdReused
        | ErrorCode::UsernameTaken
        | ErrorCode::TooManyInvitations
        | ErrorCode::PeerDeleted => StatusCode::CONFLICT,
        ErrorCode::BodyTooLong => StatusCode::PAYLOAD_TOO_LARGE,
        ErrorCode::RateLimited => StatusCode::TOO_MANY_REQUESTS,
        ErrorCode::Busy | ErrorCode::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        ErrorCode::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        _ => StatusCode::UNPROCESSABLE_ENTITY,
    }
}

/// Sets the answer's status.
pub fn set_status(status: StatusCode) {
    if let Some(response) = use_context::<ResponseOptions>() {
        response.set_status(status);
    }
}

fn set_header(name: HeaderName, value: HeaderValue) {
    if let Some(response) = use_context::<ResponseOptions>() {
        response.insert_header(name, value);
    }
}

/// Puts a `Set-Cookie` on the answer.
pub fn set_cookie(cookie: HeaderValue) {
    if let Some(response) = use_context::<ResponseOptions>() {
        response.append_header(SET_COOKIE, cookie);
    }
}

/// The cookie's form.
///
/// # Errors
/// `Internal` when a route was set up without [`provider`].
pub fn session_cookie() -> Result<SessionCookie, AppError> {
    use_context::<SessionCookie>().ok_or_else(|| ErrorCode::Internal.into())
}

/// Sends a page's visitor to another page of this site; anything else goes to the front page.
pub fn redirect(path: &str) {
    let path = paths::safe(path);
    if let Ok(location) = HeaderValue::from_str(path) {
        set_header(LOCATION, location);
        set_status(StatusCode::SEE_OTHER);
    }
}

/// What a server function brought, and what it wants said in the answer's head.
pub struct Done<T> {
    /// What it brought.
    pub result: Result<T, AppError>,
    /// The status it wants.
    pub status: Option<StatusCode>,
    /// The headers it wants.
    pub headers: HeaderMap,
}

/// Runs server functions outside of a page, as one request would, and collects what they say of
/// the answer. `provide` is what [`provider`] gave.
pub async fn within<T, F>(parts: &Parts, provide: impl Fn(), work: impl FnOnce() -> F) -> Done<T>
where
    F: Future<Output = Result<T, AppError>>,
{
    let owner = Owner::new();
    let options = ResponseOptions::default();
    let work = owner.with(|| {
        provide_context(parts.clone());
        provide_context(options.clone());
        provide();
        ScopedFuture::new(async move { work().await })
    });
    let result = work.await;
    owner.unset_with_forced_cleanup();
    let said = options.0.read().map(|said| (said.status, said.headers.clone())).unwrap_or_default();
    Done { result, status: said.0, headers: said.1 }
}

/// Which build of the page this process gives out; empty if it does not know.
pub fn build() -> String {
    chat().ok().and_then(|chat| chat.build().map(str::to_owned)).unwrap_or_default()
}

/// Whether strangers may create an account without an invitation.
pub fn registration_open() -> bool {
    chat().is_ok_and(|chat| chat.registration_open())
}

/// Whether an account may be created with an invitation.
pub fn invitations_open() -> bool {
    chat().is_ok_and(|chat| chat.invitations_open())
}

/// The path and query of the page that is asked for.
pub fn asked_path() -> String {
    use_context::<Parts>()
        .and_then(|parts| parts.uri.path_and_query().map(ToString::to_string))
        .unwrap_or_else(|| "/".to_owned())
}

/// Sets the page's content security policy: only our own scripts, styles and sockets.
///
/// A header, because a `<meta>` cannot forbid framing. The socket's address is written out since
/// older browsers do not count `ws:` as `'self'`.
pub fn set_content_security_policy(nonce: &str, reload_port: Option<u32>) {
    let host = use_context::<Parts>()
        .and_then(|parts| parts.headers.get(HOST)?.to_str().ok().map(str::to_owned))
        .filter(|host| host.chars().all(|c| c.is_ascii_alphanumeric() || ".-:[]".contains(c)))
        .unwrap_or_default();
    let sockets =
        if host.is_empty() { String::new() } else { format!(" ws://{host} wss://{host}") };
    let name = host.rsplit_once(':').map_or(host.as_str(), |(name, _)| name);
    let reload = match reload_port {
        Some(port) if !host.is_empty() => format!(" ws://{name}:{port} http://{name}:{port}"),
        _ => String::new(),
    };
    let policy = format!(
        "default-src 'none'; script-src 'self' 'nonce-{nonce}' 'wasm-unsafe-eval'; \
         style-src 'self'; img-src 'self' data:; connect-src 'self'{sockets}{reload}; \
         font-src 'self'; manifest-src 'self'; worker-src 'self'; base-uri 'none'; \
         form-action 'self'; frame-ancestors 'none'"
    );
    if let Ok(policy) = HeaderValue::from_str(&policy) {
        set_header(CONTENT_SECURITY_POLICY, policy);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cookie_is_out_of_reach_of_scripts_and_other_sites() {
        let cookie = SessionCookie { name: "__Host-duet", secure: true };
        let issued = cookie.issue("abc");
        assert_eq!(
            issued.to_str().ok(),
            Some("__Host-duet=abc; Path=/; HttpOnly; SameSite=Lax; Max-Age=2592000; Secure")
        );
        let plain = SessionCookie { name: "duet", secure: false };
        assert_eq!(
            plain.clear().to_str().ok(),
            Some("duet=; Path=/; HttpOnly; SameSite=Lax; Max-Age=0")
        );
    }
}
