//! The texts of the provider and of browsers in the log. Whoever can put a line break into a line can write
//! a line of their own, for example one on which fail2ban blocks another address.

/// Longest text in the log, in characters.
const MAX_TEXT: usize = 500;
/// Longest error code in the log. The longest of the standards has 26 characters.
const MAX_CODE: usize = 40;

/// Returns the text without characters that can end or forge a line: control characters, and those of
/// Unicode that separate lines or change the direction.
pub(super) fn printable(text: &str) -> String {
    let is_shown = |c: char| c == ' ' || !(c.is_control() || c.is_whitespace() || is_invisible(c));
    let mut shown = String::new();
    for c in text.chars().take(MAX_TEXT) {
        match is_shown(c) {
            true => shown.push(c),
            false => shown.extend(c.escape_unicode()),
        }
    }
    shown
}

fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// Returns the error code that a browser brought from the provider, if it has the form of one. Every
/// website can send a browser here with any text.
pub(super) fn error_code(text: &str) -> &str {
    let is_code = |c: char| c.is_ascii_lowercase() || c == '_';
    let has_form = (1..=MAX_CODE).contains(&text.len()) && text.chars().all(is_code);
    if has_form { text } else { "another error" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_stays_in_its_line() {
        let forged = printable("a\nb\r\u{85}\u{2028}\u{202e}\u{1b}[31m ä");
        assert_eq!(forged, "a\\u{a}b\\u{d}\\u{85}\\u{2028}\\u{202e}\\u{1b}[31m ä");
        assert_eq!(printable(&"x".repeat(1000)).len(), MAX_TEXT);
    }

    #[test]
    fn only_an_error_code_is_quoted() {
        assert_eq!(error_code("access_denied"), "access_denied");
        let long = "x".repeat(MAX_CODE + 1);
        for text in ["", "Access", "a b", "a\nb", "a.b", "ä", &long] {
            assert_eq!(error_code(text), "another error", "{text:?}");
        }
    }
}
