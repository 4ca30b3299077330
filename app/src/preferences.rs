//! The appearance settings: theme, language, clock.
//!
//! The browser keeps them in one cookie, so that the server renders the page correctly at once,
//! without a flash of the wrong theme. A setting that is not chosen follows the browser: its theme,
//! its `Accept-Language`, its clock. The settings page writes the cookie; `shell` and `session`
//! read it.

use serde::{Deserialize, Serialize};

use crate::language::Language;

/// The cookie's name. Scripts may read the cookie, because it holds no secret.
pub const COOKIE: &str = "duet-look";

/// The cookie's lifetime: a year.
pub const COOKIE_SECONDS: u32 = 365 * 24 * 60 * 60;

/// A colour theme.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Theme {
    Light,
    Dark,
}

impl Theme {
    /// The name, in the cookie and in `data-theme`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Light => "light",
            Self::Dark => "dark",
        }
    }

    /// The colour of the browser's own bars: the theme's surface colour.
    pub const fn colour(self) -> &'static str {
        match self {
            Self::Light => "#fffdf9",
            Self::Dark => "#201b18",
        }
    }
}

/// The clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Hours {
    /// 12 hours: 2:03 pm.
    Twelve,
    /// 24 hours: 14:03.
    TwentyFour,
}

impl Hours {
    /// The `hourCycle` of `Intl`, also used in the cookie.
    pub const fn cycle(self) -> &'static str {
        match self {
            Self::Twelve => "h12",
            Self::TwentyFour => "h23",
        }
    }
}

/// The chosen settings; `None` follows the browser.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Preferences {
    pub theme: Option<Theme>,
    pub language: Option<Language>,
    pub hours: Option<Hours>,
}

impl Preferences {
    /// Parses a cookie's value or the values of the form, joined by dots. Words may come in any
    /// order; unknown words are ignored.
    pub fn parse(value: &str) -> Self {
        let mut preferences = Self::default();
        for word in value.split('.') {
            match word {
                "light" => preferences.theme = Some(Theme::Light),
                "dark" => preferences.theme = Some(Theme::Dark),
                "h12" => preferences.hours = Some(Hours::Twelve),
                "h23" => preferences.hours = Some(Hours::TwentyFour),
                tag => preferences.language = Language::from_tag(tag).or(preferences.language),
            }
        }
        preferences
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

    /// The whole cookie, for a `Set-Cookie` header or for `document.cookie`.
    pub fn cookie(self, secure: bool) -> String {
        let (value, secure) = (self.value(), if secure { "; Secure" } else { "" });
        format!("{COOKIE}={value}; Path=/; SameSite=Lax; Max-Age={COOKIE_SECONDS}{secure}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn preferences_survive_a_round_trip_through_the_cookie() {
        let whole = Preferences {
            theme: Some(Theme::Dark),
            language: Some(Language::Arabic),
            hours: Some(Hours::TwentyFour),
        };
        for preferences in [
            whole,
            Preferences { theme: None, ..whole },
            Preferences { language: None, ..whole },
            Preferences { hours: None, ..whole },
            Preferences::default(),
        ] {
            assert_eq!(Preferences::parse(&preferences.value()), preferences);
        }
        assert_eq!(
            Preferences::parse("purple.tlh.h25...de"),
            Preferences { language: Some(Language::German), ..Preferences::default() }
        );
    }
}
