//! Search by name: splits names and queries into words, and matches them. The store builds its
//! index from these words, and a page searches its cached users with them.
//!
//! Callers pass folded text: NFKD, without combining marks, upper case and then lower case. Folding
//! is left to the caller because the caller has its own Unicode tables; [`words_of`] and
//! [`words_asked`] unify the letters that folding leaves distinct.

/// Longest word, in characters. The rest of a longer word is ignored.
const MAX_WORD: usize = 32;
/// Most words of one name. A display name has at most 64 characters.
const MAX_WORDS: usize = 128;
/// Marks, inside a word, the start of another word that is its suffix.
const JOINT: char = '\'';

/// Returns the words that a name is found by, each once. A query matches the name if each of its
/// words is a prefix of one of these.
pub fn words_of(folded: &str) -> Vec<String> {
    let mut found = Vec::new();
    for word in split(folded, true) {
        let mut before = JOINT;
        for (at, letter) in word.char_indices() {
            if before == JOINT || is_dense(letter) {
                add(&mut found, &word[at..]);
            }
            before = letter;
        }
        // The Arabic article, which some people write as part of a family name and others omit.
        if let Some(rest) = word.strip_prefix("ال") {
            add(&mut found, rest);
        }
    }
    found
}

/// Returns the words of a query, each once.
pub fn words_asked(folded: &str) -> Vec<String> {
    let mut asked = Vec::new();
    for word in split(folded, false) {
        add(&mut asked, &word);
    }
    asked
}

/// Returns whether a query matches a name with these words.
pub fn is_found(words: &[String], asked: &[String]) -> bool {
    asked.iter().all(|asked| words.iter().any(|word| word.starts_with(asked.as_str())))
}

fn add(words: &mut Vec<String>, word: &str) {
    let word: String = word.chars().filter(|letter| *letter != JOINT).take(MAX_WORD).collect();
    if !word.is_empty() && words.len() < MAX_WORDS && !words.contains(&word) {
        words.push(word);
    }
}

/// Splits a text at every character that is not a letter, digit or symbol. In a name, a space
/// between two words of a script without spaces becomes a [`JOINT`], because some people write that
/// space and others do not.
fn split(folded: &str, is_name: bool) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut gap = false;
    for letter in folded.chars() {
        if is_between(letter) {
            gap = true;
            continue;
        }
        let Some(word) = words.last_mut() else { break };
        let joins = is_name && is_dense(letter) && word.chars().next_back().is_some_and(ends_dense);
        if gap && joins {
            word.push(JOINT);
        } else if gap && !word.is_empty() {
            words.push(String::new());
        }
        gap = false;
        if let Some(word) = words.last_mut() {
            push_plain(word, letter);
        }
    }
    words
}

/// Appends a letter in its plain spelling, for letters that Unicode does not decompose.
fn push_plain(word: &mut String, letter: char) {
    word.push_str(match letter {
        'ß' => "ss",
        'æ' => "ae",
        'œ' => "oe",
        'þ' => "th",
        'ø' => "o",
        'ł' => "l",
        'đ' | 'ð' => "d",
        'ħ' => "h",
        'ŧ' => "t",
        'ı' => "i",
        'ς' => "σ",
        'ى' | 'ی' => "ي",
        'ة' => "ه",
        'ک' => "ك",
        // The tatweel, which only stretches an Arabic word.
        'ـ' => "",
        '\'' | '’' | 'ʼ' | '׳' => "'",
        _ => {
            // Katakana as Hiragana.
            let kana = match letter {
                'ァ'..='ヶ' => char::from_u32(letter as u32 - 0x60),
                _ => None,
            };
            word.push(kana.unwrap_or(letter));
            return;
        }
    });
}

fn is_between(letter: char) -> bool {
    letter.is_whitespace()
        || (letter.is_ascii() && !letter.is_ascii_alphanumeric() && letter != '\'')
        || matches!(letter,
            '\u{80}'..='\u{bf}' | '،' | '؛' | '؟'
            | '\u{2000}'..='\u{2018}' | '\u{201a}'..='\u{206f}'
            | '\u{3001}'..='\u{3004}' | '\u{3008}'..='\u{303f}' | '・')
}

/// Returns whether a word may begin at this letter because its script has no spaces: Thai and its
/// neighbours, the first part of a Korean syllable, kana, Chinese characters.
fn is_dense(letter: char) -> bool {
    matches!(letter,
        '\u{e00}'..='\u{eff}' | '\u{1000}'..='\u{109f}' | '\u{1100}'..='\u{115e}'
        | '\u{1780}'..='\u{17ff}' | '\u{3005}'..='\u{3007}' | '\u{3041}'..='\u{312f}'
        | '\u{31a0}'..='\u{31ff}' | '\u{3400}'..='\u{9fff}' | '\u{20000}'..='\u{3ffff}')
}

/// As [`is_dense`], with the other parts of a Korean syllable.
fn ends_dense(letter: char) -> bool {
    is_dense(letter) || matches!(letter, '\u{115f}'..='\u{11ff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_taken_apart_where_a_word_may_begin() {
        for (folded, words) in [
            ("emil sand", &["emil", "sand"][..]),
            ("anna_b.77-x", &["anna", "b", "77", "x"]),
            ("o'neill", &["oneill", "neill"]),
            ("straße", &["strasse"]),
            ("łukasz sørensen", &["lukasz", "sorensen"]),
            ("نور الحداد", &["نور", "الحداد", "حداد"]),
            ("田中 さん", &["田中さん", "中さん", "さん", "ん"]),
            ("bob 田", &["bob", "田"]),
            ("zoe 🌻", &["zoe", "🌻"]),
            ("  ... ", &[]),
        ] {
            assert_eq!(words_of(folded), words, "{folded}");
        }
        assert_eq!(words_asked("@emil.sand emil"), ["emil", "sand"]);
        assert_eq!(words_asked("田中 太郎"), ["田中", "太郎"]);
    }

    #[test]
    fn a_question_finds_by_the_beginning_of_each_of_its_words_in_any_order() {
        let emil = words_of("emil sand");
        for (asked, found) in
            [("sand emil", true), ("em", true), ("mil", false), ("sand x", false), ("emil e", true)]
        {
            assert_eq!(is_found(&emil, &words_asked(asked)), found, "{asked}");
        }
        assert!(is_found(&words_of("田中太郎"), &words_asked("中太")));
        assert!(is_found(&words_of("タナカ"), &words_asked("なか")));
    }

    #[test]
    fn no_name_has_words_without_end() {
        let long = words_of(&"田".repeat(4_000));
        assert!(
            long.len() <= MAX_WORDS && long.iter().all(|word| word.chars().count() <= MAX_WORD)
        );
    }
}
