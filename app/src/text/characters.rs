//! Which characters may be part of an address in a text, by Unicode properties. Pure and identical
//! on server and browser, because both must find the same links. Only [`super::links`] and
//! [`super::bare`] call this.

/// The role of a character at the end of an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CharRole {
    /// Part of the address.
    Inside,
    /// Part of the address only if more of it follows: `a.b`, but not `a.`.
    Between,
    /// Part of the address only if the closing bracket, given here, follows.
    Opens(char),
    /// Part of the address only if its opening bracket is.
    Closes,
    /// Never part of an address.
    Ends,
}

/// Classifies a character by these rules, in the order of the cases:
///
/// - ASCII: characters that RFC 3986 allows in an address are inside. Of these, marks that end
///   sentences or emphasise (`. , ; : ! ? ' * ^`) stand between, and brackets match in pairs. A
///   text that ends in `/ # % & = ~ - _ + $ @` keeps them: video ids end in `-`, folders in `/`.
/// - Other punctuation (`P`) ends the address, except characters that join parts of a word: hyphens
///   and the en dash, connectors, middle dots, Hebrew and Tibetan marks inside words, the
///   apostrophe. These stand between, because titles in addresses contain them
///   (`Michelson–Morley`).
/// - Spaces and separators (`Z`), controls (`Cc`) and format characters (`Cf`: zero-width and
///   direction marks) end the address, except the two joiners needed for Persian, Indic and emoji
///   spelling, which stand between. Invisible letters and the quotes that Unicode classifies as
///   ornaments end the address too.
/// - Everything else is inside: letters, digits, marks and symbols of every language.
pub(super) fn role_of(c: char) -> CharRole {
    match c {
        'a'..='z' | 'A'..='Z' | '0'..='9' => CharRole::Inside,
        '/' | '#' | '%' | '&' | '=' | '~' | '-' | '_' | '+' | '$' | '@' => CharRole::Inside,
        '.' | ',' | ';' | ':' | '!' | '?' | '\'' | '*' | '^' => CharRole::Between,
        '(' => CharRole::Opens(')'),
        '[' => CharRole::Opens(']'),
        '{' => CharRole::Opens('}'),
        ')' | ']' | '}' => CharRole::Closes,
        '\0'..='\u{7F}' => CharRole::Ends,
        _ if joins(c) => CharRole::Between,
        _ if ends(c) => CharRole::Ends,
        _ => CharRole::Inside,
    }
}

/// Returns whether `c` is punctuation or a format character that joins the parts of a word.
fn joins(c: char) -> bool {
    matches!(c,
        // Connectors, and the middle dots that Unicode allows in identifiers.
        '\u{B7}' | '\u{387}' | '\u{203F}' | '\u{2040}' | '\u{2054}' | '\u{30FB}' | '\u{FE33}'
        | '\u{FE34}' | '\u{FE4D}'..='\u{FE4F}' | '\u{FF3F}' | '\u{FF65}'
        // Hyphens and the en dash.
        | '\u{58A}' | '\u{5BE}' | '\u{1806}' | '\u{2010}'..='\u{2013}' | '\u{30A0}'
        // Marks inside words: Hebrew, Tibetan, the apostrophe.
        | '\u{5F3}' | '\u{5F4}' | '\u{F0B}' | '\u{F0C}' | '\u{2019}'
        // The zero-width non-joiner and joiner.
        | '\u{200C}' | '\u{200D}')
}

fn ends(c: char) -> bool {
    let c = u32::from(c);
    let after = ENDS.partition_point(|range| range >> 8 <= c);
    ENDS[..after].last().is_some_and(|range| c - (range >> 8) <= range & 0xFF)
}

