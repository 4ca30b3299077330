//! Receives the reports of browsers about violations of the content security policy, and logs them.
//! A report may show an attempt to inject a script, or a fault of the page.
//!
//! Anybody can send a report, and a page may send many, so everything is bounded: size, number, log
//! lines and their content. A log line never contains a URL of a page, because such URLs contain
//! conversations and invitations. [`crate::router`] mounts this route outside the origin check,
//! because browsers send some reports without `Origin`; the route changes nothing.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use app::client::ClientIp;
use axum::body::Bytes;
use axum::extract::{Extension, State};
use axum::http::header::{CONTENT_TYPE, ORIGIN, RETRY_AFTER};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::Value;
use url::Url;

use crate::log_once::Throttle;
use crate::origins::Origins;
use crate::state::AppState;

/// Maximum size of a request. A browser sends the reports of one minute together.
pub(crate) const MAX_BYTES: usize = 32 * 1024;
/// Maximum number of requests in [`WINDOW`] per client address, and of all clients.
const PER_ADDRESS: u32 = 10;
const OF_ALL: u32 = 100;
const WINDOW: Duration = Duration::from_secs(60);
/// Longest part of a log line that comes from a report, in bytes.
const MAX_SHOWN: usize = 100;

/// Counts requests in the current minute. Clones share the counts.
#[derive(Clone, Default)]
pub(crate) struct ReportCounts(Arc<Mutex<Option<Counted>>>);

struct Counted {
    since: Instant,
    all: u32,
    /// Has at most [`OF_ALL`] entries and is dropped with its minute.
    addresses: HashMap<IpAddr, u32>,
}

impl ReportCounts {
    /// Whether the client may send one more request now.
    fn admit(&self, client: IpAddr) -> bool {
        // The lock is held for one look-up, never across an await.
        let mut counted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let counted = match counted.as_mut().filter(|counted| counted.since.elapsed() < WINDOW) {
            Some(counted) => counted,
            None => {
                counted.insert(Counted { since: Instant::now(), all: 0, addresses: HashMap::new() })
            }
        };
        if counted.all >= OF_ALL {
            return false;
        }
        let of_client = counted.addresses.entry(chat::client_network(client)).or_default();
        if *of_client >= PER_ADDRESS {
            return false;
        }
        *of_client += 1;
        counted.all += 1;
        true
    }
}

/// Logs a report, at most one line a second.
pub(crate) async fn receive(
    State(state): State<AppState>,
    Extension(ClientIp(client)): Extension<ClientIp>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    static LOG_LIMIT: Throttle = Throttle::new(Duration::from_secs(1));
    if is_foreign(&state.origins, &headers) {
        return (StatusCode::FORBIDDEN, "This report is of another site.").into_response();
    }
    let Some(format) = Format::of(&headers) else {
        return StatusCode::UNSUPPORTED_MEDIA_TYPE.into_response();
    };
    if !state.reports.admit(client) {
        let retry = [(RETRY_AFTER, HeaderValue::from_static("60"))];
        return (StatusCode::TOO_MANY_REQUESTS, retry, "Too many reports.").into_response();
    }
    let Some(violation) = serde_json::from_slice(&body).ok().and_then(|json| format.read(&json))
    else {
        return (StatusCode::BAD_REQUEST, "This is no report.").into_response();
    };
    if LOG_LIMIT.is_due() {
        violation.log();
    }
    StatusCode::NO_CONTENT.into_response()
}

/// Whether a browser says that another site sends the report.
fn is_foreign(origins: &Origins, headers: &HeaderMap) -> bool {
    let site = headers.get("sec-fetch-site").map(HeaderValue::as_bytes);
    site.is_some_and(|site| site != b"same-origin")
        || headers.contains_key(ORIGIN) && !origins.accepts(headers)
}

/// The two formats in which browsers report.
#[derive(Clone, Copy)]
enum Format {
    /// One report, from the directive `report-uri`.
    Single,
    /// A list of reports, from the directive `report-to`.
    List,
}

impl Format {
    fn of(headers: &HeaderMap) -> Option<Self> {
        let kind = headers.get(CONTENT_TYPE)?.to_str().ok()?;
        match kind.split(';').next()?.trim() {
            "application/csp-report" => Some(Self::Single),
            "application/reports+json" => Some(Self::List),
            _ => None,
        }
    }

    /// Reads the first violation.
    fn read(self, json: &Value) -> Option<Violation> {
        let (report, names) = match self {
            Self::Single => (
                json.get("csp-report")?,
                ["effective-directive", "blocked-uri", "source-file", "line-number"],
            ),
            Self::List => {
                let reports = json.as_array()?.iter();
                let mut violations = reports.filter(|report| report["type"] == "csp-violation");
                let names = ["effectiveDirective", "blockedURL", "sourceFile", "lineNumber"];
                (violations.next()?.get("body")?, names)
            }
        };
        let text = |name: &str| report.get(name).and_then(Value::as_str).unwrap_or_default();
        let [directive, blocked, source, line] = names;
        let directive = match text(directive) {
            "" => text("violated-directive"),
            directive => directive,
        };
        Some(Violation {
            directive: keyword(directive)?,
            blocked: origin(text(blocked)),
            source: file(text(source)),
            line: report.get(line).and_then(Value::as_u64).unwrap_or_default(),
        })
    }
}

