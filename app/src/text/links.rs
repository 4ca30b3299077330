//! Finds the web and mail addresses in a text. Pure and identical on server and browser, because
//! both render the same body and hydration fails where they differ. Does not decide how a link is
//! shown; only [`super::pieces`] calls this.
//!
//! [`super::characters`] defines where an address ends, by Unicode properties, and
//! [`super::address`] finds the end of its parts. This module handles addresses with `http://` or
//! `https://` and those with an `@`; [`super::bare`] handles addresses without a scheme, and
//! telephone numbers.

use std::ops::Range;

use super::address::{host, port, run, turns_around};
use super::bare;
use super::browser::is_ipv6;
use super::characters::{CharRole, is_unspaced, role_of};

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
