//! The words by which users are found. Both engines store the same words, and a query is split in
//! the same way.
//!
//! This module only computes words: [`crate::store`] holds the index. Called by [`crate::people`],
//! and by the engines when they store a name; `app` folds names with [`folded`] where it has no
//! browser to do so.

use protocol::words::{words_asked, words_of};
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// Folds names and queries before they are split into words. Upper case comes first because it
/// unifies letters that lower case leaves distinct.
pub fn folded(text: &str) -> String {
    let plain = text.nfkd().filter(|letter| !is_combining_mark(*letter));
    plain.flat_map(char::to_uppercase).flat_map(char::to_lowercase).collect()
}

/// Returns the words that the index stores for a user.
pub(crate) fn of_person(username: &str, display_name: &str) -> Vec<String> {
    let mut words = words_of(&folded(display_name));
    for word in words_of(&folded(username)) {
        if !words.contains(&word) {
            words.push(word);
        }
    }
    words
}

/// Returns the words of a query, the longest first because the fewest names contain it.
pub(crate) fn query_words(typed: &str) -> Vec<String> {
    let mut words = words_asked(&folded(typed));
    words.sort_by_key(|word| std::cmp::Reverse(word.len()));
    words.truncate(8);
    words
}

#[cfg(test)]
mod tests {
    use protocol::words::is_found;

    use super::*;

    #[test]
    fn users_are_found_by_any_word_of_a_name_in_any_unicode_form() {
        for (name, typed) in [
            ("Emil Sand", "SAND"),
            ("Emil Sand", "sand emil"),
            ("Emil Sand", "@em.s"),
            ("José Ángel", "jose angel"),
            ("Jose", "jóse"),
            ("Hans Straße", "strasse"),
            ("Hans Strasse", "straße"),
            ("İstanbul Kızı", "istanbul kizi"),
            ("Łukasz", "luk"),
            ("Νίκος", "νικοσ"),
            ("ΝΊΚΟΣ", "νίκος"),
            ("نور حداد", "حداد"),
            ("نُور", "نور"),
            ("أحمد", "احمد"),
            ("Мэй Танака", "тан"),
            ("Фёдор", "федор"),
            ("田中太郎", "太郎"),
            ("田中 太郎", "田中太郎"),
            ("김민수", "민수"),
            ("김민수", "민ㅅ"),
            ("สมชาย ใจดี", "ชาย"),
            ("ﬁona", "fi"),
            ("Ｆｕｌｌ", "full"),
            ("Zoë 🌻", "🌻"),
        ] {
            let words = of_person("x", name);
            assert!(is_found(&words, &query_words(typed)), "{typed} in {words:?}");
        }
        assert!(!is_found(&of_person("x", "Emil Sand"), &query_words("mil")));
        assert_eq!(query_words("..."), Vec::<String>::new());
    }
}
