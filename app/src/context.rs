//! What a request brings to the pages and server functions: the chat, who is asking, the cookie.
//!
//! Server only. `server` calls [`provider`] and gives the result to every route that renders; the
//! server functions read from here. Nothing in here panics when a context is missing (Leptos runs
//! the application once at start, without a request, to list its routes).

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
use crate::look::{self, Look};
use crate::paths;
use crate::time::Local;
use crate::time::customs::{self, Told};

/// How the session cookie is named and protected.
#[derive(Clone, Debug)]
pub struct SessionCookie {
    /// `__Host-…` over https; a plain name over http, where browsers refuse that prefix.
    pub name: Arc<str>,
    /// Whether the cookie goes over https alone.
    pub secure: bool,
    /// How long a browser keeps it: as long as a session lasts at most.
    pub seconds: u32,
}

impl SessionCookie {
    /// The header that gives a browser its token.
    pub fn issue(&self, token: &str) -> HeaderValue {
        self.header(token, self.seconds)
    }

    /// The header that takes it away.
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

/// The address a request came from, behind the operator's own proxies.
#[derive(Clone, Copy, Debug)]
pub struct ClientIp(pub IpAddr);

/// The origins under which the site may be opened, the public one first, separated by blanks.
#[derive(Clone, Debug)]
pub struct Addresses(pub Arc<str>);

/// What the operator tells those who are not signed in.
#[derive(Clone, Debug)]
pub struct Greeting {
    /// Who runs this Duet; "Duet" where nobody says so.
    pub name: Arc<str>,
    /// A sentence of welcome, or nothing.
    pub welcome: Arc<str>,
}

/// What makes the chat, the cookie, the site's addresses and its greeting known to pages and server
/// functions.
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

/// Ends the session that this browser had until now: its cookie is replaced, so that nobody could end
/// it there any more, and open pages of it learn at once that it is over.
pub async fn end_session_before() {
    let (Some(before), Ok(chat)) = (session(), chat()) else { return };
    if let Err(error) = chat.sign_out(before.id).await {
        // It ends by itself later; signing in does not fail for it.
        tracing::warn!(%error, "the session before was not ended");
    }
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

/// By whose clock and customs the page writes times.
pub fn local() -> Local {
    let Some(parts) = use_context::<Parts>() else { return Local::default() };
    let accepted = parts.headers.get(ACCEPT_LANGUAGE).and_then(|header| header.to_str().ok());
    let told = clock_cookie(&parts).map(Told::parse).unwrap_or_default();
    customs::local(told, accepted.unwrap_or_default(), language(), look().hours)
}

/// The name of the viewer's zone, if it is known, as their browser tells it.
pub fn zone() -> Option<String> {
    let parts = use_context::<Parts>()?;
    let zone = clock_cookie(&parts).map(Told::parse)?.zone;
    (!zone.is_empty()).then(|| zone.to_owned())
}

fn clock_cookie(parts: &Parts) -> Option<&str> {
    cookies(&parts.headers).find_map(|(name, value)| (name == customs::COOKIE).then_some(value))
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
    if let Some(chat) = use_context::<Chat>() {
        chat.note_failure(&error);
    }
    if refusal.code == ErrorCode::Internal {
        tracing::error!(error = %error, "a request failed");
    }
    refuse(refusal)
}

/// Refuses with the status and headers that belong to the code.
pub fn refuse(refusal: Refusal) -> AppError {
    log_refusal(refusal.code);
    set_status(status(refusal.code));
    if let Some(ms) = refusal.retry_after_ms {
        set_header(RETRY_AFTER, HeaderValue::from(ms.div_ceil(1_000)));
    }
    AppError::Refused(refusal)
}

/// What asks for an operator's eye is told at the level that is usual, the rest for those who look.
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

/// Whether nobody has asked in this second. Who is refused may ask as often as the network allows, and
/// must not fill the log.
fn is_first_in_second() -> bool {
    static ASKED_IN: AtomicU64 = AtomicU64::new(0);
    let second = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    ASKED_IN.swap(second, Ordering::Relaxed) != second
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
        // No other refusal has this status, so that a page can tell by it alone.
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
    // A root, because the owner before on this thread may belong to the page of somebody else.
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
    let said = options.0.read().map(|said| (said.status, said.headers.clone())).unwrap_or_default();
    Done { result, status: said.0, headers: said.1 }
}

/// Which build of the page this process gives out; empty if it does not know.
pub fn build() -> String {
    chat().ok().and_then(|chat| chat.build().map(str::to_owned)).unwrap_or_default()
}

/// The origins under which the site may be opened, separated by blanks.
pub fn addresses() -> Arc<str> {
    use_context::<Addresses>().map(|Addresses(all)| all).unwrap_or_default()
}

/// What those who are not signed in are told: who runs this Duet, where somebody says so, and a
/// sentence of theirs.
pub fn greeting() -> (String, String) {
    /// What the name is where nobody set one.
    const NOBODY: &str = "Duet";
    let Some(Greeting { name, welcome }) = use_context::<Greeting>() else {
        return Default::default();
    };
    let name = if *name == *NOBODY { String::new() } else { name.to_string() };
    (name, welcome.to_string())
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