/// Returns whether `c` belongs to a script without spaces between words, in which a sentence may
/// continue directly after an address: Thai, Lao, Tibetan, Burmese, Khmer, Korean, Chinese,
/// Japanese.
pub(super) fn is_unspaced(c: char) -> bool {
    matches!(c,
        '\u{E00}'..='\u{109F}' | '\u{1100}'..='\u{11FF}' | '\u{1780}'..='\u{17FF}'
        | '\u{2E80}'..='\u{A4CF}' | '\u{A960}'..='\u{A97F}' | '\u{AC00}'..='\u{D7FF}'
        | '\u{F900}'..='\u{FAFF}' | '\u{FF66}'..='\u{FFDC}' | '\u{1B000}'..='\u{1B2FF}'
        | '\u{20000}'..='\u{3FFFF}')
}

/// Returns whether `c` is an arrow, a symbol or an emoji.
pub(super) fn is_picture(c: char) -> bool {
    matches!(c, '\u{2190}'..='\u{2BFF}' | '\u{3200}'..='\u{33FF}' | '\u{1F000}'..='\u{1FBFF}')
}

/// The non-ASCII characters that end an address, of Unicode 18. Each entry is the first character
/// of a run, shifted left by eight bits, plus the number of characters after it. A test compares
/// the table with the properties.
#[rustfmt::skip]
const ENDS: &[u32] = &[
    0x8021, 0xA700, 0xAB00, 0xAD00, 0xB600, 0xBB00, 0xBF00, 0x37E00, 0x55A05, 0x58900, 0x5C000,
    0x5C300, 0x5C600, 0x60005, 0x60901, 0x60C01, 0x61B04, 0x66A03, 0x6D400, 0x6DD00, 0x7000D,
    0x70F00, 0x7F702, 0x8300E, 0x85E00, 0x89001, 0x8E200, 0x96401, 0x97000, 0x9FD00, 0xA7600,
    0xAF000, 0xC7700, 0xC8400, 0xDF400, 0xE4F00, 0xE5A01, 0xF0406, 0xF0D05, 0xF1400, 0xF3A03,
    0xF8500, 0xFD004, 0xFD901, 0x104A05, 0x10FB00, 0x115F01, 0x136008, 0x140000, 0x166E00,
    0x168000, 0x169B01, 0x16EB02, 0x173501, 0x17D402, 0x17D802, 0x180005, 0x180703, 0x180E00,
    0x194401, 0x1A1E01, 0x1AA006, 0x1AA805, 0x1B4E01, 0x1B5A06, 0x1B7D02, 0x1BFC03, 0x1C3B04,
    0x1C7E01, 0x1CC007, 0x1CD300, 0x20000B, 0x200E01, 0x201404, 0x201A24, 0x204102, 0x20450C,
    0x205300, 0x20550F, 0x206609, 0x207D01, 0x208D01, 0x230803, 0x232901, 0x275B05, 0x27680D,
    0x27C501, 0x27E609, 0x280000, 0x298315, 0x29D803, 0x29FC01, 0x2CF903, 0x2CFE01, 0x2D7000,
    0x2E002E, 0x2E301F, 0x2E520B, 0x2E6003, 0x300003, 0x300809, 0x30140B, 0x303000, 0x303D00,
    0x316400, 0xA4FE01, 0xA60D02, 0xA67300, 0xA67E00, 0xA6F205, 0xA87403, 0xA8CE01, 0xA8F802,
    0xA8FC00, 0xA92E01, 0xA95F00, 0xA9C10C, 0xA9DE01, 0xAA5C03, 0xAADE01, 0xAAF001, 0xABEB00,
    0xFD3E01, 0xFE1009, 0xFE3002, 0xFE3517, 0xFE5002, 0xFE540D, 0xFE6300, 0xFE6800, 0xFE6A01,
    0xFEFF00, 0xFF0102, 0xFF0505, 0xFF0C03, 0xFF1A01, 0xFF1F01, 0xFF3B02, 0xFF5B00, 0xFF5D00,
    0xFF5F05, 0xFFA000, 0xFFF902, 0x1010002, 0x1039F00, 0x103D000, 0x1056F00, 0x1085700,
    0x1091F00, 0x1093F00, 0x10A5008, 0x10A7F00, 0x10AF006, 0x10B3906, 0x10B9903, 0x10D6E00,
    0x10EAD00, 0x10ED000, 0x10F5504, 0x10F8603, 0x1104706, 0x110BB06, 0x110CD00, 0x1114003,
    0x1117401, 0x111C503, 0x111CD00, 0x111DB00, 0x111DD02, 0x1123805, 0x112A900, 0x113D401,
    0x113D701, 0x1144B04, 0x1145A01, 0x1145D00, 0x114C600, 0x115C116, 0x1164102, 0x116600C,
    0x116B900, 0x1173C02, 0x1183B00, 0x1194402, 0x119E200, 0x11A3F07, 0x11A9A02, 0x11A9E04,
    0x11B0009, 0x11BE100, 0x11C4104, 0x11C7001, 0x11EF701, 0x11F430C, 0x11FFF00, 0x1247004,
    0x12FF101, 0x134300F, 0x16A6E01, 0x16AF500, 0x16B3704, 0x16B4400, 0x16D6D02, 0x16E9703,
    0x16FE200, 0x1BC9F04, 0x1D17307, 0x1DA8704, 0x1E5FF00, 0x1E95E01, 0x1F67602, 0xE000100,
    0xE00205F,
];

