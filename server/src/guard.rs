//! Checks in front of every route: URL length, same origin for requests that change state, and the
//! session of the user.
//!
//! These checks identify the user and refuse forged requests; `chat` decides what a user may do.
//! [`crate::router`] puts them around the routes.

use app::cookies::cookies;
use app::error::AppError;
use app::response;
use axum::extract::{Request, State};
use axum::http::header::{ACCEPT, RETRY_AFTER, SEC_WEBSOCKET_PROTOCOL, SET_COOKIE};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use protocol::{ErrorCode, FOR_HEADER, FOR_SUBPROTOCOL, UserId};

use crate::origin_check;
use crate::state::AppState;

/// Maximum length of path and query together.
const MAX_URI_BYTES: usize = 4 * 1024;

/// Refuses URLs that are longer than any that Duet uses.
pub(crate) async fn limit_uri_length(request: Request, next: Next) -> Response {
    if request.uri().path_and_query().is_some_and(|uri| uri.as_str().len() > MAX_URI_BYTES) {
        return (StatusCode::URI_TOO_LONG, "The URL is too long.").into_response();
    }
    next.run(request).await
}

/// Refuses requests that could change state and do not come from this site's own pages. Browsers
/// send `Sec-Fetch-Site`, and `Origin` with every request other than GET and HEAD. Other clients
/// have to send `Origin` themselves.
pub(crate) async fn same_origin(
    State(state): State<AppState>,
    request: Request,
    next: Next,
) -> Response {
    let is_read = matches!(*request.method(), Method::GET | Method::HEAD);
    if is_read || is_same_origin(&state, request.headers()) {
        return next.run(request).await;
    }
    state.misconfigurations.log_foreign_request(&state.origins, request.headers());
    origin_check::refuse(&state.origins, request.uri().path(), request.headers())
}

fn is_same_origin(state: &AppState, headers: &HeaderMap) -> bool {
    let site = headers.get("sec-fetch-site").map(HeaderValue::as_bytes);
    let has_origin = headers.contains_key("origin");
    match site {
        Some(b"same-origin") => !has_origin || state.origins.accepts(headers),
        Some(_) => false,
        None => state.origins.accepts(headers),
    }
}

/// Adds the session of a valid cookie to the request. Refuses a request whose headers name another
/// user than the session's. On a page request, issues a new token if the current one is a day old.
pub(crate) async fn session(
    State(state): State<AppState>,
    mut request: Request,
    next: Next,
) -> Response {
    let Some(token) =
        session_token(request.headers(), &state.cookies.session.name).map(str::to_owned)
    else {
        return next.run(request).await;
    };
    let authenticated = match state.chat.authenticate(&token).await {
        Ok(Some(authenticated)) => authenticated,
        Ok(None) => return next.run(request).await,
        Err(error) => {
            state.chat.note_failure(&error);
            return unavailable();
        }
    };
    let session = authenticated.session;
    if !is_for(request.headers(), session.user.id) {
        return other_user();
    }
    let rotate_token = authenticated.token_is_old && asks_for_page(&request);
    let id = session.id;
    request.extensions_mut().insert(session);
    let mut response = next.run(request).await;
    if rotate_token {
        match state.chat.rotate(id, &token).await {
            Ok(Some(token)) => {
                response.headers_mut().append(SET_COOKIE, state.cookies.session.issue(&token));
            }
            Ok(None) => {}
            // The old token stays valid.
            Err(error) => state.chat.note_failure(&error),
        }
    }
    response
}

/// Whether the request names this user, or no user at all.
fn is_for(headers: &HeaderMap, user: UserId) -> bool {
    let is_theirs = |id: &str| id.parse::<UserId>().is_ok_and(|id| id == user);
    let call = headers.get_all(FOR_HEADER).iter();
    let socket = headers
        .get_all(SEC_WEBSOCKET_PROTOCOL)
        .iter()
        .flat_map(|offered| offered.to_str().unwrap_or_default().split(','))
        .filter_map(|offered| offered.trim().strip_prefix(FOR_SUBPROTOCOL));
    call.map(|id| id.to_str().unwrap_or_default()).chain(socket).all(is_theirs)
}

/// Response to a request that names another user than the signed-in one.
fn other_user() -> Response {
    let refused = AppError::from(ErrorCode::OtherPerson);
    (response::status(ErrorCode::OtherPerson), axum::Json(refused)).into_response()
}

fn asks_for_page(request: &Request) -> bool {
    request.method() == Method::GET
        && request
            .headers()
            .get(ACCEPT)
            .is_some_and(|accept| accept.to_str().is_ok_and(|accept| accept.contains("text/html")))
}

fn session_token<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    cookies(headers).find_map(|(key, value)| (key == name).then_some(value))
}

/// Response when the store is not reachable.
pub(crate) fn unavailable() -> Response {
    let retry = [(RETRY_AFTER, HeaderValue::from_static("5"))];
    let text = "Duet can’t reach its database right now. No data is lost. Please try again soon.";
    (StatusCode::SERVICE_UNAVAILABLE, retry, text).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::header::COOKIE;

    #[test]
    fn the_token_is_found_among_other_cookies() {
        let mut headers = HeaderMap::new();
        headers.insert(COOKIE, HeaderValue::from_static("theme=dark; sid=abc; xsid=no"));
        assert_eq!(session_token(&headers, "sid"), Some("abc"));
        assert_eq!(session_token(&headers, "id"), None);
    }
}
