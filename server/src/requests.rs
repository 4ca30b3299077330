//! The outermost middleware: gives each request an id and the client's address. Log lines of a
//! request carry the id, and so does the response. [`crate::router`] puts this middleware outside
//! all others.
//!
//! The access log, one line per response at level debug, names the route and never the requested
//! URL, because URLs contain invitation tokens and search terms. The security log has a line for
//! each kind of request that no page of Duet sends.

use std::net::SocketAddr;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use app::client::ClientIp;
use axum::extract::{ConnectInfo, MatchedPath, Request, State};
use axum::http::{HeaderName, HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::Response;
use tracing::Instrument;

use crate::client_ip::{client_ip, warn_of_missing_header};
use crate::origin_check::ForeignOrigin;
use crate::state::AppState;

/// Response header with the id of the request.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Adds id and client address to the request and writes the access log.
pub(crate) async fn identify(
    State(state): State<AppState>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    mut request: Request,
    next: Next,
) -> Response {
    let began = Instant::now();
    let id = next_id();
    let ip = client_ip(peer.ip(), request.headers(), &state.trusted_proxies);
    request.extensions_mut().insert(ClientIp(ip));
    let method = request.method().clone();
    if method == Method::POST {
        warn_of_missing_header(peer.ip(), request.headers(), &state.trusted_proxies);
    }
    let path = request.extensions().get::<MatchedPath>().cloned();
    // At level error, so that the id appears in every log line under any filter.
    let span = tracing::error_span!("request", id);
    let answering = async {
        let response = next.run(request).await;
        if let Some(code) = refused_as(&response) {
            chat::log_refused_request(ip, code);
        }
        tracing::debug!(
            client.ip = %ip,
            method = %method,
            route = path.as_ref().map_or("(file or unknown)", MatchedPath::as_str),
            status = response.status().as_u16(),
            ms = began.elapsed().as_millis(),
            "answered"
        );
        response
    };
    let mut response = answering.instrument(span).await;
    if let Ok(id) = HeaderValue::try_from(id) {
        response.headers_mut().insert(REQUEST_ID, id);
    }
    response
}

/// The kind of a refusal that is not about the content of a valid request.
fn refused_as(response: &Response) -> Option<&'static str> {
    if response.extensions().get::<ForeignOrigin>().is_some() {
        return Some("foreign_origin");
    }
    match response.status() {
        StatusCode::BAD_REQUEST | StatusCode::UNSUPPORTED_MEDIA_TYPE => Some("malformed"),
        StatusCode::PAYLOAD_TOO_LARGE | StatusCode::URI_TOO_LONG => Some("too_long"),
        StatusCode::TOO_MANY_REQUESTS => Some("rate_limited"),
        _ => None,
    }
}

/// Returns an id that is unique across restarts and nodes.
fn next_id() -> String {
    static START: OnceLock<u32> = OnceLock::new();
    static COUNT: AtomicU64 = AtomicU64::new(0);
    // Without randomness, ids repeat after a restart, which only makes the log harder to read.
    let start = START.get_or_init(|| getrandom::u32().unwrap_or_default());
    format!("{start:08x}-{}", COUNT.fetch_add(1, Ordering::Relaxed))
}
