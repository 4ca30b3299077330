//! Validation of message text. Client and server both call it, so that they refuse the same texts.

use thiserror::Error;

use crate::limits::{MAX_BODY_BYTES, MAX_BODY_CHARS};

/// Message text that passed validation: not blank, at most [`MAX_BODY_CHARS`] characters, line
/// breaks as `\n`, no control character except tab. Validation changes nothing else in the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Body(String);

/// Why a text is not a valid message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum BodyError {
    /// The text is empty or only white space.
    #[error("the message is empty")]
    Blank,
    /// The text has more than [`MAX_BODY_CHARS`] characters.
    #[error("the message is longer than {MAX_BODY_CHARS} characters")]
    TooLong,
    /// The text contains NUL or another control character.
    #[error("the message contains control characters")]
    ControlCharacter,
}

impl Body {
    /// Validates a text and turns `\r\n` and `\r` into `\n`, because a form post sends `\r\n` and a
    /// repeated send must compare equal on either transport.
    ///
    /// # Errors
    /// The first [`BodyError`] that applies, in the order of its variants.
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

    /// Returns the text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the text as an owned string.
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
