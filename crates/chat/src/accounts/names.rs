//! Validation of names, and the folded form in which they are compared.

use protocol::ErrorCode;
use protocol::limits::{MAX_DISPLAY_NAME_CHARS, USERNAME_CHARS};
use unicode_normalization::UnicodeNormalization;
use unicode_security::{RestrictionLevel, RestrictionLevelDetection};

/// Folds a name for comparison and look-up: NFKC, lower case, NFKC again because lower-casing can
/// break the normalisation.
pub(crate) fn fold(name: &str) -> String {
    name.nfkc().flat_map(char::to_lowercase).nfkc().collect()
}

/// Checks a username and returns its display form and its folded form.
///
/// Only letters and digits of one script are allowed (or of scripts that are written together, such
/// as Latin with Japanese), so that `аnna` with a Cyrillic first letter cannot pose as `anna`.
pub(crate) fn username(typed: &str) -> Result<(String, String), ErrorCode> {
    let name: String = typed.trim().nfkc().collect();
    let allowed = |c: char| c.is_alphanumeric() || matches!(c, '_' | '.' | '-');
    let readable = name.chars().all(allowed)
        && name.chars().any(char::is_alphanumeric)
        && name.detect_restriction_level() <= RestrictionLevel::HighlyRestrictive;
    let key = fold(&name);
    if readable
        && USERNAME_CHARS.contains(&name.chars().count())
        && USERNAME_CHARS.contains(&key.chars().count())
    {
        Ok((name, key))
    } else {
        Err(ErrorCode::UsernameInvalid)
    }
}

/// Checks a display name and returns its display form and its folded form; blank means the
/// username.
///
/// Control characters are refused, and characters that are invisible or change the direction of the
/// surrounding text.
pub(crate) fn display_name(typed: &str, username: &str) -> Result<(String, String), ErrorCode> {
    let words: Vec<&str> = typed.split_whitespace().collect();
    let name: String = words.join(" ").nfc().collect();
    if name.is_empty() {
        return Ok((username.to_owned(), fold(username)));
    }
    let seen = |c: char| c.is_alphanumeric() || (!c.is_control() && !invisible(c));
    if name.chars().count() > MAX_DISPLAY_NAME_CHARS
        || !name.chars().all(seen)
        || !name.chars().any(|c| c.is_alphanumeric() || c as u32 > 0x2000)
    {
        return Err(ErrorCode::DisplayNameInvalid);
    }
    let key = fold(&name);
    Ok((name, key))
}

/// Zero-width and direction-changing characters, line separators, tags and fillers.
fn invisible(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{180e}' | '\u{200b}'
        | '\u{200e}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
        | '\u{3164}' | '\u{feff}' | '\u{ffa0}' | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usernames_are_folded_and_invalid_ones_are_refused() {
        for (typed, key) in [
            ("Anna", "anna"),
            (" bob_1.x-y ", "bob_1.x-y"),
            ("Ｆｕｌｌ", "full"),
            ("ŻÓŁW", "żółw"),
            ("Straße", "straße"),
            ("田中さん", "田中さん"),
            ("İstanbul", "i\u{307}stanbul"),
        ] {
            assert_eq!(username(typed).map(|(_, key)| key), Ok(key.to_owned()), "{typed}");
        }
        for typed in [
            "",
            "ab",
            "a b c",
            "...",
            "аnna",
            "x\u{202e}abc",
            "abc\0",
            &"a".repeat(33),
            "a/b/c",
            "a@b",
        ] {
            assert_eq!(username(typed).map(|_| ()), Err(ErrorCode::UsernameInvalid), "{typed:?}");
        }
    }

    #[test]
    fn display_names_are_trimmed_and_invisible_ones_are_refused() {
        let shown = |typed: &str| display_name(typed, "anna").map(|(name, _)| name);
        assert_eq!(shown("  Anna   Maria  O'Neill "), Ok("Anna Maria O'Neill".to_owned()));
        assert_eq!(shown(""), Ok("anna".to_owned()));
        assert_eq!(shown("Zoë 🌻"), Ok("Zoë 🌻".to_owned()));
        for typed in ["\u{202e}evil", "a\u{200b}b", "nul\0", "...", &"a".repeat(65)] {
            assert_eq!(shown(typed), Err(ErrorCode::DisplayNameInvalid), "{typed:?}");
        }
    }
}
