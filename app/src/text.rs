//! What the page makes of plain text: links, large emoji, initials. Never HTML.

mod bare;
mod browser;
mod host;
mod links;
mod question;
mod signs;
mod username;

use links::Kind;
use protocol::UserId;

pub use question::Question;
pub use username::username;

/// A piece of a body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// Words.
    Text(String),
    /// A web or mail address, or a telephone number.
    Link {
        /// Where to.
        to: String,
        /// As it was written.
        text: String,
        /// The host as the network knows it, where what is written may look like another one.
        real_host: Option<String>,
    },
}

/// Cuts a body into words and links. Only web and mail addresses and telephone numbers become links.
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
            Kind::Web | Kind::MailTo => text.to_owned(),
            Kind::Mail => "mailto:".to_owned() + text,
            Kind::Bare => "https://".to_owned() + text,
            Kind::Phone => "tel:".to_owned() + &bare::dialled(text),
        };
        let real_host = host::real(&to);
        pieces.push(Piece::Link { to, text: text.to_owned(), real_host });
    }
    if words_from < body.len() {
        pieces.push(Piece::Text(body[words_from..].to_owned()));
    }
    pieces
}

/// A username as it is shown, whichever way the text around it runs; nothing for who has none any more.
pub fn handle(username: &str) -> String {
    if username.is_empty() {
        return String::new();
    }
    ["\u{2066}@", username, "\u{2069}"].concat()
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
    first.into_iter().chain(last).map(browser::uppercase).collect()
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

/// A text as the content of an element. Words that change are written in this way: a translator of
/// the page replaces text nodes by its own, and would leave the page with nodes that nobody sees.
pub fn as_html(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// What the composer shows of the text in its box.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Written {
    is_blank: bool,
    length: usize,
    has_colon: bool,
}

impl Written {
    /// That of a text.
    pub fn of(text: &str) -> Self {
        Self {
            is_blank: text.trim().is_empty(),
            length: text.chars().count(),
            has_colon: text.contains(':'),
        }
    }

    /// That of a text so long that it is not read at every key.
    pub fn long(length: usize) -> Self {
        Self { is_blank: false, length, has_colon: false }
    }

    /// Whether there is nothing to send.
    pub fn is_blank(self) -> bool {
        self.is_blank
    }

    /// In characters.
    pub fn length(self) -> usize {
        self.length
    }

    /// Whether it may name an emoji.
    pub fn has_colon(self) -> bool {
        self.has_colon
    }
}

impl Default for Written {
    fn default() -> Self {
        Self::of("")
    }
}

/// The first line of a body, short enough for the list. Of a very long text only its beginning is read.
pub fn preview(body: &str) -> String {
    /// Characters.
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

/// The direction of a text by its first letter, where there is one.
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

    #[test]
    fn a_preview_is_one_short_line_of_any_text() {
        assert_eq!(preview("  one\n\ttwo  three "), "one two three");
        assert_eq!(preview(&"a".repeat(1_000)), "a".repeat(120));
        assert_eq!(preview(&"ab ".repeat(1_000)), "ab ".repeat(40));
        assert_eq!(preview(""), "");
    }

    #[test]
    fn the_first_letter_says_the_direction() {
        assert_eq!(direction("12, hello שלום"), Some("ltr"));
        assert_eq!(direction("12, مرحبا hello"), Some("rtl"));
        assert_eq!(direction("12:30 – 👍"), None);
    }
}
