//! What a page does with text that other people wrote, and with data of the server.

use std::net::Ipv6Addr;

use app::text::{
    Piece, UserQuery, as_html, direction, initials, is_few_emoji, is_long, pieces, preview,
};
use protocol::{User, UserId};
use serde_json::Value;

use super::text;

/// The reader of the page accepts nothing that is not JSON, and reads the same value.
pub(crate) fn json_reader(input: &[u8]) {
    let Some(text) = text(input) else { return };
    // The page has no fractions, so its reader takes minus zero for zero.
    if text.contains("-0") {
        return;
    }
    if let Ok(value) = app::json::read::<Value>(text) {
        assert_eq!(serde_json::from_str::<Value>(text).ok(), Some(value));
    }
}

/// A text and its links are together the body; a link opens what it shows.
pub(crate) fn links(input: &[u8]) {
    let Some(body) = text(input) else { return };
    let mut joined = String::new();
    for piece in pieces(body) {
        match piece {
            Piece::Text(text) => joined.push_str(&text),
            Piece::Link { to, text, real_host } => {
                joined.push_str(&text);
                opens_what_it_shows(&to, real_host.as_deref());
            }
        }
    }
    assert_eq!(joined, body);
}

/// A web address whose host is not shown beside it must open the host that is written, and must be
/// written without anything before the host.
fn opens_what_it_shows(to: &str, real_host: Option<&str>) {
    let scheme = to.split_once(':').map(|(scheme, _)| scheme.to_ascii_lowercase());
    let scheme = scheme.expect("a URL with a scheme");
    assert!(matches!(scheme.as_str(), "http" | "https" | "mailto" | "tel"), "{to}");
    let opened = url::Url::parse(to).ok();
    let Some(host) = opened.as_ref().and_then(url::Url::host_str) else { return };
    if let Some(shown) = real_host {
        return assert_eq!(shown, host, "{to}");
    }
    let after_scheme = to.split_once("://").map_or(to, |(_, rest)| rest);
    let written = after_scheme.split(['/', '?', '#', '\\']).next().unwrap_or_default();
    // The colons of an IPv6 address are before its bracket.
    let (written, _port) = match written.rsplit_once(':') {
        Some((before, port)) if !port.ends_with(']') => (before, port),
        _ => (written, ""),
    };
    // Browsers drop the dot after an IPv4 address.
    let is_same = written.eq_ignore_ascii_case(host)
        || written.strip_suffix('.') == Some(host)
        || ipv6(written).is_some_and(|address| ipv6(host) == Some(address));
    assert!(is_same, "{to} opens {host}");
}

/// An IPv6 address in brackets, which has several spellings.
fn ipv6(host: &str) -> Option<Ipv6Addr> {
    host.strip_prefix('[')?.strip_suffix(']')?.parse().ok()
}

/// Short forms of a body or name stay within their bounds and contain no markup.
pub(crate) fn page_text(input: &[u8]) {
    let Some(text) = text(input) else { return };
    assert!(!as_html(text).contains(['<', '>']));
    // A capital letter may be up to three characters.
    assert!(initials(text).chars().count() <= 6);
    assert!(!preview(text).contains('\n'));
    assert!(direction(text).is_none_or(|direction| matches!(direction, "ltr" | "rtl" | "auto")));
    if is_few_emoji(text) {
        assert!(!is_long(text));
        assert!(!text.contains(|c: char| c.is_ascii_alphabetic()));
    }
}

/// Every display name is found by itself, on the page and on the server.
pub(crate) fn search(input: &[u8]) {
    let Some(name) = text(input).and_then(chat::fuzzing::display_name) else { return };
    let asked = protocol::words::words_asked(&chat::folded(&name));
    let words = protocol::words::words_of(&chat::folded(&name));
    assert!(protocol::words::is_found(&words, &asked), "{asked:?} in {words:?}");
    let user =
        User { id: UserId(uuid::Uuid::nil()), username: "anna".to_owned(), display_name: name };
    let found = UserQuery::new(&user.display_name).finds(&user);
    assert_eq!(found, !asked.is_empty(), "{:?}", user.display_name);
}
