//! The request context of pages and server functions: the chat, the session, the cookies, the
//! response.
//!
//! Server only. `server` passes the result of [`provider`] to every route that renders; server
//! functions read the context from here. A missing context never panics, because Leptos runs the
//! application once at start without a request to list its routes.

mod device;

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

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
use crate::paths;
use crate::preferences::{self, Preferences};
use crate::time::TimeContext;
use crate::time::conventions::{self, ReportedClock};

/// The name and attributes of the session cookie.
#[derive(Clone, Debug)]
pub struct SessionCookie {
    /// `__Host-…` over HTTPS; a plain name over HTTP, where browsers reject that prefix.
    pub name: Arc<str>,
    /// Whether to set the `Secure` attribute.
    pub secure: bool,
    /// `Max-Age`: the maximum lifetime of a session.
    pub seconds: u32,
}

impl SessionCookie {
    /// The `Set-Cookie` header that stores a token.
    pub fn issue(&self, token: &str) -> HeaderValue {
        self.header(token, self.seconds)
    }

    /// The `Set-Cookie` header that deletes the cookie.
    pub fn clear(&self) -> HeaderValue {
        self.header("", 0)
    }

    fn header(&self, token: &str, seconds: u32) -> HeaderValue {
        let secure = if self.secure { "; Secure" } else { "" };
        let name = &self.name;
        HeaderValue::try_from(format!(
            "{name}={token}; Path=/; HttpOnly; SameSite=Lax; Max-Age={seconds}{secure}"
        ))
        .expect("a cookie's name and an encoded token are visible ASCII")
    }
}

/// The client's address, resolved behind the operator's own proxies.
#[derive(Clone, Copy, Debug)]
pub struct ClientIp(pub IpAddr);

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

/// Returns the function that provides the chat, the cookie, the origins and the greeting as
/// contexts.
pub fn provider(
    chat: Chat,
    cookie: SessionCookie,
    addresses: Addresses,
    greeting: Greeting,
) -> impl Fn() + Clone + Send + Sync + 'static {
    move || {
        provide_context(chat.clone());
        provide_context(cookie.clone());
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
        tracing::warn!(%error, "the session before was not ended");
    }
}

