//! Proposes a username for a display name. Latin letters lose their diacritics, because not every
//! keyboard has them; other scripts stay unchanged. The server decides whether the username is
//! allowed.

use protocol::limits::USERNAME_CHARS;

use super::browser::{is_letter, lowercase};

/// German transliteration of umlauts; other languages drop the dots.
const GERMAN: [(char, char, &str); 3] = [('ä', 'ä', "ae"), ('ö', 'ö', "oe"), ('ü', 'ü', "ue")];

/// Ranges of lower-case letters and their replacements.
const PLAIN: [(char, char, &str); 46] = [
    ('ß', 'ß', "ss"),
    ('à', 'å', "a"),
    ('æ', 'æ', "ae"),
    ('ç', 'ç', "c"),
    ('è', 'ë', "e"),
    ('ì', 'ï', "i"),
    ('ð', 'ð', "d"),
    ('ñ', 'ñ', "n"),
    ('ò', 'ö', "o"),
    ('ø', 'ø', "o"),
    ('ù', 'ü', "u"),
    ('ý', 'ý', "y"),
    ('þ', 'þ', "th"),
    ('ÿ', 'ÿ', "y"),
    ('\u{100}', '\u{105}', "a"),
    ('\u{106}', '\u{10d}', "c"),
    ('\u{10e}', '\u{111}', "d"),
    ('\u{112}', '\u{11b}', "e"),
    ('\u{11c}', '\u{123}', "g"),
    ('\u{124}', '\u{127}', "h"),
    ('\u{128}', '\u{131}', "i"),
    ('\u{132}', '\u{133}', "ij"),
    ('\u{134}', '\u{135}', "j"),
    ('\u{136}', '\u{138}', "k"),
    ('\u{139}', '\u{142}', "l"),
    ('\u{143}', '\u{14b}', "n"),
    ('\u{14c}', '\u{151}', "o"),
    ('\u{152}', '\u{153}', "oe"),
    ('\u{154}', '\u{159}', "r"),
    ('\u{15a}', '\u{161}', "s"),
    ('\u{162}', '\u{167}', "t"),
    ('\u{168}', '\u{173}', "u"),
    ('\u{174}', '\u{175}', "w"),
    ('\u{176}', '\u{178}', "y"),
    ('\u{179}', '\u{17e}', "z"),
    ('\u{1a0}', '\u{1a1}', "o"),
    ('\u{1af}', '\u{1b0}', "u"),
    ('\u{218}', '\u{219}', "s"),
    ('\u{21a}', '\u{21b}', "t"),
    // Vietnamese.
    ('\u{1ea0}', '\u{1eb7}', "a"),
    ('\u{1eb8}', '\u{1ec7}', "e"),
    ('\u{1ec8}', '\u{1ecb}', "i"),
    ('\u{1ecc}', '\u{1ee3}', "o"),
    ('\u{1ee4}', '\u{1ef1}', "u"),
    ('\u{1ef2}', '\u{1ef9}', "y"),
    ('\u{259}', '\u{259}', "a"),
];

/// Returns the username for a name: `anna.berg` for `Anna Berg`. Empty if the name has too few
/// letters.
pub fn username(name: &str, german: bool) -> String {
    let own: &[_] = if german { &GERMAN } else { &[] };
    let mut made = Vec::new();
    for typed in name.chars() {
        let ends_word = matches!(made.last(), None | Some('.' | '-' | '_'));
        match typed {
            '-' | '_' | '.' if !ends_word => made.push(typed),
            _ if typed.is_whitespace() && !ends_word => made.push('.'),
            _ => {
                for small in lowercase(typed).chars() {
                    let plain =
                        own.iter().chain(&PLAIN).find(|(a, z, _)| (*a..=*z).contains(&small));
                    match plain {
                        Some((.., plain)) => made.extend(plain.chars()),
                        // Standalone diacritics are dropped.
                        None if is_letter(small) => made.push(small),
                        None => {}
                    }
                }
            }
        }
    }
    made.truncate(*USERNAME_CHARS.end());
    while matches!(made.last(), Some('.' | '-' | '_')) {
        made.pop();
    }
    if made.len() < *USERNAME_CHARS.start() { String::new() } else { made.into_iter().collect() }
}

#[cfg(test)]
mod tests {
    use super::username;

    #[test]
    fn a_display_name_suggests_a_username() {
        for (name, expected) in [
            ("Anna Berg", "anna.berg"),
            ("  Anna   Maria  O'Neill ", "anna.maria.oneill"),
            ("Zoë Łukasz-Ångström", "zoe.lukasz-angstrom"),
            ("Zoe\u{308} 🌻", "zoe"),
            ("Nguyễn Đức", "nguyen.duc"),
            ("İlkay Şahin", "ilkay.sahin"),
            ("Dr. Weiß", "dr.weiss"),
            ("Jürgen Möller", "jurgen.moller"),
            ("Анна Петрова", "анна.петрова"),
            ("محمد علي", "محمد.علي"),
            ("田中さん", "田中さん"),
            ("प्रिया", "परिया"),
            ("Li", ""),
            ("🌻", ""),
            ("...", ""),
        ] {
            assert_eq!(username(name, false), expected, "{name}");
        }
        assert_eq!(username("Jürgen Möller", true), "juergen.moeller");
        assert_eq!(username(&"Ab ".repeat(20), false).len(), 32);
    }
}
