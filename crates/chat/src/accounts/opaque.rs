//! The form in which passwords are hashed and compared: the `OpaqueString` profile of RFC 8265, so
//! that a password is the same in every Unicode spelling. macOS and Linux, for example, may type
//! "é" as one character or as two.
//!
//! Implemented here because the profile has only three steps, and a library does the normalisation.
//! The crate that implements the whole framework refuses characters that are newer than its tables.
//! Only [`super::hashing`] calls this module.

use protocol::ErrorCode;
use unicode_normalization::UnicodeNormalization;

/// Returns a password in the form of the profile: other spaces become U+0020, and the text is in
/// normalisation form C. Case and width stay as typed.
///
/// # Errors
/// `password_invalid` for control characters, and for invisible ones, which people cannot type a
/// second time.
pub(super) fn enforce(typed: &str) -> Result<String, ErrorCode> {
    let spaced = typed.chars().map(|c| if is_other_space(c) { ' ' } else { c });
    let password: String = spaced.nfc().collect();
    // After the normalisation, as RFC 8264 requires: the normalisation composes syllables from
    // Korean letters that would be refused on their own.
    if password.chars().any(is_refused) || has_stray_joiner(&password) {
        return Err(ErrorCode::PasswordInvalid);
    }
    Ok(password)
}

/// Unicode's space separators (`Zs`) except U+0020.
fn is_other_space(c: char) -> bool {
    matches!(
        c,
        '\u{A0}' | '\u{1680}' | '\u{2000}'..='\u{200A}' | '\u{202F}' | '\u{205F}' | '\u{3000}'
    )
}

/// Characters that the `FreeformClass` of RFC 8264 refuses: controls, line separators, invisible
/// characters (`Default_Ignorable_Code_Point`), old Korean letters, private-use characters and
/// noncharacters. Unassigned characters are accepted, because the password may contain a new emoji.
fn is_refused(c: char) -> bool {
    let joiner = matches!(c, '\u{200C}' | '\u{200D}');
    c.is_control()
        || !joiner && is_ignorable(c)
        || matches!(c,
            '\u{2028}' | '\u{2029}' | '\u{1100}'..='\u{11FF}' | '\u{A960}'..='\u{A97C}'
            | '\u{D7B0}'..='\u{D7FB}' | '\u{E000}'..='\u{F8FF}' | '\u{FDD0}'..='\u{FDEF}'
            | '\u{F0000}'..)
        || u32::from(c) & 0xFFFE == 0xFFFE
}

fn is_ignorable(c: char) -> bool {
    matches!(c,
        '\u{AD}' | '\u{34F}' | '\u{61C}' | '\u{115F}' | '\u{1160}' | '\u{17B4}' | '\u{17B5}'
        | '\u{180B}'..='\u{180F}' | '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}'
        | '\u{2060}'..='\u{206F}' | '\u{3164}' | '\u{FE00}'..='\u{FE0F}' | '\u{FEFF}'
        | '\u{FFA0}' | '\u{FFF0}'..='\u{FFFB}' | '\u{1BCA0}'..='\u{1BCA3}'
        | '\u{1D173}'..='\u{1D17A}' | '\u{E0000}'..='\u{E0FFF}')
}

/// Returns whether a joiner stands outside non-ASCII letters. Between such letters the two joiners
/// have a visible effect: Persian, Indic scripts and emoji need them there, and the profile allows
/// them there.
fn has_stray_joiner(password: &str) -> bool {
    let joiner = |c: char| matches!(c, '\u{200C}' | '\u{200D}');
    let between = |c: char| !c.is_ascii() && !joiner(c);
    let characters: Vec<char> = password.chars().collect();
    characters.iter().enumerate().any(|(at, c)| {
        let before = at.checked_sub(1).and_then(|before| characters.get(before));
        let neighbours = [before, characters.get(at + 1)];
        joiner(*c) && !neighbours.into_iter().all(|near| near.is_some_and(|c| between(*c)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_the_same_in_every_unicode_form() {
        for (typed, expected) in [
            ("tulip-Harbor-92", "tulip-Harbor-92"),
            ("cafe\u{301} au lait", "café au lait"),
            ("café\u{A0}au\u{3000}lait", "café au lait"),
            ("\u{1112}\u{1161}\u{11AB}국어 비밀번호", "한국어 비밀번호"),
            ("A\u{30A} \u{212B} \u{C5}", "Å Å Å"),
            // The profile keeps case, width and compatibility forms distinct.
            ("ＦｕｌｌWidth ﬁ", "ＦｕｌｌWidth ﬁ"),
            ("می\u{200C}خواهم", "می\u{200C}خواهم"),
            ("👩\u{200D}👩\u{200D}👧 at home", "👩\u{200D}👩\u{200D}👧 at home"),
            ("a three-headed monkey!🐒", "a three-headed monkey!🐒"),
        ] {
            assert_eq!(enforce(typed).as_deref(), Ok(expected), "{typed:?}");
        }
    }

    #[test]
    fn invisible_characters_are_refused() {
        for sign in [
            '\0',
            '\t',
            '\n',
            '\u{7F}',
            '\u{85}',
            '\u{AD}',
            '\u{200B}',
            '\u{200C}',
            '\u{200D}',
            '\u{200F}',
            '\u{2028}',
            '\u{202E}',
            '\u{2069}',
            '\u{3164}',
            '\u{FE0F}',
            '\u{FEFF}',
            '\u{E000}',
            '\u{FFFF}',
            '\u{1100}',
            '\u{E0041}',
            '\u{10FFFF}',
        ] {
            let typed = format!("tulip{sign}Harbor-92");
            assert_eq!(enforce(&typed), Err(ErrorCode::PasswordInvalid), "{sign:?}");
        }
    }
}
