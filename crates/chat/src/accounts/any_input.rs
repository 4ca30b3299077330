//! Properties of names, passwords and tokens for any input. An input that once broke a property
//! belongs into [`CORPUS`]. The number of cases is fixed, so a run takes seconds.

use proptest::prelude::*;

use super::common_passwords::is_common;
use super::looks::{is_reserved, looks_of};
use super::{NewPassword, fold, names, opaque, read_token};

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

fn check(text: &str) {
    if let Ok((name, key)) = names::username(text) {
        assert_eq!(fold(&name), key);
        assert_eq!(names::username(&name).as_ref(), Ok(&(name.clone(), key.clone())), "{text:?}");
        let looks = looks_of(&name);
        assert!(matches!(looks.len(), 1 | 2) && looks.is_sorted());
        assert!(looks_of(&key).iter().all(|look| looks.contains(look)), "{text:?}");
        assert!(!is_reserved(&key) || is_reserved(&name), "{text:?}");
    }
    if let Ok((name, key)) = names::display_name(text, "anna") {
        assert!(!name.trim().is_empty() && name.chars().count() <= 64);
        assert_eq!(names::display_name(&name, "anna"), Ok((name.clone(), key)), "{text:?}");
    }
    if let Ok(password) = opaque::enforce(text) {
        assert_eq!(opaque::enforce(&password).as_ref(), Ok(&password), "{text:?}");
        _ = is_common(&password);
    }
    _ = NewPassword::check(text).is_ok();
    assert!(read_token(text).is_none() || text.len() == 43, "{text:?}");
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
