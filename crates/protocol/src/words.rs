//! How people are found by their names: which words a name has, and which names a question means.
//! The store indexes by these words, and a page looks by them through what it holds.
//!
//! Texts come here folded: NFKD, without marks, in upper case and then in lower case. The tables of
//! letters that this needs are the caller's own; what they do not unite is united here.

/// Longest word that is told from another, in characters.
const MAX_WORD: usize = 32;
/// Most words of one name. A display name has 64 characters.
const MAX_WORDS: usize = 128;
/// Stands inside a word where another word begins that is a part of it.
const JOINT: char = '\'';

/// The words that a name is found by, each once. A question finds the name when each of its words
/// begins one of these.
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
        // The Arabic article, which a family name has or has not.
        if let Some(rest) = word.strip_prefix("ال") {
            add(&mut found, rest);
        }
    }
    found
}

/// The words of a question, each once.
pub fn words_asked(folded: &str) -> Vec<String> {
    let mut asked = Vec::new();
    for word in split(folded, false) {
        add(&mut asked, &word);
    }
    asked
}

/// Whether a question finds a name with these words.
pub fn is_found(words: &[String], asked: &[String]) -> bool {
    asked.iter().all(|asked| words.iter().any(|word| word.starts_with(asked.as_str())))
}

fn add(words: &mut Vec<String>, word: &str) {
    let word: String = word.chars().filter(|letter| *letter != JOINT).take(MAX_WORD).collect();
    if !word.is_empty() && words.len() < MAX_WORDS && !words.contains(&word) {
        words.push(word);
    }
}

/// Cuts a text where something stands that is no letter, digit or picture. In a name, a space
/// between two words of a script that does without spaces is a joint alone, because some write it
/// and some do not.
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

/// Letters that Unicode does not take apart, and that people without them on their keys write so.
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
        // The line that makes an Arabic word longer.
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

/// Letters at which a word may begin in scripts without spaces: Thai and its neighbours, the first
/// part of a Korean syllable, kana, Chinese characters.
fn is_dense(letter: char) -> bool {
    matches!(letter,
        '\u{e00}'..='\u{eff}' | '\u{1000}'..='\u{109f}' | '\u{1100}'..='\u{115e}'
        | '\u{1780}'..='\u{17ff}' | '\u{3005}'..='\u{3007}' | '\u{3041}'..='\u{312f}'
        | '\u{31a0}'..='\u{31ff}' | '\u{3400}'..='\u{9fff}' | '\u{20000}'..='\u{3ffff}')
}

/// The same, and the other parts of a Korean syllable.
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