/// The client of the request. Without a known address the unspecified address is used, so that all
/// such requests share one rate limit.
pub fn client() -> Client {
    let parts = use_context::<Parts>();
    let address = parts.as_ref().and_then(|parts| parts.extensions.get::<ClientIp>());
    let user_agent = parts.as_ref().and_then(|parts| parts.headers.get(USER_AGENT)?.to_str().ok());
    Client {
        address: address.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |ClientIp(ip)| *ip),
        device: user_agent.map(device::device).unwrap_or_default(),
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

/// The cookies of a request, as names and values.
pub fn cookies(headers: &HeaderMap) -> impl Iterator<Item = (&str, &str)> {
    headers
        .get_all(COOKIE)
        .iter()
        .filter_map(|cookies| cookies.to_str().ok())
        .flat_map(|cookies| cookies.split(';'))
        .filter_map(|cookie| cookie.trim().split_once('='))
}

/// The only place where a `chat` error becomes a response. Logs internal errors, and answers every
/// error with its code and HTTP status.
pub fn fail(error: chat::Error) -> AppError {
    let refusal = error.refusal();
    if let Some(chat) = use_context::<Chat>() {
        chat.note_failure(&error);
    }
    if refusal.code == ErrorCode::Internal {
        tracing::error!(error = %error, "a request failed");
    }
    refuse(refusal)
}

/// Sets the status and headers of a refusal, and returns the refusal as an error.
pub fn refuse(refusal: Refusal) -> AppError {
    log_refusal(refusal.code);
    set_status(status(refusal.code));
    if let Some(ms) = refusal.retry_after_ms {
        set_header(RETRY_AFTER, HeaderValue::from(ms.div_ceil(1_000)));
    }
    AppError::Refused(refusal)
}

/// Logs refusals that may need the operator's attention at `info`, all others at `debug`.
fn log_refusal(code: ErrorCode) {
    match code {
        ErrorCode::RateLimited | ErrorCode::Busy | ErrorCode::Unavailable
            if is_first_in_second() =>
        {
            tracing::info!(client.ip = %client().address, ?code, "a call was refused for now");
        }
        _ => tracing::debug!(?code, "a call was refused"),
    }
}

/// Limits the log to one line per second. A refused client may retry as fast as the network allows,
/// and must not fill the log.
fn is_first_in_second() -> bool {
    static ASKED_IN: AtomicU64 = AtomicU64::new(0);
    let second = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    ASKED_IN.swap(second, Ordering::Relaxed) != second
}

/// Sets the status and headers for an error that the page shows.
pub fn set_error_status(error: AppError) {
    if let AppError::Refused(refusal) = error {
        refuse(refusal);
    }
}

/// The HTTP status of a refusal.
pub fn status(code: ErrorCode) -> StatusCode {
    match code {
        ErrorCode::Unauthenticated | ErrorCode::WrongCredentials => StatusCode::UNAUTHORIZED,
        ErrorCode::RegistrationClosed | ErrorCode::ForeignOrigin | ErrorCode::WrongPassword => {
            StatusCode::FORBIDDEN
        }
        // No other refusal has this status, so the page can recognise this one by the status alone.
        ErrorCode::OtherPerson => StatusCode::PRECONDITION_FAILED,
        ErrorCode::NotFound | ErrorCode::InvitationInvalid => StatusCode::NOT_FOUND,
        ErrorCode::ClientIdReused
        | ErrorCode::UsernameTaken
        | ErrorCode::TooManyInvitations
        | ErrorCode::PeerDeleted => StatusCode::CONFLICT,
        ErrorCode::BodyTooLong => StatusCode::PAYLOAD_TOO_LARGE,
        ErrorCode::RateLimited => StatusCode::TOO_MANY_REQUESTS,
        ErrorCode::Busy | ErrorCode::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        ErrorCode::TimedOut => StatusCode::REQUEST_TIMEOUT,
        ErrorCode::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        _ => StatusCode::UNPROCESSABLE_ENTITY,
    }
}

/// Sets the status of the response.
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

/// Adds a `Set-Cookie` header to the response.
pub fn set_cookie(cookie: HeaderValue) {
    if let Some(response) = use_context::<ResponseOptions>() {
        response.append_header(SET_COOKIE, cookie);
    }
}

/// The settings of the session cookie.
///
/// # Errors
/// `Internal` if a route was set up without [`provider`].
pub fn session_cookie() -> Result<SessionCookie, AppError> {
    use_context::<SessionCookie>().ok_or_else(|| ErrorCode::Internal.into())
}

/// Redirects to a path of this site; any other address becomes the front page.
pub fn redirect(path: &str) {
    let path = paths::safe(path);
    if let Ok(location) = HeaderValue::from_str(path) {
        set_header(LOCATION, location);
        set_status(StatusCode::SEE_OTHER);
    }
}

/// The outcome of a server function, with the response parts that the function set.
pub struct Done<T> {
    pub result: Result<T, AppError>,
    /// The status that the function set.
    pub status: Option<StatusCode>,
    /// The headers that the function set.
    pub headers: HeaderMap,
}

/// Runs server functions outside a page render, as a request of their own, and collects the
/// response parts that they set. `provide` is the result of [`provider`].
pub async fn within<T, F>(parts: &Parts, provide: impl Fn(), work: impl FnOnce() -> F) -> Done<T>
where
    F: Future<Output = Result<T, AppError>>,
{
    // A root owner, because the thread's previous owner may belong to another user's page.
    let owner = Owner::new_root(None);
    let options = ResponseOptions::default();
    let work = owner.with(|| {
        provide_context(parts.clone());
        provide_context(options.clone());
        provide();
        ScopedFuture::new(async move { work().await })
    });
    let result = work.await;
    owner.unset_with_forced_cleanup();
    let response =
        options.0.read().map(|parts| (parts.status, parts.headers.clone())).unwrap_or_default();
    Done { result, status: response.0, headers: response.1 }
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

/// The path and query of the requested page.
pub fn asked_path() -> String {
    use_context::<Parts>()
        .and_then(|parts| parts.uri.path_and_query().map(ToString::to_string))
        .unwrap_or_else(|| "/".to_owned())
}

/// Sets the page's content security policy: scripts, styles and sockets of this origin only.
///
/// A header, because a `<meta>` cannot forbid framing. The socket's address is listed explicitly,
/// because older browsers do not match `ws:` with `'self'`.
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
    fn the_session_cookie_is_http_only_secure_and_same_site() {
        let seconds = 2_592_000;
        let cookie = SessionCookie { name: "__Host-duet".into(), secure: true, seconds };
        let issued = cookie.issue("abc");
        assert_eq!(
            issued.to_str().ok(),
            Some("__Host-duet=abc; Path=/; HttpOnly; SameSite=Lax; Max-Age=2592000; Secure")
        );
        let plain = SessionCookie { name: "duet".into(), secure: false, seconds };
        assert_eq!(
            plain.clear().to_str().ok(),
            Some("duet=; Path=/; HttpOnly; SameSite=Lax; Max-Age=0")
        );
    }
}
