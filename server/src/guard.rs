//! What every request passes before a route sees it: where it comes from, whether it may change
//! something, and who is asking.

use std::net::{IpAddr, SocketAddr};

use app::context::{ClientIp, cookies};
use axum::extract::{ConnectInfo, Request, State};
use axum::http::header::{ACCEPT, RETRY_AFTER, SET_COOKIE};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use ipnet::IpNet;

use crate::state::AppState;

/// Longest path and query.
const MAX_URI_BYTES: usize = 4 * 1024;

/// Notes the client's address, as the operator's own proxies tell it.
pub async fn client_ip(
    State(state): State<AppState>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    mut request: Request,
    next: Next,
) -> Response {
    if request.uri().path_and_query().is_some_and(|uri| uri.as_str().len() > MAX_URI_BYTES) {
        return (StatusCode::URI_TOO_LONG, "The address is too long.").into_response();
    }
    let ip = forwarded_for(peer.ip(), request.headers(), &state.trusted_proxies);
    request.extensions_mut().insert(ClientIp(ip));
    next.run(request).await
}

/// The nearest address that is not one of our proxies. The header is read from its end, because
/// everything before a trusted proxy's own entry was written by the client.
fn forwarded_for(peer: IpAddr, headers: &HeaderMap, trusted: &[IpNet]) -> IpAddr {
    let is_ours = |ip: &IpAddr| trusted.iter().any(|network| network.contains(ip));
    if !is_ours(&peer) {
        return peer;
    }
    let mut nearest = peer;
    for header in headers.get_all("x-forwarded-for").iter().rev() {
        for entry in header.to_str().unwrap_or_default().rsplit(',') {
            let Ok(ip) = entry.trim().parse::<IpAddr>() else { return nearest };
            nearest = ip;
            if !is_ours(&ip) {
                return nearest;
            }
        }
    }
    nearest
}

/// Refuses what could change something and does not come from our own pages. Browsers say so in
/// `Sec-Fetch-Site`, and in `Origin` for every request that is not a plain read; a client that is
/// no browser says `Origin` itself.
pub async fn same_origin(State(state): State<AppState>, request: Request, next: Next) -> Response {
    let reads = matches!(*request.method(), Method::GET | Method::HEAD);
    if reads || is_same_origin(&state, request.headers()) {
        next.run(request).await
    } else {
        (StatusCode::FORBIDDEN, "This request did not come from this site's own pages.")
            .into_response()
    }
}

fn is_same_origin(state: &AppState, headers: &HeaderMap) -> bool {
    let site = headers.get("sec-fetch-site").map(HeaderValue::as_bytes);
    let says_origin = headers.contains_key("origin");
    match site {
        Some(b"same-origin") => !says_origin || state.origins.is_ours(headers),
        Some(_) => false,
        None => state.origins.is_ours(headers),
    }
}

/// Puts the session, if there is a good one, into the request; gives the browser a new token when
/// its own is a day old and a page is asked for.
pub async fn session(State(state): State<AppState>, mut request: Request, next: Next) -> Response {
    let Some(token) = session_token(request.headers(), state.cookie.name).map(str::to_owned) else {
        return next.run(request).await;
    };
    let authenticated = match state.chat.authenticate(&token).await {
        Ok(Some(authenticated)) => authenticated,
        Ok(None) => return next.run(request).await,
        Err(error) => {
            tracing::error!(%error, "a session could not be looked up");
            return unavailable();
        }
    };
    let session = authenticated.session;
    let renew = authenticated.token_is_old && asks_for_page(&request);
    let id = session.id;
    request.extensions_mut().insert(session);
    let mut response = next.run(request).await;
    if renew {
        match state.chat.rotate(id, &token).await {
            Ok(Some(token)) => {
                response.headers_mut().append(SET_COOKIE, state.cookie.issue(&token));
            }
            Ok(None) => {}
            Err(error) => tracing::warn!(%error, "a token was not renewed; the old one stays"),
        }
    }
    response
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

/// The answer when the store cannot be asked.
pub fn unavailable() -> Response {
    let retry = [(RETRY_AFTER, HeaderValue::from_static("5"))];
    let text = "Duet cannot reach its store just now. Nothing is lost; please try again.";
    (StatusCode::SERVICE_UNAVAILABLE, retry, text).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::header::COOKIE;

    #[test]
    fn forwarded_addresses_are_believed_from_our_proxies_only() {
        let trusted: Vec<IpNet> = vec!["10.0.0.0/8".parse().expect("a network")];
        let ip = |text: &str| text.parse::<IpAddr>().expect("an address");
        let from = |peer: &str, forwarded: &[&'static str]| {
            let mut headers = HeaderMap::new();
            for value in forwarded {
                headers.append("x-forwarded-for", HeaderValue::from_static(value));
            }
            forwarded_for(ip(peer), &headers, &trusted)
        };
        assert_eq!(from("192.0.2.1", &["198.51.100.7"]), ip("192.0.2.1"));
        assert_eq!(from("10.0.0.1", &["198.51.100.7"]), ip("198.51.100.7"));
        assert_eq!(from("10.0.0.1", &["203.0.113.9, 198.51.100.7"]), ip("198.51.100.7"));
        assert_eq!(from("10.0.0.1", &["198.51.100.7, 10.0.0.2"]), ip("198.51.100.7"));
        assert_eq!(from("10.0.0.1", &["forged", "10.0.0.2"]), ip("10.0.0.2"));
        assert_eq!(from("10.0.0.1", &[]), ip("10.0.0.1"));
    }

    #[test]
    fn the_token_is_found_among_other_cookies() {
        let mut headers = HeaderMap::new();
        headers.insert(COOKIE, HeaderValue::from_static("theme=dark; sid=abc; xsid=no"));
        assert_eq!(session_token(&headers, "sid"), Some("abc"));
        assert_eq!(session_token(&headers, "id"), None);
    }
}
