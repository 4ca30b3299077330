//! Properties of the wire types for any input: random texts, and mutations of the corpus in
//! `tests/corpus`. An input that once broke a property belongs into the corpus. The number of cases
//! is fixed, so a run takes seconds.

use proptest::prelude::*;
use protocol::words::{is_found, words_asked, words_of};
use protocol::{Body, ClientFrame, Cursor, ListCursor};
use serde::Serialize;
use serde::de::DeserializeOwned;

const FRAMES: &str = include_str!("corpus/frames.txt");

/// A change of one place of a text.
#[derive(Clone, Debug)]
enum Change {
    Remove,
    Cut,
    Repeat,
    Insert(String),
}

fn change() -> impl Strategy<Value = (prop::sample::Index, Change)> {
    let scraps = [
        "null",
        "-1",
        "1e400",
        "9223372036854775808",
        "\"",
        "\\u0000",
        "\\ud800",
        "[]",
        "{}",
        "{\"",
        ",",
        ":",
        "true",
        "\u{202e}",
        "\0",
    ];
    let insert =
        prop_oneof![prop::sample::select(scraps.to_vec()).prop_map(str::to_owned), ".{0,3}"];
    let change = prop_oneof![
        Just(Change::Remove),
        Just(Change::Cut),
        Just(Change::Repeat),
        insert.prop_map(Change::Insert),
    ];
    (any::<prop::sample::Index>(), change)
}

/// A line of the corpus with up to four changes.
fn mutated() -> impl Strategy<Value = String> {
    let lines: Vec<&str> = FRAMES.lines().collect();
    (prop::sample::select(lines), prop::collection::vec(change(), 0..4)).prop_map(
        |(line, changes)| {
            let mut characters: Vec<char> = line.chars().collect();
            for (at, change) in changes {
                let at = at.index(characters.len().max(1)).min(characters.len());
                match change {
                    Change::Remove => drop(characters.drain(at..(at + 1).min(characters.len()))),
                    Change::Cut => characters.truncate(at),
                    Change::Repeat => characters.extend_from_within(at..),
                    Change::Insert(text) => drop(characters.splice(at..at, text.chars())),
                }
            }
            characters.into_iter().collect()
        },
    )
}

/// Checks that a text is refused, or is the same value when it is written and read again.
fn survives<T: DeserializeOwned + Serialize + PartialEq + std::fmt::Debug>(text: &str) {
    if let Ok(value) = serde_json::from_str::<T>(text) {
        let written = serde_json::to_string(&value).expect("it was read");
        assert_eq!(serde_json::from_str::<T>(&written).ok(), Some(value), "{text}");
    }
}

fn check_all(text: &str) {
    survives::<ClientFrame>(text);
    survives::<Cursor>(text);
    survives::<ListCursor>(text);
}

#[test]
fn every_line_of_the_corpus_keeps_the_properties() {
    FRAMES.lines().for_each(check_all);
    let read = FRAMES.lines().filter(|line| serde_json::from_str::<ClientFrame>(line).is_ok());
    assert!(read.count() >= 6, "the corpus has frames of every type");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4_000, ..ProptestConfig::default() })]

    #[test]
    fn mutated_frames_and_cursors_are_refused_or_read_alike(text in mutated()) {
        check_all(&text);
    }

    #[test]
    fn a_body_that_is_accepted_is_accepted_again_unchanged(text in any::<String>()) {
        if let Ok(body) = Body::parse(&text) {
            let again = Body::parse(body.as_str()).map(Body::into_string);
            let again = again.ok();
            prop_assert_eq!(again.as_deref(), Some(body.as_str()));
        }
    }

    #[test]
    fn every_word_of_a_name_finds_the_name(name in "[\\PC '._-]{0,64}") {
        let words = words_of(&name);
        prop_assert!(words.len() <= 128 && words.iter().all(|word| word.chars().count() <= 32));
        for word in &words {
            prop_assert!(is_found(&words, std::slice::from_ref(word)));
        }
        prop_assert!(words_asked(&name).iter().all(|word| !word.is_empty()));
    }
}
