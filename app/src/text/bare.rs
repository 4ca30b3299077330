//! Finds web addresses without a scheme, and telephone numbers. Pure and identical on server and
//! browser, like [`super::links`], which calls it.
//!
//! A dot without a space after it is more often a typo, a file name or code than an address. A name
//! is an address only if its top-level domain is listed here. Top-level domains that are also words
//! need a path. Without a path the name must be in lower case, except its first letter. Names that
//! begin with `www.` are exempt.

use std::ops::Range;

use super::address::{host, port, run, turns_around};
use super::characters::{CharRole, is_picture, is_unspaced, role_of};

/// Common top-level domains that are not words.
const DOMAINS: &str = "com org net edu gov eu de uk fr nl ch pl cz sk dk fi hu ro gr pt ie ru ua \
    рф br mx jp cn kr tw nz za io dev co ai tv biz xyz gg fm example";
/// Top-level domains that are also words, file extensions or ends of names; accepted only with a
/// path or as a national domain such as `.com.au`.
const WORDS: &str = "it es at be us in me ca au se no is to so my id il tr ly gl app info online shop \
    site store live cloud page news link";

/// Returns the address in the word whose first dot is at `dot`. The error is the position where
/// that word ends.
pub(super) fn address(text: &str, free: usize, dot: usize) -> Result<Range<usize>, usize> {
    let word = |c| in_label(c) || c == '.';
    let no_address = text[dot..].find(|c| !word(c)).map_or(text.len(), |end| dot + end);
    let before = &text[free..dot];
    let start = free + before.trim_end_matches(in_label).len();
    let before = text[free..start].chars().next_back();
    let end = host(text, start).filter(|_| may_begin_behind(before)).ok_or(no_address)?;
    let name = text[start..end].trim_end_matches('.');
    let end = port(text, end);
    let whole = if text[end..].starts_with(['/', '?', '#']) { run(text, end, before) } else { end };
    let has_path = whole > end + 1 && text[end..].starts_with('/');
    if is_name(name, has_path) && may_end_before(&text[whole..]) {
        Ok(start..whole)
    } else {
        Err(no_address.max(end))
    }
}

fn in_label(c: char) -> bool {
    match c {
        _ if c.is_ascii() => c.is_ascii_alphanumeric() || c == '-',
        _ => role_of(c) == CharRole::Inside && !is_unspaced(c) && !is_picture(c),
    }
}

/// Returns whether an address may follow this character, which must not join it to a path, a mail
/// address or a sum.
fn may_begin_behind(before: Option<char>) -> bool {
    before.is_none_or(|c| {
        if c.is_ascii() {
            !c.is_ascii_alphanumeric() && !"/\\@:.-_=&%#$+~".contains(c)
        } else {
            !in_label(c)
        }
    })
}

fn may_end_before(rest: &str) -> bool {
    let goes_on =
        |c: char| c.is_ascii() && matches!(role_of(c), CharRole::Inside | CharRole::Opens(_));
    !rest.starts_with(goes_on)
        && !rest.starts_with('\\')
        && !rest.starts_with("://")
        && !turns_around(rest)
}

fn is_name(name: &str, has_path: bool) -> bool {
    let Some((rest, last)) = name.rsplit_once('.') else { return false };
    // Two alphabets in one label mean a prefix without a space, or a look-alike.
    let is_mixed = |label: &str| {
        label.contains(|c: char| c.is_ascii_alphabetic()) && label.contains(|c| c >= '\u{250}')
    };
    if name.split('.').any(is_mixed) {
        return false;
    }
    let is_one_of = |list: &str| list.split(' ').any(|domain| domain.eq_ignore_ascii_case(last));
    if rest.get(..4).is_some_and(|www| www.eq_ignore_ascii_case("www.")) {
        return last.len() > 1 && !last.contains(|c: char| c.is_ascii_digit());
    }
    // Phones capitalise the first letter of a message.
    let is_small = !name.chars().skip(1).any(|c| c.is_ascii_uppercase());
    let is_national = rest.ends_with(".com") || rest.ends_with(".co");
    (has_path || is_small)
        && (is_one_of(DOMAINS) || ((has_path || is_national) && is_one_of(WORDS)))
}

