use icu_properties::CodePointMapData;
use icu_properties::props::GeneralCategory as G;

use proptest::prelude::*;

use super::*;
use crate::text::characters::tests::is_sign;

fn links(text: &str) -> Vec<&str> {
    find(text).into_iter().map(|(range, _)| &text[range]).collect()
}

/// Returns every character whose category is punctuation, space, control or format.
fn signs() -> impl Iterator<Item = char> {
    let category = CodePointMapData::<G>::new();
    ('\0'..=char::MAX).filter(move |c| is_sign(category.get(*c)))
}

/// Characters that RFC 3986 allows at the end of an address, and that occur there.
const KEPT_AT_THE_END: &str = "/#%&@-_";

#[test]
fn an_address_ends_before_any_unicode_punctuation_or_space() {
    // Text around an address in each language of the page.
    let sentences = [("See ", " and then"), ("Siehe ", " und dann"), ("انظر ", " ثم")];
    let addresses = [
        "https://example.org",
        "https://example.org/",
        "http://localhost:3000/a",
        "https://example.org/a_(b)?c=d&e=%C3%A4#f",
        "https://fa.wikipedia.org/wiki/می\u{200C}خواهم",
        "https://ja.wikipedia.org/wiki/レオナルド・ダ・ヴィンチ",
        "https://[2001:db8::1]/",
        "http://[::1]:3000/x",
        "anna.berg@example.org",
        "mailto:anna@example.org",
    ];
    let mut tried = 0;
    for sign in signs().filter(|sign| !KEPT_AT_THE_END.contains(*sign)) {
        for (before, after) in sentences {
            for address in addresses {
                for text in [
                    format!("{before}{address}{sign}{after}"),
                    format!("{before}{address}{sign}"),
                    format!("{before}{address}{sign}{sign}\n{after}"),
                    format!("{before}{address}.{sign}{after}"),
                    format!("{before}{address}{sign}.{after}"),
                ] {
                    assert_eq!(links(&text), [address], "U+{:04X}: {text:?}", u32::from(sign));
                }
                tried += 1;
            }
        }
    }
    assert!(tried > 900 * 3, "the properties were read: {tried}");
}

#[test]
fn non_ascii_punctuation_ends_an_address_without_a_following_space() {
    for sign in signs().filter(|sign| role_of(*sign) == CharRole::Ends && *sign > '\u{7F}') {
        // Another test covers direction overrides.
        if turns_around(&format!("{sign}a")) {
            continue;
        }
        for after in ["然后", "then", "ثم", "dann"] {
            let text = format!("见https://example.org/a{sign}{after}");
            assert_eq!(links(&text), ["https://example.org/a"], "U+{:04X}", u32::from(sign));
        }
    }
}

#[test]
fn punctuation_inside_an_address_belongs_to_it() {
    for address in [
        "https://en.wikipedia.org/wiki/Duet_(disambiguation)",
        "https://en.wikipedia.org/wiki/Michelson–Morley_experiment",
        "https://zh.wikipedia.org/wiki/维基百科",
        "https://he.wikipedia.org/wiki/צה״ל",
        "https://fr.wikipedia.org/wiki/L’Île",
        "https://ca.wikipedia.org/wiki/Col·legi",
        "https://bo.wikipedia.org/wiki/བོད་ལྗོངས",
        "https://example.org/?a[0]=1&b={c}&d=a,b;c:d!e*f'g",
        "https://example.org/#/route?x=~y+z$",
        "https://youtu.be/dQw4w9WgXc-",
        "https://example.org/folder/",
        "https://example.org/?next=https://example.net/a",
        "https://user:secret@example.org:8443/x",
        "HTTPS://EXAMPLE.ORG/A",
        "https://xn--mller-kva.de/",
        "https://müller.de/a",
        "https://例え.テスト/道",
        "https://example.org./a",
        "http://192.0.2.7:8080/a",
        "http://[::1]:3000/x",
        "https://[2001:db8::1]/",
        "https://[::ffff:192.0.2.7]",
        "https://i❤.ws/",
        "https://example.org/👩‍👩‍👧‍👦",
    ] {
        assert_eq!(links(address), [address]);
        assert_eq!(links(&format!("({address})")), [address]);
        assert_eq!(links(&format!("“{address}”, “{address}”")), [address, address]);
    }
}

