//! Finds the web and mail addresses in a text. Pure and identical on server and browser, because
//! both render the same body and hydration fails where they differ. Does not decide how a link is
//! shown; only [`super::pieces`] calls this.
//!
//! [`super::characters`] defines where an address ends, by Unicode properties. This module handles
//! addresses with `http://` or `https://` and those with an `@`; [`super::bare`] handles addresses
//! without a scheme, and telephone numbers.

use std::ops::Range;

use super::bare;
use super::browser::is_ipv6;
use super::characters::{CharRole, is_picture, is_unspaced, role_of};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AddressKind {
    /// A web address with a scheme.
    Web,
    /// A web address without a scheme.
    Bare,
    /// A telephone number.
    Phone,
    /// A mail address without `mailto:`.
    Mail,
    /// A mail address with `mailto:`.
    MailTo,
}

/// Returns the addresses in a text, in order and without overlap.
pub(super) fn find(text: &str) -> Vec<(Range<usize>, AddressKind)> {
    let mut found = Vec::new();
    // Text before `free` belongs to found addresses; text before `at` has been scanned.
    let (mut free, mut at) = (0, 0);
    while let Some(mark) = text[at..].find([':', '@', '.', '+']).map(|mark| at + mark) {
        at = mark + 1;
        let here = match text.as_bytes()[mark] {
            b'@' => mail(text, free, mark),
            b'+' => bare::number(text, free, mark).map(|range| (range, AddressKind::Phone)),
            b'.' => match bare::address(text, free, mark) {
                Ok(range) => Some((range, AddressKind::Bare)),
                Err(end) => {
                    at = end;
                    None
                }
            },
            _ if text[mark..].starts_with("://") => web(text, free, mark),
            _ => None,
        };
        if let Some((range, kind)) = here {
            free = range.end;
            at = range.end;
            found.push((range, kind));
        }
    }
    found
}

/// Returns the web address whose scheme ends at `colon`.
fn web(text: &str, free: usize, colon: usize) -> Option<(Range<usize>, AddressKind)> {
    let start = ["https", "http"]
        .iter()
        .filter_map(|scheme| colon.checked_sub(scheme.len()).filter(|start| *start >= free))
        .find(|start| is_scheme(text.get(*start..colon).unwrap_or_default()))?;
    let before = text[free..start].chars().next_back();
    // Another scheme, such as `xhttp` or `git+https`.
    if before.is_some_and(|c| c.is_ascii_alphanumeric() || c == '+') {
        return None;
    }
    let host = authority(text, colon + "://".len())?;
    let end = match text[host..].chars().next() {
        Some('/' | '?' | '#') => run(text, host, before),
        _ => host,
    };
    (!turns_around(&text[end..])).then_some((start..end, AddressKind::Web))
}

fn is_scheme(text: &str) -> bool {
    text.eq_ignore_ascii_case("https") || text.eq_ignore_ascii_case("http")
}

/// Returns whether a direction override follows inside the same word. Such text looks different
/// from what it contains, so an address in it must not become a link. Embeddings and isolates keep
/// the order of letters; they only end an address.
pub(super) fn turns_around(rest: &str) -> bool {
    let mut rest = rest.chars().filter(|c| role_of(*c) != CharRole::Between);
    let turns = |c| matches!(c, '\u{202D}' | '\u{202E}');
    rest.next().is_some_and(turns) && rest.next().is_some_and(|c| role_of(c) == CharRole::Inside)
}

/// Returns the end of the authority (user, host, port) that begins at `start`. `None` without a
/// host.
fn authority(text: &str, start: usize) -> Option<usize> {
    let in_name = |c: char| c.is_ascii_alphanumeric() || "-._~+$&=%:".contains(c) || !c.is_ascii();
    let name = text[start..].find(|c| !in_name(c) || role_of(c) == CharRole::Ends).unwrap_or(0);
    let named = name > 0 && text[start + name..].starts_with('@');
    let behind_name = if named { host_and_port(text, start + name + 1) } else { None };
    behind_name.or_else(|| host_and_port(text, start))
}

fn host_and_port(text: &str, start: usize) -> Option<usize> {
    let end = if text[start..].starts_with('[') {
        let close = start + text[start..].find(']')?;
        is_ipv6(&text[start + 1..close]).then_some(close + 1)?
    } else {
        host(text, start)?
    };
    Some(port(text, end))
}

/// Returns the end of the port after a host, or `end` if there is no port.
pub(super) fn port(text: &str, end: usize) -> usize {
    let port = text[end..].strip_prefix(':').unwrap_or_default();
    let digits = port.chars().take_while(char::is_ascii_digit).count();
    if (1..=5).contains(&digits) { end + 1 + digits } else { end }
}

