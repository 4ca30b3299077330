//! Refuses requests that do not come from this site's own pages.
//!
//! The client gets the refusal in the format it reads, with the right address. The log tells the
//! operator which setting or proxy is misconfigured, once for each misconfiguration: otherwise a
//! typo in `DUET_PUBLIC_URL` looks like a fault of the visitor. `guard` and `socket` call this
//! module.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use app::error::AppError;
use app::language::Language;
use axum::http::header::{
    ACCEPT, ACCEPT_LANGUAGE, CONNECTION, CONTENT_TYPE, HOST, ORIGIN, SEC_WEBSOCKET_KEY, UPGRADE,
    USER_AGENT,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use protocol::{ErrorCode, Refusal};
use url::Url;

use crate::origins::Origins;

/// Interval after which the same misconfiguration is logged again.
const LOG_AGAIN_AFTER: Duration = Duration::from_secs(60 * 60);
/// Maximum number of remembered misconfigurations; further ones are not logged. Their texts contain
/// request data, which strangers control.
const MAX_REMEMBERED: usize = 16;
/// Longest origin that is written to the log, in bytes.
const MAX_ORIGIN_BYTES: usize = 200;

/// The misconfigurations that were logged, each with the time.
#[derive(Clone, Default)]
pub struct Misconfigurations(Arc<Mutex<HashMap<String, Instant>>>);

impl Misconfigurations {
    /// Logs a misconfiguration unless it was logged recently.
    fn log(&self, misconfiguration: String) {
        // The lock is held for a lookup in a small map, with no await inside.
        let mut logged = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        logged.retain(|_, at| at.elapsed() < LOG_AGAIN_AFTER);
        if logged.contains_key(&misconfiguration) || logged.len() >= MAX_REMEMBERED {
            return;
        }
        tracing::warn!("{misconfiguration}");
        logged.insert(misconfiguration, Instant::now());
    }

    /// Logs why a request counts as foreign, if a setting or a proxy may be the reason.
    pub fn log_foreign_request(&self, origins: &Origins, headers: &HeaderMap) {
        if let Some(misconfiguration) = describe(origins, headers) {
            self.log(misconfiguration);
        }
    }

    /// Logs that a WebSocket handshake arrived without its upgrade headers.
    pub fn log_missing_upgrade(&self) {
        self.log(
            "a proxy in front of Duet does not forward WebSockets: a handshake arrived at /ws \
             without the headers Upgrade and Connection, or over HTTP/1.0. Configure the proxy to \
             forward them over HTTP/1.1; until then, messages arrive late on pages"
                .to_owned(),
        );
    }
}

/// Describes the misconfiguration that may have caused the refusal of a browser's request. Returns
/// `None` if no browser would have sent the request.
fn describe(origins: &Origins, headers: &HeaderMap) -> Option<String> {
    let Some(origin) = headers.get(ORIGIN) else { return describe_missing_origin(headers) };
    let origin = origin.to_str().ok().filter(|origin| origin.len() <= MAX_ORIGIN_BYTES)?;
    let page = Url::parse(origin).ok().filter(|page| matches!(page.scheme(), "http" | "https"))?;
    let (at, ours, setting) =
        (page.origin().ascii_serialization(), origins.first(), origins.setting());
    if origins.includes(&at) {
        return None;
    }
    let consent = if page.scheme() == "http" && !origins.is_loopback() {
        " (plain http also needs DUET_ALLOW_HTTP=true)"
    } else {
        ""
    };
    Some(if is_own_page(&page, headers) {
        let differs = difference(&page, ours);
        format!(
            "browsers open Duet at {at}, but {setting}: {differs} differs, so their requests are \
             refused. If {at} is the right address, set DUET_PUBLIC_URL={at}{consent}; otherwise \
             direct users to {ours}"
        )
    } else {
        format!(
            "a request from a page of {at} was refused, because {setting}. If users open Duet at \
             {at}, set DUET_PUBLIC_URL={at}{consent}; otherwise another site tried to act as a \
             user, and no action is needed"
        )
    })
}

/// Browsers send `Origin` with every POST request and every WebSocket handshake.
fn describe_missing_origin(headers: &HeaderMap) -> Option<String> {
    let agent = headers.get(USER_AGENT).and_then(|agent| agent.to_str().ok()).unwrap_or_default();
    agent.starts_with("Mozilla/").then(|| {
        "a browser's request without the header Origin was refused: a proxy in front of Duet \
         removes the header. Configure the proxy to forward Origin"
            .to_owned()
    })
}

/// Whether the request indicates that this server delivered the page. Browsers send
/// `Sec-Fetch-Site` on secure connections; without that header, the `Host` header must match the
/// page's origin.
fn is_own_page(page: &Url, headers: &HeaderMap) -> bool {
    let site = headers.get("sec-fetch-site").map(HeaderValue::as_bytes);
    let host = headers.get(HOST).and_then(|host| host.to_str().ok());
    site == Some(b"same-origin".as_slice()) || site.is_none() && host == Some(page.authority())
}

/// Names the first part in which two addresses differ.
fn difference(page: &Url, ours: &str) -> &'static str {
    let Ok(ours) = Url::parse(ours) else { return "the address" };
    if page.host_str() != ours.host_str() {
        "the host"
    } else if page.scheme() != ours.scheme() {
        "the scheme"
    } else {
        "the port"
    }
}

/// Marks the response to a foreign request, for the security log.
#[derive(Clone, Copy)]
pub(crate) struct ForeignOrigin;

