//! What the page makes of plain text: links, large emoji, initials. Never HTML.

mod host;

use linkify::{LinkFinder, LinkKind};
use protocol::UserId;

/// A piece of a body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// Words.
    Text(String),
    /// A web or mail address.
    Link {
        /// Where to.
        to: String,
        /// As it was written.
        text: String,
        /// The host as the network knows it, where what is written may look like another one.
        real_host: Option<String>,
    },
}

/// Cuts a body into words and links. Only http, https and mail addresses become links.
pub fn pieces(body: &str) -> Vec<Piece> {
    let mut finder = LinkFinder::new();
    finder.kinds(&[LinkKind::Url, LinkKind::Email]);
    finder
        .spans(body)
        .map(|span| {
            let text = span.as_str();
            let to = match span.kind() {
                Some(LinkKind::Email) => format!("mailto:{text}"),
                Some(LinkKind::Url) if is_web(text) => text.to_owned(),
                _ => return Piece::Text(text.to_owned()),
            };
            Piece::Link { to, text: text.to_owned(), real_host: host::real(text) }
        })
        .collect()
}

/// Whether an address is one to follow. One that hides marks which turn the writing around shows
/// something else than what it is.
fn is_web(url: &str) -> bool {
    let turns = |c| matches!(c, '\u{200E}'..='\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}' | '\u{61C}');
    let scheme = url.split_once(':').map_or("", |(scheme, _)| scheme);
    ["http", "https", "mailto"].iter().any(|known| scheme.eq_ignore_ascii_case(known))
        && !url.contains(turns)
}

/// Whether a body is one to three emoji and nothing else: then they are shown large.
pub fn is_few_emoji(body: &str) -> bool {
    let mut emoji = 0;
    let mut joined = false;
    let mut open_flag = false;
    for c in body.chars().filter(|c| !c.is_whitespace()) {
        match u32::from(c) {
            // Zero-width joiner: the next one belongs to the same picture.
            0x200D => {
                joined = true;
                continue;
            }
            // Variation selector, skin tones.
            0xFE0F | 0x1F3FB..=0x1F3FF => continue,
            // Flags are pairs of letters.
            0x1F1E6..=0x1F1FF => {
                emoji += u32::from(!open_flag);
                open_flag = !open_flag;
            }
            0x1F300..=0x1FAFF | 0x2600..=0x27BF | 0x2B50 | 0x2B55 | 0x2B1B..=0x2B1C => {
                emoji += u32::from(!joined);
            }
            _ => return false,
        }
        joined = false;
    }
    (1..=3).contains(&emoji)
}

/// Whether a body is so long that it is shown folded. By the text alone, so that the server, the
/// browser's first render and every width of window agree.
pub fn is_long(body: &str) -> bool {
    body.matches('\n').count() >= 20 || body.chars().count() > 1_200
}

/// One or two letters that stand for a name.
pub fn initials(name: &str) -> String {
    let mut words = name
        .split(|c: char| c.is_whitespace() || "._-".contains(c))
        .filter_map(|word| word.chars().find(|c| c.is_alphanumeric()));
    let first = words.next();
    let last = words.next_back();
    first.into_iter().chain(last).flat_map(char::to_uppercase).collect()
}

/// How many colours there are for faces.
const COLOURS: u32 = 8;

/// A person's colour, the same everywhere: its class name.
pub fn colour(user: UserId) -> &'static str {
    let sum = user
        .0
        .as_bytes()
        .iter()
        .fold(0_u32, |sum, byte| sum.wrapping_mul(31).wrapping_add(u32::from(*byte)));
    match sum % COLOURS {
        0 => "face-0",
        1 => "face-1",
        2 => "face-2",
        3 => "face-3",
        4 => "face-4",
        5 => "face-5",
        6 => "face-6",
        _ => "face-7",
    }
}

/// The first line of a body, short enough for the list.
pub fn preview(body: &str) -> String {
    let mut short: String = body.split_whitespace().collect::<Vec<_>>().join(" ");
    if let Some((end, _)) = short.char_indices().nth(120) {
        short.truncate(end);
    }
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_web_and_mail_addresses_become_links() {
        let link = |to: &str, text: &str| Piece::Link {
            to: to.into(),
            text: text.into(),
            real_host: None,
        };
        let text = |text: &str| Piece::Text(text.into());
        assert_eq!(
            pieces("see https://example.org/a?b, or a@example.org!"),
            [
                text("see "),
                link("https://example.org/a?b", "https://example.org/a?b"),
                text(", or "),
                link("mailto:a@example.org", "a@example.org"),
                text("!")
            ]
        );
        let turned = "https://example.org/\u{202E}gpj.exe";
        for plain in
            ["javascript:alert(1)", "data://x", "file:///etc/passwd", "<b>bold</b>", turned]
        {
            let pieces = pieces(plain);
            assert!(pieces.iter().all(|piece| matches!(piece, Piece::Text(_))), "{pieces:?}");
        }
    }

    #[test]
    fn more_than_twenty_lines_or_twelve_hundred_characters_are_long() {
        assert!(!is_long(&"line\n".repeat(19)) && is_long(&"line\n".repeat(20)));
        assert!(!is_long(&"ä".repeat(1_200)) && is_long(&"ä".repeat(1_201)));
    }

    #[test]
    fn one_to_three_emoji_are_few() {
        for few in ["🎉", "👍🏽 ❤️", "👩‍👩‍👧‍👦", "🇩🇪🇫🇷", "😀😀😀"]
        {
            assert!(is_few_emoji(few), "{few}");
        }
        for other in ["", " ", "a", "🎉 yes", "😀😀😀😀", "1"] {
            assert!(!is_few_emoji(other), "{other}");
        }
    }

    #[test]
    fn initials_are_the_first_and_the_last_word() {
        let cases = [
            ("Anna", "A"),
            ("anna maria berg", "AB"),
            ("j.r", "JR"),
            ("", ""),
            ("  ", ""),
            ("李 小龙", "李小"),
        ];
        for (name, expected) in cases {
            assert_eq!(initials(name), expected);
        }
    }
}
