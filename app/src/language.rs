//! All texts of the page, visible or for screen readers, in each language.
//!
//! [`Texts`] has a field for each text. Each language is one constant of that type, so a missing
//! translation does not compile. A new language needs a file here, a variant of [`Language`] and
//! its plural rule. Components get the texts from [`use_texts`]; [`Texts::fill`] inserts values and
//! [`Texts::count`] inserts counts. Dates and times are in `crate::time`, because their format
//! depends on the region as well.

mod account;
mod arabic;
mod device_link;
mod english;
mod german;
mod identities;
mod passkeys;
mod people;
mod texts;
mod two_step;

use leptos::prelude::use_context;
use protocol::User;
use serde::{Deserialize, Serialize};

#[cfg(feature = "hydrate")]
use crate::lazy::{NotLoaded, lazy_functions};

pub use device_link::DeviceLinkTexts;
pub use identities::IdentityTexts;
pub use passkeys::PasskeyTexts;
pub use people::PeopleTexts;
pub use texts::{EmojiTexts, KeyTexts, LeavingTexts, Plural, Texts};
pub use two_step::TwoStepTexts;

/// A language of the page.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Language {
    /// English, the fallback.
    #[default]
    English,
    German,
    /// Arabic, a right-to-left language.
    Arabic,
}

#[cfg(feature = "hydrate")]
lazy_functions! {
    fn german_texts() -> &'static Texts { &german::TEXTS }
    fn arabic_texts() -> &'static Texts { &arabic::TEXTS }
}

/// The texts of this page. English is compiled in, as the fallback until a language is loaded.
#[cfg(feature = "hydrate")]
static LOADED: std::sync::OnceLock<&'static Texts> = std::sync::OnceLock::new();

impl Language {
    /// All languages, in the order of the settings page.
    pub const ALL: [Self; 3] = [Self::English, Self::German, Self::Arabic];

    /// The language tag, for `lang` and `Intl`.
    pub const fn tag(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::German => "de",
            Self::Arabic => "ar",
        }
    }

    /// The language's name in the language itself.
    pub const fn own_name(self) -> &'static str {
        match self {
            Self::English => "English",
            Self::German => "Deutsch",
            Self::Arabic => "العربية",
        }
    }

    /// The writing direction, for `dir`.
    pub const fn direction(self) -> &'static str {
        match self {
            Self::English | Self::German => "ltr",
            Self::Arabic => "rtl",
        }
    }

    /// The texts of the language.
    #[cfg(not(feature = "hydrate"))]
    pub const fn texts(self) -> &'static Texts {
        match self {
            Self::English => &english::TEXTS,
            Self::German => &german::TEXTS,
            Self::Arabic => &arabic::TEXTS,
        }
    }

    /// The loaded texts, whatever the language: a page has one language for its lifetime.
    #[cfg(feature = "hydrate")]
    pub fn texts(self) -> &'static Texts {
        LOADED.get().copied().unwrap_or(&english::TEXTS)
    }

    /// Loads the texts, before the first render.
    ///
    /// # Errors
    /// The code could not be loaded.
    #[cfg(feature = "hydrate")]
    pub async fn load(self) -> Result<(), NotLoaded> {
        let texts = match self {
            Self::English => &english::TEXTS,
            Self::German => german_texts().await?,
            Self::Arabic => arabic_texts().await?,
        };
        // Called once per page, so the cell is empty.
        _ = LOADED.set(texts);
        Ok(())
    }

    /// Adds a prefetch link for the texts to the rendered page.
    #[cfg(feature = "ssr")]
    pub fn foretell(self) {
        match self {
            Self::English => {}
            Self::German => leptos::prefetch_lazy_fn_on_server("german_texts"),
            Self::Arabic => leptos::prefetch_lazy_fn_on_server("arabic_texts"),
        }
    }

    /// The language of a tag such as `de-AT`.
    pub fn from_tag(tag: &str) -> Option<Self> {
        let primary = tag.split(['-', '_']).next().unwrap_or_default();
        Self::ALL.into_iter().find(|language| language.tag().eq_ignore_ascii_case(primary))
    }

    /// The supported language with the highest weight in an `Accept-Language` header.
    pub fn accepted(header: &str) -> Option<Self> {
        let mut best = None;
        for part in header.split(',') {
            let (tag, weight) = part.split_once(';').unwrap_or((part, "q=1"));
            let weight = weight.trim().strip_prefix("q=").and_then(|weight| weight.parse().ok());
            let weight: f32 = weight.unwrap_or(0.0);
            let Some(language) = Self::from_tag(tag.trim()) else { continue };
            // Among equal weights the first counts.
            if weight > 0.0 && best.is_none_or(|(most, _)| weight > most) {
                best = Some((weight, language));
            }
        }
        best.map(|(_, language)| language)
    }

    /// The plural category of a whole number, by the rules of Unicode's CLDR; a test compares the
    /// rules with the CLDR data. `Intl` is not used, because the server must produce the same text.
    const fn form(self, number: u32) -> PluralForm {
        match (self, number) {
            (Self::Arabic, 0) => PluralForm::Zero,
            (_, 1) => PluralForm::One,
            (Self::Arabic, 2) => PluralForm::Two,
            (Self::Arabic, number) => match number % 100 {
                3..=10 => PluralForm::Few,
                11..=99 => PluralForm::Many,
                _ => PluralForm::Other,
            },
            _ => PluralForm::Other,
        }
    }
}

