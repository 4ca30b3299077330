//! The headers that every answer carries, whatever it is and whoever made it.

use axum::extract::{Request, State};
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, SERVER,
    STRICT_TRANSPORT_SECURITY, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderName, HeaderValue};
use axum::middleware::Next;
use axum::response::Response;

use crate::config::Hsts;
use crate::state::AppState;

/// Fixed for every answer.
const ALWAYS: [(HeaderName, HeaderValue); 6] = [
    (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    // Not "no-referrer": browsers would then say "Origin: null" with our own forms.
    (REFERRER_POLICY, HeaderValue::from_static("same-origin")),
    (
        HeaderName::from_static("cross-origin-opener-policy"),
        HeaderValue::from_static("same-origin"),
    ),
    (
        HeaderName::from_static("cross-origin-resource-policy"),
        HeaderValue::from_static("same-origin"),
    ),
    (
        HeaderName::from_static("cross-origin-embedder-policy"),
        HeaderValue::from_static("require-corp"),
    ),
    (
        HeaderName::from_static("permissions-policy"),
        HeaderValue::from_static(
            "camera=(), microphone=(), geolocation=(), usb=(), payment=(), \
             publickey-credentials-get=(self)",
        ),
    ),
];

/// For answers that are no page; pages bring their own, with a nonce.
const NO_PAGE: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
);
/// For the page that is shown when there is no network, and the worker that shows it: the one has
/// a style sheet, a script and a picture, the other asks for what browsers ask it for.
const OFFLINE: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; connect-src 'self'; script-src 'self'; style-src 'self'; img-src 'self'; \
     base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
);
/// For a drawing, which holds its own style: the colours of light and dark.
const DRAWING: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
);

/// What browsers are told of https, for a year. Not of the hosts below ours unless the operator
/// asks for it: other services may be there, without https.
pub fn hsts(setting: Hsts) -> Option<HeaderValue> {
    match setting {
        Hsts::On => Some(HeaderValue::from_static("max-age=31536000")),
        Hsts::Subdomains => Some(HeaderValue::from_static("max-age=31536000; includeSubDomains")),
        Hsts::Off => None,
    }
}

/// Adds the headers.
pub async fn secure(State(state): State<AppState>, request: Request, next: Next) -> Response {
    let is_offline = matches!(request.uri().path(), "/sw.js" | "/offline.html");
    let is_icon =
        request.uri().path() == "/favicon.svg" || request.uri().path().starts_with("/icons/");
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    for (name, value) in ALWAYS {
        headers.insert(name, value);
    }
    let is_drawing = headers.get(CONTENT_TYPE).is_some_and(|kind| kind == "image/svg+xml");
    let policy = match (is_offline, is_drawing) {
        (true, _) => OFFLINE,
        (_, true) => DRAWING,
        _ => NO_PAGE,
    };
    headers.entry(CONTENT_SECURITY_POLICY).or_insert(policy);
    if let Some(hsts) = state.hsts {
        headers.insert(STRICT_TRANSPORT_SECURITY, hsts);
    }
    headers.remove(SERVER);
    if !headers.contains_key(CACHE_CONTROL) {
        let cache = match (is_private(headers.get(CONTENT_TYPE)), is_icon) {
            (true, _) => "no-store",
            // A tab changes its icon with every message that comes and is read.
            (false, true) => "public, max-age=86400",
            (false, false) => "no-cache",
        };
        headers.insert(CACHE_CONTROL, HeaderValue::from_static(cache));
    }
    response
}

/// Pages and answers to calls hold what is someone's own; icons and the like do not.
fn is_private(content_type: Option<&HeaderValue>) -> bool {
    let kind = content_type.and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    !["image/", "font/", "text/css", "text/javascript", "application/manifest"]
        .iter()
        .any(|public| kind.starts_with(public))
}