/// Returns the telephone number that begins with the `+` at `plus`: 8 to 15 digits, grouped or not.
pub(super) fn number(text: &str, free: usize, plus: usize) -> Option<Range<usize>> {
    let start = plus + 1;
    let (mut digits, mut gap, mut end) = (0, 0, start);
    for (at, c) in text[start..].char_indices() {
        if c.is_ascii_digit() {
            (digits, gap, end) = (digits + 1, 0, start + at + 1);
        } else if digits > 0 && gap < 2 && " \u{A0}-./()".contains(c) {
            gap += 1;
        } else {
            break;
        }
    }
    let is_number = (8..=15).contains(&digits)
        && !text[start..].starts_with('0')
        && may_begin_behind(text[free..plus].chars().next_back())
        && !text[end..].starts_with(|c: char| c.is_ascii() && role_of(c) == CharRole::Inside);
    is_number.then_some(plus..end)
}

/// Returns a telephone number as dialled, without grouping characters and the national `(0)`.
pub(super) fn dialled(number: &str) -> String {
    let national = number.replace("(0)", "");
    national.chars().filter(|c| c.is_ascii_digit() || *c == '+').collect()
}

#[cfg(test)]
mod tests {
    use super::super::links::find;
    use super::*;

    fn links(text: &str) -> Vec<&str> {
        find(text).into_iter().map(|(range, _)| &text[range]).collect()
    }

    #[test]
    fn addresses_without_a_scheme_are_found() {
        for address in [
            "example.org",
            "Example.org",
            "www.example.org",
            "Www.Example.Museum",
            "mail.example.co.uk",
            "shop.example.com.tr",
            "example.org/path?x=1",
            "Example.Org/Path",
            "example.org:8080/a_(b)",
            "example.org/?q=a#b",
            "youtu.be/dQw4w9WgXc-",
            "t.me/duet",
            "163.com",
            "xn--mller-kva.de",
            "müller.de",
            "bücher.example",
            "пример.рф/a",
            "my-site.dev",
        ] {
            assert_eq!(links(address), [address]);
            for (before, after) in
                [("(", ")"), ("“", "”"), ("<", ">"), ("*", "*"), ("see ", "."), ("请看", "。")]
            {
                assert_eq!(links(&format!("{before}{address}{after}")), [address], "{before}");
            }
            assert_eq!(links(&format!("{address}, {address}? {address}!")), [address; 3]);
        }
        assert_eq!(links("example.orgです"), ["example.org"]);
        assert_eq!(links("لا example.org، ثم"), ["example.org"]);
    }

    #[test]
    fn a_dot_alone_does_not_make_an_address() {
        for text in [
            "e.g. this",
            "z.B. das",
            "i.e. that",
            "U.S. and U.S.A",
            "at 9 a.m. or 3.14 or 1.000.000",
            "file.txt, main.rs, index.html, archive.zip, notes.md",
            "Hello.World",
            "HELLO.COM",
            "yes.it is so.no way",
            "trust.me",
            "so...de nada",
            "foo..example.org",
            "src/main.de",
            "./example.org/x",
            "C:\\example.org",
            "x=example.org",
            "#example.org",
            "@example.org",
            "std::example.org",
            "example.org_x",
            "example.com=5",
            "socket.io()",
            "first.last@localhost",
            "example.org\u{202E}gpj",
            "git.example.org://x",
            "www.1.2",
            // The first letter is Cyrillic.
            "аpple.com",
            "وexample.org",
            "-.-.-.-",
            ".",
            "..",
            "a.",
        ] {
            assert_eq!(links(text), Vec::<&str>::new(), "{text:?}");
        }
        assert_eq!(links("jo.de@example.org"), ["jo.de@example.org"]);
        assert_eq!(links("mailto:jo.de@example.org"), ["mailto:jo.de@example.org"]);
    }

    #[test]
    fn only_unambiguous_telephone_numbers_are_found() {
        for (text, number, dial) in [
            ("call +49 30 1234567.", "+49 30 1234567", "+49301234567"),
            ("(+1-202-555-0123)", "+1-202-555-0123", "+12025550123"),
            ("+49 (0)30/123 45 67, ok", "+49 (0)30/123 45 67", "+49301234567"),
            ("+4915112345678", "+4915112345678", "+4915112345678"),
        ] {
            assert_eq!(links(text), [number]);
            assert_eq!(dialled(number), dial);
        }
        for text in [
            "2+12345678",
            "+1 000",
            "+1234567",
            "+1234567890123456",
            "+012345678",
            "0301234567",
            "a+12345678",
            "+12345678x",
            "++12345678",
            "+ 12345678",
        ] {
            assert_eq!(links(text), Vec::<&str>::new(), "{text:?}");
        }
    }

    #[test]
    fn a_long_word_of_dots_is_scanned_once() {
        let text = "-.".repeat(2_000_000);
        assert_eq!(links(&text), Vec::<&str>::new());
    }
}
