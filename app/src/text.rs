//! Plain text for the page: links, large emoji, initials. Never HTML, apart from [`as_html`].

mod address;
mod bare;
mod browser;
mod characters;
mod host;
mod links;
mod user_query;
mod username;

use links::AddressKind;
use protocol::UserId;

pub use user_query::UserQuery;
pub use username::username;

/// A piece of a message body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    Text(String),
    /// A web address, a mail address or a telephone number.
    Link {
        /// The URL.
        to: String,
        /// The text as written.
        text: String,
        /// The host in ASCII, if the written text may look like another host.
        real_host: Option<String>,
    },
}

/// Splits a body into text and links. Only web addresses, mail addresses and telephone numbers
/// become links.
pub fn pieces(body: &str) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut words_from = 0;
    for (range, kind) in links::find(body) {
        if range.start > words_from {
            pieces.push(Piece::Text(body[words_from..range.start].to_owned()));
        }
        words_from = range.end;
        let text = &body[range];
        let to = match kind {
            AddressKind::Web | AddressKind::MailTo => text.to_owned(),
            AddressKind::Mail => "mailto:".to_owned() + text,
            AddressKind::Bare => "https://".to_owned() + text,
            AddressKind::Phone => "tel:".to_owned() + &bare::dialled(text),
        };
        let real_host = host::real(&to);
        pieces.push(Piece::Link { to, text: text.to_owned(), real_host });
    }
    if words_from < body.len() {
        pieces.push(Piece::Text(body[words_from..].to_owned()));
    }
    pieces
}

/// Returns a username for display, isolated from the direction of the text around it. Empty for a
/// deleted account.
pub fn handle(username: &str) -> String {
    if username.is_empty() {
        return String::new();
    }
    ["\u{2066}@", username, "\u{2069}"].concat()
}

/// Returns whether a body is one to three emoji and nothing else, which are shown large. A body with
/// so many blank lines that it is shown folded is not.
pub fn is_few_emoji(body: &str) -> bool {
    let mut emoji = 0;
    let mut joined = false;
    let mut open_flag = false;
    for c in body.chars().filter(|c| !c.is_whitespace()) {
        match u32::from(c) {
            // Zero-width joiner: the next character belongs to the same emoji.
            0x200D => {
                joined = true;
                continue;
            }
            // Variation selector, skin tones.
            0xFE0F | 0x1F3FB..=0x1F3FF => continue,
            // A flag is a pair of regional letters.
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
    (1..=3).contains(&emoji) && !is_long(body)
}

/// Returns whether a body is long enough to be shown folded. Depends on the text alone, so that the
/// server and the browser's first render agree at every window width.
pub fn is_long(body: &str) -> bool {
    body.matches('\n').count() >= 20 || body.chars().count() > 1_200
}

/// Returns one or two letters for an avatar.
pub fn initials(name: &str) -> String {
    let mut words = name
        .split(|c: char| c.is_whitespace() || "._-".contains(c))
        .filter_map(|word| word.chars().find(|c| c.is_alphanumeric()));
    let first = words.next();
    let last = words.next_back();
    first.into_iter().chain(last).map(browser::uppercase).collect()
}

/// Number of avatar colours.
const COLOURS: u32 = 8;

/// Returns the class name of a user's avatar colour, which is the same everywhere.
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

/// Escapes a text for `inner_html`. Text that changes is rendered this way, because translation
/// tools replace text nodes and would leave the page updating detached nodes.
pub fn as_html(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// Properties of the composer's text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TextStats {
    is_blank: bool,
    length: usize,
    has_colon: bool,
}

impl TextStats {
    pub fn of(text: &str) -> Self {
        Self {
            is_blank: text.trim().is_empty(),
            length: text.chars().count(),
            has_colon: text.contains(':'),
        }
    }

    /// Creates the properties of a text too long to scan at every key. `length` is in UTF-16 units.
    pub fn long(length: usize) -> Self {
        Self { is_blank: false, length, has_colon: false }
    }

    /// Returns whether there is nothing to send.
    pub fn is_blank(self) -> bool {
        self.is_blank
    }

    /// Returns the length in characters, or in UTF-16 units for very long texts.
    pub fn length(self) -> usize {
        self.length
    }

    /// Returns whether the text may contain an emoji shortcode.
    pub fn has_colon(self) -> bool {
        self.has_colon
    }
}

impl Default for TextStats {
    fn default() -> Self {
        Self::of("")
    }
}

/// Returns the beginning of a body as one line for the list. Reads only the beginning of a very
/// long text.
pub fn preview(body: &str) -> String {
    /// In characters.
    const MOST: usize = 120;
    let mut short = String::new();
    for word in body.split_whitespace() {
        if !short.is_empty() {
            short.push(' ');
        }
        short.extend(word.chars().take(MOST));
        if let Some((end, _)) = short.char_indices().nth(MOST) {
            short.truncate(end);
            break;
        }
    }
    short
}

/// Returns the direction of a text's first letter; `None` without letters.
pub fn direction(beginning: &str) -> Option<&'static str> {
    let is_rtl = |c| matches!(c, '\u{590}'..='\u{8FF}' | '\u{FB1D}'..='\u{FDFF}' | '\u{FE70}'..='\u{FEFC}' | '\u{10800}'..='\u{10FFF}' | '\u{1E800}'..='\u{1EFFF}');
    let first = beginning.chars().find(|c| c.is_alphabetic())?;
    Some(if is_rtl(first) { "rtl" } else { "ltr" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_web_and_mail_addresses_and_telephone_numbers_become_links() {
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
        assert_eq!(
            pieces("example.org or +1 202 555 0123"),
            [
                link("https://example.org", "example.org"),
                text(" or "),
                link("tel:+12025550123", "+1 202 555 0123")
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
    fn one_to_three_emoji_alone_are_shown_large() {
        for few in ["🎉", "👍🏽 ❤️", "👩‍👩‍👧‍👦", "🇩🇪🇫🇷", "😀😀😀"]
        {
            assert!(is_few_emoji(few), "{few}");
        }
        for other in ["", " ", "a", "🎉 yes", "😀😀😀😀", "1"] {
            assert!(!is_few_emoji(other), "{other}");
        }
        let folded = ["🌻", &"\n".repeat(30), "🌻"].concat();
        assert!(is_long(&folded) && !is_few_emoji(&folded));
    }

    #[test]
    fn initials_come_from_the_first_and_the_last_word() {
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

    #[test]
    fn a_preview_is_one_short_line() {
        assert_eq!(preview("  one\n\ttwo  three "), "one two three");
        assert_eq!(preview(&"a".repeat(1_000)), "a".repeat(120));
        assert_eq!(preview(&"ab ".repeat(1_000)), "ab ".repeat(40));
        assert_eq!(preview(""), "");
    }

    #[test]
    fn the_first_letter_decides_the_direction() {
        assert_eq!(direction("12, hello שלום"), Some("ltr"));
        assert_eq!(direction("12, مرحبا hello"), Some("rtl"));
        assert_eq!(direction("12:30 – 👍"), None);
    }
}
