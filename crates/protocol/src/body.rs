//! The text of a message, checked. Both ends call this, so that they refuse the same.

use thiserror::Error;

use crate::limits::{MAX_BODY_BYTES, MAX_BODY_CHARS};

/// Text that may be sent: not blank, at most [`MAX_BODY_CHARS`] characters, line breaks as `\n`,
/// no other control character than the tab. Nothing else about it is changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Body(String);

/// Why a text may not be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum BodyError {
    /// Nothing but white space.
    #[error("the message is empty")]
    Blank,
    /// Over [`MAX_BODY_CHARS`] characters.
    #[error("the message is longer than {MAX_BODY_CHARS} characters")]
    TooLong,
    /// NUL or another control character.
    #[error("the message contains control characters")]
    ControlCharacter,
}

impl Body {
    /// Checks a text and turns `\r\n` and `\r` into `\n` (a form post sends `\r\n`, and a repeat
    /// must compare equal whichever way it came).
    ///
    /// # Errors
    /// The first [`BodyError`] that holds, in the order of its variants.
    pub fn parse(text: &str) -> Result<Self, BodyError> {
        if text.trim().is_empty() {
            return Err(BodyError::Blank);
        }
        let text = if text.contains('\r') {
            text.replace("\r\n", "\n").replace('\r', "\n")
        } else {
            text.to_owned()
        };
        if text.len() > MAX_BODY_BYTES || text.chars().count() > MAX_BODY_CHARS {
            return Err(BodyError::TooLong);
        }
        if text.chars().any(|c| c.is_control() && c != '\n' && c != '\t') {
            return Err(BodyError::ControlCharacter);
        }
        Ok(Self(text))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The text, owned.
    pub fn into_string(self) -> String {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_refused_by_name_and_otherwise_kept() {
        let cases: &[(&str, Result<&str, BodyError>)] = &[
            ("hello", Ok("hello")),
            ("  kept \t as it is ", Ok("  kept \t as it is ")),
            ("one\r\ntwo\rthree", Ok("one\ntwo\nthree")),
            ("", Err(BodyError::Blank)),
            (" \n\t\u{2003}", Err(BodyError::Blank)),
            ("nul \0", Err(BodyError::ControlCharacter)),
            ("bell \u{7}", Err(BodyError::ControlCharacter)),
            ("c1 \u{85}", Err(BodyError::ControlCharacter)),
            ("right to left \u{202e} stays", Ok("right to left \u{202e} stays")),
        ];
        for (text, expected) in cases {
            let body = Body::parse(text);
            assert_eq!(body.as_ref().map(Body::as_str), expected.as_ref().copied(), "{text:?}");
        }
    }

    #[test]
    fn the_limit_counts_characters_not_bytes() {
        assert!(Body::parse(&"ü".repeat(MAX_BODY_CHARS)).is_ok());
        assert!(Body::parse(&"𝄞".repeat(MAX_BODY_CHARS)).is_ok());
        assert_eq!(Body::parse(&"a".repeat(MAX_BODY_CHARS + 1)), Err(BodyError::TooLong));
    }
}