/// The parts of a report that the log shows.
#[derive(Debug, PartialEq, Eq)]
struct Violation {
    directive: String,
    blocked: String,
    source: String,
    line: u64,
}

impl Violation {
    fn log(&self) {
        let Self { directive, blocked, source, line } = self;
        // Only reported, and expected: the framework builds elements from constant markup.
        if directive.starts_with("require-trusted-types") {
            tracing::debug!(
                directive,
                blocked,
                source,
                line,
                "a browser reports an untrusted type"
            );
        } else {
            tracing::info!(
                directive,
                blocked,
                source,
                line,
                "a browser reports a violation of the content security policy"
            );
        }
    }
}

/// Returns a keyword such as `script-src-elem` or `trusted-types-sink`.
fn keyword(text: &str) -> Option<String> {
    let is_keyword = !text.is_empty()
        && text.len() <= MAX_SHOWN
        && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-');
    is_keyword.then(|| text.to_owned())
}

/// Returns the origin of a URL, its scheme if it has no origin, or a keyword.
fn origin(text: &str) -> String {
    if let Some(keyword) = keyword(text) {
        return keyword;
    }
    let shown = Url::parse(text).ok().map(|url| match url.origin() {
        url::Origin::Opaque(_) => format!("{}:", url.scheme()),
        origin => origin.ascii_serialization(),
    });
    shown.filter(|shown| shown.len() <= MAX_SHOWN).unwrap_or_else(|| "unknown".to_owned())
}

/// Returns the path of a built file. The URLs of pages are not shown.
fn file(text: &str) -> String {
    let Ok(url) = Url::parse(text) else { return "unknown".to_owned() };
    if !matches!(url.scheme(), "http" | "https") {
        return origin(text);
    }
    let path = url.path();
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/._-".contains(&byte);
    let is_file = path.starts_with("/pkg/") || path == "/sw.js";
    if is_file && path.len() <= MAX_SHOWN && path.bytes().all(is_plain) {
        path.to_owned()
    } else {
        "a page".to_owned()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_report_shows_no_page_and_no_text_of_its_sender() {
        let single = |source: &str, blocked: &str, directive: &str| {
            Format::Single.read(&json!({"csp-report": {
                "document-uri": "https://chat.example.org/invite/secret",
                "effective-directive": directive,
                "blocked-uri": blocked,
                "source-file": source,
                "line-number": 7,
                "script-sample": "secret",
            }}))
        };
        for (source, blocked, shown_source, shown_blocked) in [
            ("https://a.example/pkg/duet.js?x=secret", "inline", "/pkg/duet.js", "inline"),
            (
                "https://a.example/c/secret",
                "https://evil.example/secret?a",
                "a page",
                "https://evil.example",
            ),
            (
                "chrome-extension://secret/x.js",
                "data:text/html,secret",
                "chrome-extension:",
                "data:",
            ),
            ("", "secret\nline", "unknown", "unknown"),
            ("https://a.example/pkg/%0asecret", "", "a page", "unknown"),
        ] {
            let violation = single(source, blocked, "script-src-elem").expect("a report");
            let shown = (violation.source.as_str(), violation.blocked.as_str(), violation.line);
            assert_eq!(shown, (shown_source, shown_blocked, 7), "{source} {blocked}");
            assert!(!format!("{violation:?}").contains("secret"), "{violation:?}");
        }
        for directive in ["", "Script", "script-src 'self' secret", &"x".repeat(101)] {
            assert_eq!(single("", "inline", directive), None, "{directive}");
        }
    }

    #[test]
    fn both_formats_are_read() {
        let list = json!([
            {"type": "deprecation", "body": {}},
            {"type": "csp-violation", "body": {
                "effectiveDirective": "require-trusted-types-for",
                "blockedURL": "trusted-types-sink",
                "sourceFile": "https://a.example/pkg/duet.js",
                "lineNumber": 3,
            }},
        ]);
        let violation = Format::List.read(&list).expect("a report");
        assert_eq!(violation.directive, "require-trusted-types-for");
        assert_eq!((violation.source.as_str(), violation.line), ("/pkg/duet.js", 3));
        for other in [json!([]), json!({}), json!(null), json!([{"type": "csp-violation"}])] {
            assert!(Format::List.read(&other).is_none() && Format::Single.read(&other).is_none());
        }
    }

    #[test]
    fn reports_are_counted_by_address_and_in_all() {
        let counts = ReportCounts::default();
        let admitted = |client: [u8; 4]| (0..50).filter(|_| counts.admit(client.into())).count();
        assert_eq!(admitted([203, 0, 113, 1]), 10);
        let others: usize = (2..100).map(|last| admitted([203, 0, 113, last])).sum();
        assert_eq!(others, 90);
        let remembered = counts.0.lock().expect("no panic");
        assert!(remembered.as_ref().is_some_and(|counted| counted.addresses.len() <= 100));
    }
}