#[cfg(test)]
pub(super) mod tests {
    use icu_properties::CodePointMapData;
    use icu_properties::props::GeneralCategory;

    use super::*;

    /// Returns whether a category is punctuation, space, control or format.
    pub(in crate::text) fn is_sign(category: GeneralCategory) -> bool {
        use GeneralCategory as G;
        matches!(
            category,
            G::ConnectorPunctuation
                | G::DashPunctuation
                | G::OpenPunctuation
                | G::ClosePunctuation
                | G::InitialPunctuation
                | G::FinalPunctuation
                | G::OtherPunctuation
                | G::SpaceSeparator
                | G::LineSeparator
                | G::ParagraphSeparator
                | G::Control
                | G::Format
        )
    }

    /// Returns whether `c` is an invisible character whose category is not space, or a quote whose
    /// category is not punctuation.
    fn is_one_all_the_same(c: char) -> bool {
        matches!(c,
            '\u{115F}' | '\u{1160}' | '\u{3164}' | '\u{FFA0}' | '\u{2800}'
            | '\u{275B}'..='\u{2760}' | '\u{1F676}'..='\u{1F678}')
    }

    #[test]
    fn the_table_of_ends_agrees_with_unicode_properties() {
        let category = CodePointMapData::<GeneralCategory>::new();
        let mut expected: Vec<(char, char)> = Vec::new();
        for c in ('\u{80}'..=char::MAX).filter(|c| !joins(*c)) {
            let ends = is_sign(category.get(c)) || is_one_all_the_same(c);
            assert_eq!(
                role_of(c) == CharRole::Ends,
                ends,
                "U+{:04X} {:?}",
                u32::from(c),
                category.get(c)
            );
            match expected.last_mut() {
                Some((_, last)) if ends && u32::from(*last) + 1 == u32::from(c) => *last = c,
                _ if ends => expected.push((c, c)),
                _ => {}
            }
        }
        assert!(expected.len() > 150, "the properties were read");
    }

    #[test]
    fn characters_that_join_words_are_punctuation_or_format_characters() {
        use GeneralCategory as G;
        let category = CodePointMapData::<GeneralCategory>::new();
        for c in ('\u{80}'..=char::MAX).filter(|c| joins(*c)) {
            assert!(
                matches!(
                    category.get(c),
                    G::ConnectorPunctuation
                        | G::DashPunctuation
                        | G::OtherPunctuation
                        | G::FinalPunctuation
                        | G::Format
                ),
                "U+{:04X}",
                u32::from(c)
            );
        }
    }
}