/// Builds the refusal: JSON for API calls, an HTML page for forms, otherwise plain text.
pub(crate) fn refuse(origins: &Origins, path: &str, headers: &HeaderMap) -> Response {
    let mut response = refusal(origins, path, headers);
    response.extensions_mut().insert(ForeignOrigin);
    response
}

fn refusal(origins: &Origins, path: &str, headers: &HeaderMap) -> Response {
    let header = |name: HeaderName| {
        headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    };
    if path.starts_with("/api/") {
        let refusal = AppError::Refused(Refusal::from(ErrorCode::ForeignOrigin));
        // Serialising an error code and a number cannot fail.
        let json = serde_json::to_string(&refusal).unwrap_or_default();
        let kind = [(CONTENT_TYPE, HeaderValue::from_static("application/json"))];
        return (StatusCode::FORBIDDEN, kind, json).into_response();
    }
    let address = origins.first();
    if header(ACCEPT).contains("text/html") {
        let language = Language::accepted(header(ACCEPT_LANGUAGE)).unwrap_or_default();
        let kind = [(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"))];
        return (StatusCode::FORBIDDEN, kind, page(language, address)).into_response();
    }
    let text =
        format!("This request did not come from this site's own pages. Duet is at {address}");
    (StatusCode::FORBIDDEN, text).into_response()
}

/// Renders the refusal for forms of browsers without scripts. An origin contains no character that
/// HTML would have to escape.
fn page(language: Language, address: &str) -> String {
    let t = language.texts();
    let link = format!("<a href=\"{address}\">{address}</a>");
    format!(
        "<!DOCTYPE html><html lang=\"{}\" dir=\"{}\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width\"><title>Duet</title></head>\
         <body><main><h1>Duet</h1><p>{}</p><p>{}</p></main></body></html>",
        language.tag(),
        language.direction(),
        t.wrong_address.replace("{}", &link),
        t.wrong_address_owner,
    )
}

/// Whether a WebSocket handshake lost its hop-by-hop headers at a proxy that passed the others on.
pub(crate) fn lost_upgrade(headers: &HeaderMap) -> bool {
    let has = |name: HeaderName, word: &str| {
        headers
            .get_all(name)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .any(|value| value.trim().eq_ignore_ascii_case(word))
    };
    headers.contains_key(SEC_WEBSOCKET_KEY)
        && !(has(UPGRADE, "websocket") && has(CONNECTION, "upgrade"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(said: &[(&'static str, &'static str)]) -> HeaderMap {
        said.iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
            .collect()
    }

    #[test]
    fn a_wrong_public_url_is_logged_with_the_right_setting() {
        let ours = Origins::public("https://chat.example.org").expect("a URL");
        for (at, part) in [
            ("https://chat.exmaple.org", "the host"),
            ("http://chat.example.org", "the scheme"),
            ("https://chat.example.org:8443", "the port"),
        ] {
            let said = headers(&[("origin", at), ("sec-fetch-site", "same-origin")]);
            let text = describe(&ours, &said).expect("a misconfiguration");
            assert!(text.contains(&format!("set DUET_PUBLIC_URL={at}")), "{text}");
            assert!(text.contains(&format!("{part} differs")), "{text}");
            assert!(text.contains("DUET_PUBLIC_URL is https://chat.example.org"), "{text}");
            assert_eq!(text.contains("DUET_ALLOW_HTTP"), at.starts_with("http:"), "{text}");
        }
        let by_host = headers(&[("origin", "https://other.test"), ("host", "other.test")]);
        assert!(describe(&ours, &by_host).is_some_and(|text| text.starts_with("browsers open")));
        let elsewhere = headers(&[("origin", "https://evil.test"), ("host", "chat.example.org")]);
        assert!(
            describe(&ours, &elsewhere)
                .is_some_and(|text| text.starts_with("a request from a page of"))
        );
        let local = describe(&Origins::loopback(3000), &by_host).expect("a misconfiguration");
        assert!(local.contains("DUET_PUBLIC_URL is not set"), "{local}");
    }

    #[test]
    fn requests_that_no_browser_sends_are_not_logged() {
        let ours = Origins::public("https://chat.example.org").expect("a URL");
        for said in ["null", "", "nonsense", "file:///etc", "https://chat.example.org"] {
            assert_eq!(describe(&ours, &headers(&[("origin", said)])), None, "{said}");
        }
        let mut long = HeaderMap::new();
        let said = format!("https://{}test", "long.".repeat(60));
        long.insert(ORIGIN, said.parse().expect("a header"));
        assert_eq!(describe(&ours, &long), None);
        assert_eq!(describe(&ours, &headers(&[("user-agent", "curl/8")])), None);
        let stripped = headers(&[("user-agent", "Mozilla/5.0 (X11; Linux x86_64)")]);
        assert!(describe(&ours, &stripped).is_some_and(|text| text.contains("Origin")));
    }

    #[test]
    fn a_misconfiguration_is_logged_once_and_memory_is_bounded() {
        let misconfigurations = Misconfigurations::default();
        for number in 0..1_000 {
            misconfigurations.log((number % 500).to_string());
        }
        assert_eq!(misconfigurations.0.lock().expect("no panic").len(), MAX_REMEMBERED);
    }

    #[test]
    fn a_handshake_without_upgrade_headers_is_detected() {
        let key = ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==");
        assert!(lost_upgrade(&headers(&[key, ("connection", "close")])));
        assert!(lost_upgrade(&headers(&[key, ("upgrade", "websocket"), ("connection", "close")])));
        let whole = [key, ("upgrade", "WebSocket"), ("connection", "keep-alive, Upgrade")];
        assert!(!lost_upgrade(&headers(&whole)));
        assert!(!lost_upgrade(&headers(&[])), "/ws opened as a page");
    }
}
