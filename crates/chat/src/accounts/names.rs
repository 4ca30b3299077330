//! Validation of names, and the folded form in which they are compared.
//!
//! These functions only check the text: the store decides whether a name is taken, [`super::looks`]
//! whether a username poses as another one. A text is bounded before it is folded, because folding
//! makes it up to eleven times as long. Called by sign-up, sign-in, the settings and the search.

use protocol::ErrorCode;
use protocol::limits::{
    MAX_DISPLAY_NAME_BYTES, MAX_DISPLAY_NAME_CHARS, MAX_USERNAME_BYTES, USERNAME_CHARS,
};
use unicode_normalization::UnicodeNormalization;
use unicode_security::{RestrictionLevel, RestrictionLevelDetection};

use super::visible::is_visible;

/// Folds a name for comparison and look-up: NFKC, lower case, NFKC again because lower-casing can
/// break the normalisation.
pub(crate) fn fold(name: &str) -> String {
    name.nfkc().flat_map(char::to_lowercase).nfkc().collect()
}

/// Returns the folded form by which an account is found. `None` if the typed text is too long for
/// any username.
pub(crate) fn username_key(typed: &str) -> Option<String> {
    (typed.len() <= MAX_USERNAME_BYTES).then(|| fold(typed.trim()))
}

/// Checks a username and returns its display form and its folded form.
///
/// Only letters and digits of one script are allowed (or of scripts that are written together, such
/// as Latin with Japanese), so that `аnna` with a Cyrillic first letter cannot pose as `anna`.
pub(crate) fn username(typed: &str) -> Result<(String, String), ErrorCode> {
    if typed.len() > MAX_USERNAME_BYTES {
        return Err(ErrorCode::UsernameInvalid);
    }
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
/// A name that cannot be seen is refused, and so are hidden characters and those that change the
/// direction of the surrounding text.
pub(crate) fn display_name(typed: &str, username: &str) -> Result<(String, String), ErrorCode> {
    if typed.len() > MAX_DISPLAY_NAME_BYTES {
        return Err(ErrorCode::DisplayNameInvalid);
    }
    let words: Vec<&str> = typed.split_whitespace().collect();
    let name: String = words.join(" ").nfc().collect();
    if name.is_empty() {
        return Ok((username.to_owned(), fold(username)));
    }
    if name.chars().count() > MAX_DISPLAY_NAME_CHARS || !is_visible(&name) {
        return Err(ErrorCode::DisplayNameInvalid);
    }
    let key = fold(&name);
    Ok((name, key))
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
            "abc\u{3164}",
            "abc\u{200d}",
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
        for typed in
            ["\u{202e}evil", "a\u{200b}b", "\u{3164}", "\u{2800}", "nul\0", "...", &"a".repeat(65)]
        {
            assert_eq!(shown(typed), Err(ErrorCode::DisplayNameInvalid), "{typed:?}");
        }
    }

    #[test]
    fn a_name_of_a_megabyte_is_refused_before_it_is_folded() {
        // Each character becomes eighteen.
        let long = "\u{fdfa}".repeat(350_000);
        assert_eq!(username_key(&long), None);
        assert_eq!(username(&long).map(drop), Err(ErrorCode::UsernameInvalid));
        assert_eq!(display_name(&long, "anna").map(drop), Err(ErrorCode::DisplayNameInvalid));
        let (spaces, name) = (" ".repeat(1_000_000), "anna");
        assert_eq!(username(&format!("{spaces}{name}")).map(drop), Err(ErrorCode::UsernameInvalid));
        let longest = "e\u{323}\u{302}".repeat(32);
        assert_eq!(username(&longest).map(|(name, _)| name), Ok("ệ".repeat(32)));
        assert_eq!(username_key(&longest), username(&longest).ok().map(|(_, key)| key));
    }
}
