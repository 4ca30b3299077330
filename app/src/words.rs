//! Refusals, in words for people. The only place where a code becomes a sentence.

use protocol::ErrorCode;
use protocol::limits::{MAX_BODY_CHARS, MAX_DISPLAY_NAME_CHARS, MIN_PASSWORD_CHARS};

use crate::error::AppError;

/// A field of a form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    /// The name one signs in with.
    Username,
    /// The name others see.
    DisplayName,
    /// The secret.
    Password,
}

/// The field that a refusal is about, if it is about one.
pub fn field(error: AppError) -> Option<Field> {
    match error.code()? {
        ErrorCode::UsernameInvalid | ErrorCode::UsernameTaken => Some(Field::Username),
        ErrorCode::DisplayNameInvalid => Some(Field::DisplayName),
        ErrorCode::PasswordTooShort | ErrorCode::PasswordTooLong | ErrorCode::PasswordCommon => {
            Some(Field::Password)
        }
        _ => None,
    }
}

/// What to tell the person.
pub fn sentence(error: AppError) -> String {
    let AppError::Refused(refusal) = error else {
        return "The server cannot be reached. Check your connection and try again.".to_owned();
    };
    match refusal.code {
        ErrorCode::Malformed | ErrorCode::OutOfRange => {
            "That was not understood. Reload the page and try again.".into()
        }
        ErrorCode::Unauthenticated => "You are signed out. Sign in to go on.".into(),
        ErrorCode::NotFound => "This conversation does not exist, or it is not yours.".into(),
        ErrorCode::BodyBlank => "Write something first.".into(),
        ErrorCode::BodyTooLong => format!("A message has at most {MAX_BODY_CHARS} characters."),
        ErrorCode::BodyControlCharacter => {
            "The message holds characters that cannot be shown.".into()
        }
        ErrorCode::ClientIdReused => {
            "This message was sent before with another text. Copy it and write it anew.".into()
        }
        ErrorCode::NotWithOneself => "You cannot talk to yourself here.".into(),
        ErrorCode::UsernameInvalid => {
            "Use 3 to 32 letters, digits, dots, dashes or underscores.".into()
        }
        ErrorCode::UsernameTaken => "This username is taken.".into(),
        ErrorCode::DisplayNameInvalid => {
            format!("Use at most {MAX_DISPLAY_NAME_CHARS} ordinary characters.")
        }
        ErrorCode::PasswordTooShort => format!("Use at least {MIN_PASSWORD_CHARS} characters."),
        ErrorCode::PasswordTooLong => "This password is too long.".into(),
        ErrorCode::PasswordCommon => "This password is easy to guess. Choose another one.".into(),
        ErrorCode::WrongCredentials => "Username and password do not match.".into(),
        ErrorCode::RegistrationClosed => {
            "New accounts cannot be created here at the moment.".into()
        }
        ErrorCode::RateLimited => {
            format!("Too many attempts. Try again {}.", soon(refusal.retry_after_ms))
        }
        ErrorCode::Busy | ErrorCode::Unavailable => {
            format!("The server is busy. Try again {}.", soon(refusal.retry_after_ms))
        }
        ErrorCode::ForeignOrigin => {
            "This request did not come from this site. Reload the page.".into()
        }
        ErrorCode::Internal => {
            "Something went wrong on the server. Nothing was changed. Try again.".into()
        }
    }
}

/// A delay in words: "in 40 seconds".
fn soon(retry_after_ms: Option<u64>) -> String {
    match retry_after_ms.map(|ms| ms.div_ceil(1_000)) {
        None => "in a moment".to_owned(),
        Some(0 | 1) => "in a second".to_owned(),
        Some(seconds @ 2..=90) => format!("in {seconds} seconds"),
        Some(seconds) => format!("in {} minutes", seconds.div_ceil(60)),
    }
}

/// A count and its noun.
pub fn count(number: u32, one: &str, many: &str) -> String {
    match number {
        1 => format!("1 {one}"),
        1_000.. => format!("999+ {many}"),
        _ => format!("{number} {many}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::Refusal;

    #[test]
    fn throttled_says_when_to_try_again() {
        let told = |ms| {
            sentence(AppError::Refused(Refusal {
                code: ErrorCode::RateLimited,
                retry_after_ms: Some(ms),
            }))
        };
        assert_eq!(told(39_001), "Too many attempts. Try again in 40 seconds.");
        assert_eq!(told(600_000), "Too many attempts. Try again in 10 minutes.");
    }
}