/// A plural category.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum PluralForm {
    Zero,
    One,
    Two,
    Few,
    Many,
    Other,
}

impl Texts {
    /// The text for a number of things. Numbers above 999 become "999+", because counts stop there.
    pub fn count(&self, thing: Plural, number: u32) -> String {
        let form = match self.language.form(number) {
            PluralForm::Zero => thing.zero,
            PluralForm::One => thing.one,
            PluralForm::Two => thing.two,
            PluralForm::Few => thing.few,
            PluralForm::Many => thing.many,
            PluralForm::Other => thing.other,
        };
        match number {
            1_000.. => thing.other.replace("{}", "999+"),
            number => form.replace("{}", &number.to_string()),
        }
    }

    /// The display name of a user, or the text for a deleted account.
    pub fn name<'user>(&'user self, user: &'user User) -> &'user str {
        if user.username.is_empty() { self.deleted_account } else { &user.display_name }
    }

    /// Inserts a value, such as a name, into a text.
    pub fn fill(&self, sentence: &str, value: &str) -> String {
        match self.language.direction() {
            // Isolated, because a left-to-right value would reorder the text around it.
            "rtl" => sentence.replace("{}", &format!("\u{2068}{value}\u{2069}")),
            _ => sentence.replace("{}", value),
        }
    }
}

/// The texts in the language of this page.
pub fn use_texts() -> &'static Texts {
    use_context::<Language>().unwrap_or_default().texts()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_preferred_supported_language_is_chosen() {
        let cases = [
            ("de-AT,de;q=0.9,en;q=0.8", Some(Language::German)),
            ("fr, ar;q=0.5, en;q=0.4", Some(Language::Arabic)),
            ("en;q=0.2, de;q=0.9", Some(Language::German)),
            ("en, de", Some(Language::English)),
            ("de;q=0, en;q=0.1", Some(Language::English)),
            ("fr, *;q=0.1", None),
            ("", None),
            (";;;q=x,,", None),
        ];
        for (header, expected) in cases {
            assert_eq!(Language::accepted(header), expected, "{header}");
        }
    }

    #[test]
    fn numbers_take_the_plural_form_of_the_language() {
        let count = |language: Language, number| {
            let texts = language.texts();
            texts.count(texts.new_messages, number)
        };
        assert_eq!(count(Language::English, 1), "1 new message");
        assert_eq!(count(Language::English, 0), "0 new messages");
        assert_eq!(count(Language::English, 1_000), "999+ new messages");
        assert_eq!(count(Language::German, 2), "2 neue Nachrichten");
        assert_eq!(count(Language::Arabic, 2), "رسالتان جديدتان");
        assert_eq!(count(Language::Arabic, 3), "3 رسائل جديدة");
        assert_eq!(count(Language::Arabic, 11), "11 رسالة جديدة");
        assert_eq!(count(Language::Arabic, 100), "100 رسالة جديدة");
    }

    #[test]
    fn plural_forms_agree_with_cldr() {
        use icu_locale_core::Locale;
        use icu_plurals::{PluralCategory, PluralRules};

        for language in Language::ALL {
            let locale: Locale = language.tag().parse().expect("a language tag");
            let rules = PluralRules::try_new_cardinal((&locale).into()).expect("known rules");
            for number in 0..=1_100_u32 {
                let expected = match rules.category_for(number) {
                    PluralCategory::Zero => PluralForm::Zero,
                    PluralCategory::One => PluralForm::One,
                    PluralCategory::Two => PluralForm::Two,
                    PluralCategory::Few => PluralForm::Few,
                    PluralCategory::Many => PluralForm::Many,
                    PluralCategory::Other => PluralForm::Other,
                };
                assert_eq!(language.form(number), expected, "{language:?} {number}");
            }
        }
    }

    #[test]
    fn a_latin_name_does_not_change_the_direction_of_an_arabic_sentence() {
        let texts = Language::Arabic.texts();
        assert_eq!(texts.fill("أ {} ب", "Anna"), "أ \u{2068}Anna\u{2069} ب");
        assert_eq!(Language::English.texts().fill("Message {}", "Anna"), "Message Anna");
    }
}
