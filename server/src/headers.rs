//! The security and cache headers of every response. A page sets its own content security policy,
//! which this module must not replace. [`crate::router`] puts the middleware around all routes.

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

/// The headers that are the same for every response.
const ALWAYS: [(HeaderName, HeaderValue); 6] = [
    (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    // "no-referrer" would make browsers send "Origin: null" with this site's own forms.
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

/// Policy for responses other than pages. Pages set their own policy, with a nonce.
const NOT_A_PAGE: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
);
/// Policy for the offline page and its service worker. The page has a style sheet, a script and an
/// image; the worker forwards the browser's requests.
const OFFLINE: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; connect-src 'self'; script-src 'self'; style-src 'self'; img-src 'self'; \
     base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
);
/// Policy for SVG images, whose inline style sets the colours of the light and dark theme.
const SVG: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
);

/// The Strict-Transport-Security header, for one year. Subdomains are included only on request,
/// because other services without https may run there.
pub(crate) fn hsts(setting: Hsts) -> Option<HeaderValue> {
    match setting {
        Hsts::On => Some(HeaderValue::from_static("max-age=31536000")),
        Hsts::Subdomains => Some(HeaderValue::from_static("max-age=31536000; includeSubDomains")),
        Hsts::Off => None,
    }
}

/// The header lines of an answer in plain text that no route produces.
pub(crate) fn of_plain_answer(hsts: Option<&HeaderValue>) -> String {
    let no_store = HeaderValue::from_static("no-store");
    let more = [(CONTENT_SECURITY_POLICY, NOT_A_PAGE), (CACHE_CONTROL, no_store)];
    let hsts = hsts.map(|hsts| (STRICT_TRANSPORT_SECURITY, hsts.clone()));
    // Every value is visible ASCII.
    let line = |(name, value): (HeaderName, HeaderValue)| {
        format!("{name}: {}\r\n", value.to_str().unwrap_or_default())
    };
    ALWAYS.into_iter().chain(more).chain(hsts).map(line).collect()
}

pub(crate) async fn secure(
    State(state): State<AppState>,
    request: Request,
    next: Next,
) -> Response {
    let is_offline = matches!(request.uri().path(), "/sw.js" | "/offline.html");
    let is_icon =
        request.uri().path() == "/favicon.svg" || request.uri().path().starts_with("/icons/");
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    for (name, value) in ALWAYS {
        headers.insert(name, value);
    }
    let is_svg = headers.get(CONTENT_TYPE).is_some_and(|kind| kind == "image/svg+xml");
    let policy = match (is_offline, is_svg) {
        (true, _) => OFFLINE,
        (_, true) => SVG,
        _ => NOT_A_PAGE,
    };
    headers.entry(CONTENT_SECURITY_POLICY).or_insert(policy);
    if let Some(hsts) = state.hsts {
        headers.insert(STRICT_TRANSPORT_SECURITY, hsts);
    }
    headers.remove(SERVER);
    if !headers.contains_key(CACHE_CONTROL) {
        let cache = match (is_private(headers.get(CONTENT_TYPE)), is_icon) {
            (true, _) => "no-store",
            // The tab icon changes with every message that arrives or is read, so browsers must be
            // able to cache it.
            (false, true) => "public, max-age=86400",
            (false, false) => "no-cache",
        };
        headers.insert(CACHE_CONTROL, HeaderValue::from_static(cache));
    }
    response
}

/// Pages and API responses contain private data; images, fonts, styles and scripts do not.
fn is_private(content_type: Option<&HeaderValue>) -> bool {
    let kind = content_type.and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    !["image/", "font/", "text/css", "text/javascript", "application/manifest"]
        .iter()
        .any(|public| kind.starts_with(public))
}
