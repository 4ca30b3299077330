//! How a person wants the page to look: theme, language, clock.
//!
//! Kept by the browser in one cookie, so that the server renders the page right from the first
//! byte: nothing flashes and nothing is said twice. What is not chosen follows the browser: its
//! theme, its `Accept-Language`, its own clock. The settings page writes it; `shell` and
//! `session` read it.

use serde::{Deserialize, Serialize};

use crate::language::Language;

/// The cookie's name. No secret: pages may read it.
pub const COOKIE: &str = "duet-look";

/// How long a browser keeps it: a year.
pub const COOKIE_SECONDS: u32 = 365 * 24 * 60 * 60;

/// A set of colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Theme {
    /// Warm paper.
    Light,
    /// Warm night.
    Dark,
}

impl Theme {
    /// Its name, in the cookie and for the style sheet.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Light => "light",
            Self::Dark => "dark",
        }
    }

    /// The colour of the browser's own bars beside the page: that of its surfaces.
    pub const fn colour(self) -> &'static str {
        match self {
            Self::Light => "#fffdf9",
            Self::Dark => "#201b18",
        }
    }
}

/// How hours are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Hours {
    /// 2:03 pm.
    Twelve,
    /// 14:03.
    TwentyFour,
}

impl Hours {
    /// Its name, in the cookie and for `Intl`.
    pub const fn cycle(self) -> &'static str {
        match self {
            Self::Twelve => "h12",
            Self::TwentyFour => "h23",
        }
    }
}

/// What a person chose; what they did not follows the browser.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Look {
    /// The colours.
    pub theme: Option<Theme>,
    /// The language.
    pub language: Option<Language>,
    /// The clock.
    pub hours: Option<Hours>,
}

impl Look {
    /// Reads a cookie's value, or the names of what was chosen in a form: words in any order, of
    /// which unknown ones count as not chosen.
    pub fn parse(value: &str) -> Self {
        let mut look = Self::default();
        for word in value.split('.') {
            match word {
                "light" => look.theme = Some(Theme::Light),
                "dark" => look.theme = Some(Theme::Dark),
                "h12" => look.hours = Some(Hours::Twelve),
                "h23" => look.hours = Some(Hours::TwentyFour),
                tag => look.language = Language::from_tag(tag).or(look.language),
            }
        }
        look
    }

    /// The cookie's value: ASCII letters, digits and dots.
    pub fn value(self) -> String {
        let words = [
            self.theme.map(Theme::name),
            self.language.map(Language::tag),
            self.hours.map(Hours::cycle),
        ];
        words.into_iter().flatten().collect::<Vec<_>>().join(".")
    }

    /// The whole cookie, for a `Set-Cookie` header or for the page's own `document.cookie`.
    pub fn cookie(self, secure: bool) -> String {
        let (value, secure) = (self.value(), if secure { "; Secure" } else { "" });
        format!("{COOKIE}={value}; Path=/; SameSite=Lax; Max-Age={COOKIE_SECONDS}{secure}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_look_comes_back_as_it_was_kept() {
        let whole = Look {
            theme: Some(Theme::Dark),
            language: Some(Language::Arabic),
            hours: Some(Hours::TwentyFour),
        };
        for look in [
            whole,
            Look { theme: None, ..whole },
            Look { language: None, ..whole },
            Look { hours: None, ..whole },
            Look::default(),
        ] {
            assert_eq!(Look::parse(&look.value()), look);
        }
        assert_eq!(
            Look::parse("purple.tlh.h25...de"),
            Look { language: Some(Language::German), ..Look::default() }
        );
    }
}