/// Returns the end of the host name that begins at `start`.
pub(super) fn host(text: &str, start: usize) -> Option<usize> {
    let run = &text[start..];
    let length = run
        .find(|c: char| {
            if c.is_ascii() {
                !(c.is_ascii_alphanumeric() || "-._".contains(c))
            } else {
                role_of(c) == CharRole::Ends
                    || (role_of(c) == CharRole::Between && !joins_labels(c))
            }
        })
        .unwrap_or(run.len());
    let run = &run[..run[..length].find("..").unwrap_or(length)];
    // A trailing dot belongs to the host only if a path follows.
    let followed = text[start + run.len()..].starts_with('/') && run.ends_with('.');
    let name = run.trim_end_matches(|c| "-._".contains(c) || role_of(c) == CharRole::Between);
    let whole = if followed && name.len() + 1 == run.len() { run } else { name };
    let is_whole = whole.starts_with(|c: char| role_of(c) == CharRole::Inside && c != '-');
    let last = name.rfind('.').map_or(0, |dot| dot + 1);
    let cut = last + label_end(&name[last..]);
    (is_whole && cut > last).then_some(start + if cut < name.len() { cut } else { whole.len() })
}

/// Returns whether `c` is a word-internal mark allowed in host names: middle dots, Hebrew marks,
/// joiners.
fn joins_labels(c: char) -> bool {
    matches!(c, '\u{B7}' | '\u{30FB}' | '\u{5F3}' | '\u{5F4}' | '\u{200C}' | '\u{200D}')
}

/// Returns the end of a host's last label. A label that begins with Latin letters ends before
/// another script, because the sentence continues there: `example.orgです`, `example.org🙂`.
fn label_end(label: &str) -> usize {
    let goes_on = |c: char| is_unspaced(c) || is_picture(c);
    if label.starts_with(|c: char| c.is_ascii_alphanumeric()) {
        label.find(goes_on).unwrap_or(label.len())
    } else {
        label.len()
    }
}

/// Returns the end of the path, query and fragment that begin at `start`. `before` is the character
/// before the whole address: if it is a quote, the address ends at the matching quote.
pub(super) fn run(text: &str, start: usize, before: Option<char>) -> usize {
    let closes = match before {
        Some(quote @ ('\'' | '\u{2019}' | '\u{5F3}' | '\u{5F4}')) => Some(quote),
        Some('\u{2018}' | '\u{201A}') => Some('\u{2019}'),
        _ => None,
    };
    let emphasis = before.filter(|c| "_~".contains(*c));
    let mut end = start;
    // Open brackets, and the end of the address without each of them.
    let mut open: Vec<(char, usize)> = Vec::new();
    for (at, c) in text[start..].char_indices() {
        match role_of(c) {
            _ if Some(c) == closes => break,
            CharRole::Ends => break,
            CharRole::Between => continue,
            CharRole::Inside if Some(c) == emphasis => continue,
            CharRole::Inside => {}
            CharRole::Opens(close) => {
                open.push((close, end));
                continue;
            }
            CharRole::Closes if open.last().is_some_and(|(close, _)| *close == c) => {
                open.pop();
            }
            CharRole::Closes => break,
        }
        end = start + at + c.len_utf8();
    }
    open.first().map_or(end, |(_, before)| *before)
}

/// Returns the mail address around the `@` at `at`.
fn mail(text: &str, free: usize, at: usize) -> Option<(Range<usize>, AddressKind)> {
    let in_name = |c: char| match c {
        _ if c.is_ascii() => c.is_ascii_alphanumeric() || "._%+-~'&".contains(c),
        _ => c.is_alphanumeric() && !is_unspaced(c) && role_of(c) == CharRole::Inside,
    };
    let name = &text[free..at];
    let name = &name[name.trim_end_matches(in_name).len()..];
    let name = name.trim_start_matches(|c: char| c != '_' && !c.is_alphanumeric());
    if name.is_empty() || name.ends_with('.') {
        return None;
    }
    let start = at - name.len();
    let end = host(text, at + 1)?;
    let host = text[at + 1..end].trim_end_matches('.');
    let end = at + 1 + host.len();
    let (_, last) = host.rsplit_once('.')?;
    if last.chars().count() < 2 || !last.contains(char::is_alphabetic) || host.contains('_') {
        return None;
    }
    let prefix = "mailto:";
    match start.checked_sub(prefix.len()).filter(|start| *start >= free) {
        Some(earlier)
            if text.get(earlier..start).is_some_and(|found| found.eq_ignore_ascii_case(prefix)) =>
        {
            let before = text[..earlier].chars().next_back();
            let end = if text[end..].starts_with('?') { run(text, end, before) } else { end };
            Some((earlier..end, AddressKind::MailTo))
        }
        _ => Some((start..end, AddressKind::Mail)),
    }
}

#[cfg(test)]
mod tests;
