//! The parts of an address: host, port, and what follows. Pure and identical on server and browser,
//! like [`super::links`] and [`super::bare`], which call it.

use super::characters::{CharRole, is_picture, is_unspaced, role_of};

/// Returns whether a direction override follows inside the same word. Such text looks different
/// from what it contains, so an address in it must not become a link. Embeddings and isolates keep
/// the order of letters; they only end an address.
pub(super) fn turns_around(rest: &str) -> bool {
    let mut rest = rest.chars().filter(|c| role_of(*c) != CharRole::Between);
    let turns = |c| matches!(c, '\u{202D}' | '\u{202E}');
    rest.next().is_some_and(turns) && rest.next().is_some_and(|c| role_of(c) == CharRole::Inside)
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