#[test]
fn brackets_and_quotes_around_an_address_do_not_belong_to_it() {
    let brackets =
        ["()", "[]", "{}", "<>", "「」", "『』", "《》", "«»", "»«", "‹›", "“”", "„“", "‘’"];
    let more =
        ["''", "\"\"", "``", "**", "__", "（）", "【】", "〈〉", "❝❞", "״״", "׳׳", "’’", "‚‘"];
    for pair in brackets.iter().chain(&more) {
        let (open, close) =
            (pair.chars().next().unwrap_or(' '), pair.chars().last().unwrap_or(' '));
        for after in ["", " next", "然后", "."] {
            // Emphasis and Hebrew marks may be part of text that follows without a space.
            if after == "然后" && "*_״׳".contains(close) {
                continue;
            }
            for address in ["https://example.org/a", "https://example.org"] {
                let text = format!("见{open}{address}{close}{after}");
                assert_eq!(links(&text), [address], "{text}");
            }
        }
    }
    assert_eq!(
        links("[https://a.example](https://b.example/c)"),
        ["https://a.example", "https://b.example/c"]
    );
    assert_eq!(links("https://example.org/a(see there"), ["https://example.org/a"]);
    assert_eq!(links("https://example.org/a_(b), c)"), ["https://example.org/a_(b)"]);
}

#[test]
fn text_that_follows_without_a_space_does_not_belong_to_the_host() {
    for after in ["です", "然后", "에서", "ครับ", "🙂", "→", "。", "、x"] {
        assert_eq!(links(&format!("https://example.org{after}")), ["https://example.org"]);
        assert_eq!(links(&format!("anna@example.org{after}")), ["anna@example.org"]);
    }
    assert_eq!(links("请写信给anna@example.org"), ["anna@example.org"]);
    assert_eq!(links("https://аpple.cоm/"), ["https://аpple.cоm/"], "a look-alike stays whole");
}

#[test]
fn text_that_is_no_address_is_not_linked() {
    for text in [
        "https://",
        "https:///a",
        "http://.",
        "https://-",
        "http://[::1",
        "http://[not]/",
        "http://[1:2]/",
        "xhttps://example.org",
        "git+https://example.org",
        "ftp://example.org",
        "mailto:",
        "@anna",
        "anna@",
        "anna@localhost",
        "a@b.c",
        "anna@192.0.2.7",
        "12:30 @ home",
        "https://example.org/\u{202E}gpj.exe",
        "https://example.org.\u{202D}gpj.exe",
        "://",
        ":",
        "@",
    ] {
        assert_eq!(links(text), Vec::<&str>::new(), "{text:?}");
    }
}

#[test]
fn mail_addresses_are_found() {
    for (text, expected) in [
        ("write to anna+x@example.org.", "anna+x@example.org"),
        ("'anna@example.org'", "anna@example.org"),
        ("<anna@example.org>", "anna@example.org"),
        ("«anna@example.org»", "anna@example.org"),
        ("o'brien@mail.example.org!", "o'brien@mail.example.org"),
        ("jürgen@müller.de, und", "jürgen@müller.de"),
        (
            "MAILTO:anna@example.org?subject=Hi%20there.",
            "MAILTO:anna@example.org?subject=Hi%20there",
        ),
        ("mailto:anna@example.org؟", "mailto:anna@example.org"),
        ("//anna@example.org/x", "anna@example.org"),
    ] {
        assert_eq!(links(text), [expected], "{text}");
    }
}

#[test]
fn an_address_whose_host_is_written_in_disguise_is_cut_or_not_linked() {
    for (text, expected) in [
        ("https://%62ank.example/", &[][..]),
        ("https://bank.example%2eevil.example/", &["https://bank.example"]),
        ("https://bank.example\\@evil.example/", &["https://bank.example"]),
        ("https://bank.example＠evil.example", &["https://bank.example", "evil.example"]),
        ("https://bank。evil", &["https://bank"]),
        ("https://bank.example@evil.example/", &["https://bank.example@evil.example/"]),
        ("https://ｂａｎｋ.example/", &["https://ｂａｎｋ.example/"]),
    ] {
        assert_eq!(links(text), expected, "{text}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    /// Pieces that mean something in an address, in any order.
    #[test]
    fn the_addresses_in_any_text_lie_in_order_at_characters(
        pieces in proptest::collection::vec(
            prop_oneof![
                proptest::sample::select(vec![
                    "https://", "http://", "mailto:", "javascript:", "www.", ".", "@", ":", "//", "example",
                    ".org", "[::1]", "%", "+49", " ", "(", ")", "\u{202e}", "ü", "😀", "#", "?",
                ]).prop_map(str::to_owned),
                ".{0,3}".prop_map(|text: String| text),
            ],
            0..12,
        ),
    ) {
        let text = pieces.concat();
        let mut end = 0;
        for (range, _) in find(&text) {
            prop_assert!(range.start >= end && range.start < range.end, "{:?}", text);
            prop_assert!(text.get(range.clone()).is_some(), "{:?}", text);
            end = range.end;
        }
    }
}
