//! Whether a display name can be seen, by the properties of its characters in Unicode.
//!
//! A name must not be blank, hide characters, change the direction of the text around it or run out
//! of its line. Emoji sequences and the joiners of Persian and Indic scripts stay valid. The length
//! is not checked here. Only [`super::names`] calls this module.

use icu_properties::props::{
    DefaultIgnorableCodePoint, GeneralCategory, PrependedConcatenationMark, VariationSelector,
};
use icu_properties::{CodePointMapData, CodePointSetData};

/// Most marks on one character, as UTS 39 recommends; more of them cover the lines above and below.
const MOST_MARKS: usize = 4;
/// The flag that the tags of a region follow, and the tag that ends them.
const BLACK_FLAG: char = '\u{1f3f4}';
const CANCEL_TAG: char = '\u{e007f}';

/// What a character contributes to a name.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// A character by which a name can be recognised: a letter, a digit, a pictograph.
    Sign,
    /// Punctuation, and the symbols of ASCII.
    Plain,
    Space,
    Mark,
    /// One of the two joiners.
    Joiner,
    /// A character that selects another form of the one before it.
    Selector,
    /// A character of a flag's region.
    Tag,
    /// Not allowed in a name.
    Refused,
}

/// Returns whether all characters of the name are allowed where they stand, and at least one of
/// them is a letter, a digit or a symbol beyond ASCII.
pub(super) fn is_visible(name: &str) -> bool {
    let characters: Vec<(char, Kind)> = name.chars().map(|c| (c, kind(c))).collect();
    let mut marks = 0;
    let fits = characters.iter().enumerate().all(|(at, &(c, kind))| {
        marks = if kind == Kind::Mark { marks + 1 } else { 0 };
        let before = at.checked_sub(1).and_then(|before| characters.get(before)).copied();
        marks <= MOST_MARKS && may_stand(c, kind, before, characters.get(at + 1).copied())
    });
    fits && characters.iter().any(|(_, kind)| *kind == Kind::Sign)
}

fn may_stand(
    c: char,
    kind: Kind,
    before: Option<(char, Kind)>,
    after: Option<(char, Kind)>,
) -> bool {
    match kind {
        Kind::Refused => false,
        Kind::Sign | Kind::Plain | Kind::Space => true,
        Kind::Mark => !matches!(before, None | Some((_, Kind::Space | Kind::Tag))),
        Kind::Joiner => is_joined(before) && is_joined(after),
        Kind::Selector => before.is_some_and(|(c, kind)| {
            matches!(kind, Kind::Sign | Kind::Mark | Kind::Plain) && !c.is_ascii_alphabetic()
        }),
        Kind::Tag => {
            let follows = before.is_some_and(|(before, kind)| {
                before == BLACK_FLAG || (kind == Kind::Tag && before != CANCEL_TAG)
            });
            let goes_on = after.is_some_and(|(_, kind)| kind == Kind::Tag);
            follows && goes_on == (c != CANCEL_TAG)
        }
    }
}

/// Whether a joiner beside this character has an effect that can be seen.
fn is_joined(beside: Option<(char, Kind)>) -> bool {
    beside.is_some_and(|(c, kind)| {
        matches!(kind, Kind::Sign | Kind::Mark | Kind::Selector) && !c.is_ascii()
    })
}

fn kind(c: char) -> Kind {
    use GeneralCategory as G;
    match c {
        ' ' => return Kind::Space,
        '\u{200c}' | '\u{200d}' => return Kind::Joiner,
        '\u{e0020}'..=CANCEL_TAG => return Kind::Tag,
        // The skin tones of emoji, which Unicode counts among the modifiers.
        '\u{1f3fb}'..='\u{1f3ff}' => return Kind::Sign,
        // The blank of Braille and that of musical notation; the stand-in of an object.
        '\u{2800}' | '\u{1d159}' | '\u{fffc}' => return Kind::Refused,
        _ => {}
    }
    if CodePointSetData::new::<VariationSelector>().contains(c) {
        return Kind::Selector;
    }
    if CodePointSetData::new::<DefaultIgnorableCodePoint>().contains(c) {
        return Kind::Refused;
    }
    match CodePointMapData::<GeneralCategory>::new().get(c) {
        G::NonspacingMark | G::EnclosingMark | G::SpacingMark => Kind::Mark,
        G::MathSymbol | G::CurrencySymbol if !c.is_ascii() => Kind::Sign,
        G::UppercaseLetter
        | G::LowercaseLetter
        | G::TitlecaseLetter
        | G::ModifierLetter
        | G::OtherLetter
        | G::DecimalNumber
        | G::LetterNumber
        | G::OtherNumber
        | G::OtherSymbol => Kind::Sign,
        G::ConnectorPunctuation
        | G::DashPunctuation
        | G::OpenPunctuation
        | G::ClosePunctuation
        | G::InitialPunctuation
        | G::FinalPunctuation
        | G::OtherPunctuation
        | G::MathSymbol
        | G::CurrencySymbol
        | G::ModifierSymbol => Kind::Plain,
        G::Format if CodePointSetData::new::<PrependedConcatenationMark>().contains(c) => {
            Kind::Plain
        }
        _ => Kind::Refused,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_in_every_script_and_emoji_sequences_are_visible() {
        for name in [
            "Anna-Lena O'Neill",
            "Zoë",
            "N\u{331}andi",
            "Dr. No 2",
            "田中太郎",
            "葛\u{e0100}城",
            "김민수",
            "نُور الحداد",
            "علی\u{200c}رضا",
            "நிலா",
            "क\u{94d}\u{200d}षमा",
            "ลูกน้ำ",
            "🌻",
            "❤\u{fe0f}",
            "1\u{fe0f}\u{20e3}",
            "👩\u{200d}👩\u{200d}👧",
            "🧑🏽\u{200d}🚀",
            "🏳\u{fe0f}\u{200d}🌈",
            "🇩🇪",
            "🏴\u{e0067}\u{e0062}\u{e0065}\u{e006e}\u{e0067}\u{e007f}",
            "€uro",
        ] {
            assert!(is_visible(name), "{name:?}");
        }
    }

    #[test]
    fn blank_names_and_hidden_characters_are_refused() {
        for name in [
            "\u{2800}",
            "\u{2800}\u{2800} \u{2800}",
            "\u{3164}",
            "\u{ffa0}",
            "\u{115f}\u{1160}",
            "\u{1d159}",
            "\u{17b4}",
            "\u{34f}",
            "\u{301}",
            "\u{301}\u{302}",
            "a \u{301}",
            "...",
            "—",
            "a\u{200b}b",
            "a\u{200d}b",
            "\u{200d}",
            "👩\u{200d}",
            "👩\u{200d}\u{200d}👧",
            "\u{fe0f}",
            "a\u{fe0f}",
            "🌻\u{fe0f}\u{fe0f}",
            "a\u{ad}b",
            "a\u{202e}b",
            "a\u{2066}b",
            "a\u{fff9}b",
            "a\u{13430}b",
            "a\u{2028}b",
            "\u{e000}",
            "a\u{f0000}",
            "a\u{378}",
            "a\u{ffff}",
            "\u{e0041}",
            "a\u{e0041}\u{e007f}",
            "🏴\u{e0067}\u{e0062}",
            "🏴\u{e007f}\u{e007f}",
            "Z\u{317}\u{318}\u{319}\u{31c}\u{31d}algo",
            "nul\0",
        ] {
            assert!(!is_visible(name), "{name:?}");
        }
    }
}
