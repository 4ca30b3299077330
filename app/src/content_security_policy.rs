//! The content security policy of the pages. Server only; [`crate::shell`] sets it.

use axum::http::HeaderValue;
use axum::http::header::{CONTENT_SECURITY_POLICY, HOST};
use axum::http::request::Parts;
use leptos::prelude::use_context;

use crate::response::set_header;

/// Sets the page's content security policy: scripts, styles and sockets of this origin only.
///
/// A header, because a `<meta>` cannot forbid framing. The socket's address is listed explicitly,
/// because older browsers do not match `ws:` with `'self'`.
pub fn set(nonce: &str, reload_port: Option<u32>) {
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
