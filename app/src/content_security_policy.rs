//! The content security policy of the pages. Server only; [`crate::shell`] sets it.

use axum::http::header::{CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY_REPORT_ONLY};
use axum::http::{HeaderName, HeaderValue};

use crate::request;
use crate::response::set_header;

/// The path to which browsers report violations of the policy.
pub const REPORTS_PATH: &str = "/csp-reports";

/// Sets the page's content security policy: scripts, styles and sockets of this origin only.
///
/// Headers, because a `<meta>` cannot forbid framing. The addresses of the socket are those of the
/// operator's setting, never of the request, because older browsers do not match `ws:` with
/// `'self'`. Trusted Types are only reported: the framework builds elements from constant markup.
pub fn set(nonce: &str, reload_port: Option<u32>) {
    let policies = [
        (CONTENT_SECURITY_POLICY, policy(nonce, &request::addresses(), reload_port)),
        (
            CONTENT_SECURITY_POLICY_REPORT_ONLY,
            "require-trusted-types-for 'script'; report-to csp".to_owned(),
        ),
        (HeaderName::from_static("reporting-endpoints"), format!("csp=\"{REPORTS_PATH}\"")),
    ];
    for (name, value) in policies {
        if let Ok(value) = HeaderValue::from_str(&value) {
            set_header(name, value);
        }
    }
}

/// `addresses` are the origins of the site, separated by spaces.
fn policy(nonce: &str, addresses: &str, reload_port: Option<u32>) -> String {
    let mut sockets = String::new();
    // A policy cannot name an IPv6 address; a page under one relies on `'self'`.
    let can_be_source = |address: &&str| address.starts_with("http") && !address.contains('[');
    for address in addresses.split(' ').filter(can_be_source) {
        // `https` becomes `wss`.
        let socket = address.replacen("http", "ws", 1);
        sockets.push(' ');
        sockets.push_str(&socket);
        if let Some(port) = reload_port {
            let host = |url: &str| {
                let after_scheme = url.find("://").map_or(0, |at| at + 3);
                let end = url[after_scheme..].rfind(':').map_or(url.len(), |at| after_scheme + at);
                url[..end].to_owned()
            };
            sockets.push_str(&format!(" {}:{port} {}:{port}", host(&socket), host(address)));
        }
    }
    format!(
        "default-src 'none'; script-src 'self' 'nonce-{nonce}' 'wasm-unsafe-eval'; \
         style-src 'self'; img-src 'self' data:; connect-src 'self'{sockets}; font-src 'self'; \
         manifest-src 'self'; worker-src 'self'; base-uri 'none'; form-action 'self'; \
         frame-ancestors 'none'; report-uri {REPORTS_PATH}; report-to csp"
    )
}

#[cfg(test)]
mod tests {
    use super::policy;

    #[test]
    fn sockets_are_allowed_only_to_the_addresses_of_the_site() {
        let sources = |addresses: &str, port| {
            let policy = policy("x", addresses, port);
            let connect = policy.split("connect-src ").nth(1).expect("a directive");
            connect.split(';').next().expect("its sources").to_owned()
        };
        assert_eq!(sources("https://a.example:8443", None), "'self' wss://a.example:8443");
        assert_eq!(sources("http://127.0.0.1:3000", None), "'self' ws://127.0.0.1:3000");
        assert_eq!(sources("", None), "'self'");
        let local = "http://127.0.0.1:3000 http://[::1]:3000 http://localhost:3000";
        assert_eq!(sources(local, None), "'self' ws://127.0.0.1:3000 ws://localhost:3000");
        assert_eq!(
            sources("http://localhost:3000", Some(3001)),
            "'self' ws://localhost:3000 ws://localhost:3001 http://localhost:3001"
        );
    }
}
