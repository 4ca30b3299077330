//! Properties of names, passwords and tokens for any input. An input that once broke a property
//! belongs into [`CORPUS`]. The number of cases is fixed, so a run takes seconds.

use proptest::prelude::*;

use super::properties::check;

/// Texts with characters that Unicode treats in special ways.
const CORPUS: [&str; 14] = [
    "",
    "\0",
    "ﬃ\u{fb03}",
    "İI\u{307}ı",
    "ßẞ",
    "ΣΑΣ",
    "\u{3164}\u{2800}",
    "👩\u{200d}👩\u{200d}👧",
    "🏴\u{e0067}\u{e007f}",
    "e\u{301}\u{301}\u{301}\u{301}\u{301}",
    "\u{1100}\u{1161}\u{11a8}",
    "مر\u{200c}حبا",
    "\u{fdfa}",
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
];

fn text() -> impl Strategy<Value = String> {
    let letters = prop::collection::vec(
        prop_oneof![
            prop::sample::select(CORPUS.to_vec()).prop_map(str::to_owned),
            "[a-zA-Z0-9._-]{1,8}",
            ".{0,4}"
        ],
        0..5,
    );
    prop_oneof![letters.prop_map(|parts| parts.concat()), any::<String>()]
}

#[test]
fn the_corpus_keeps_the_properties() {
    for one in CORPUS {
        for other in CORPUS {
            check(&format!("{one}{other}"));
            check(&format!("anna{one}berg{other}"));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn names_passwords_and_tokens_of_any_input_keep_their_properties(text in text()) {
        check(&text);
    }
}
