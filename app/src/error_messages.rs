//! Error messages for users. The only place that turns an error code into a sentence.

use protocol::ErrorCode;
use protocol::limits::{MAX_BODY_CHARS, MAX_DISPLAY_NAME_CHARS, MIN_PASSWORD_CHARS};

use crate::error::AppError;
use crate::language::Texts;

/// A field of a form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FormField {
    Username,
    /// The name shown to other users.
    DisplayName,
    Password,
}

/// Returns the form field that a refusal is about, if any.
pub fn field_of(error: AppError) -> Option<FormField> {
    match error.code()? {
        ErrorCode::UsernameInvalid | ErrorCode::UsernameTaken => Some(FormField::Username),
        ErrorCode::DisplayNameInvalid => Some(FormField::DisplayName),
        ErrorCode::PasswordTooShort
        | ErrorCode::PasswordTooLong
        | ErrorCode::PasswordInvalid
        | ErrorCode::PasswordCommon => Some(FormField::Password),
        _ => None,
    }
}

/// Returns the message for the user.
pub fn error_message(t: &Texts, error: AppError) -> String {
    let AppError::Refused(refusal) = error else {
        return t.unreached.to_owned();
    };
    let numbered = |sentence: &str, number: usize| sentence.replace("{}", &number.to_string());
    let later = |sentence: &str| sentence.replace("{}", &soon(t, refusal.retry_after_ms));
    match refusal.code {
        ErrorCode::Malformed | ErrorCode::OutOfRange => t.malformed.into(),
        ErrorCode::Unauthenticated => t.unauthenticated.into(),
        ErrorCode::OtherPerson => t.other_person.into(),
        ErrorCode::NotFound => t.not_found.into(),
        ErrorCode::BodyBlank => t.body_blank.into(),
        ErrorCode::BodyTooLong => numbered(t.body_too_long, MAX_BODY_CHARS),
        ErrorCode::BodyControlCharacter => t.body_control_character.into(),
        ErrorCode::ClientIdReused => t.client_id_reused.into(),
        ErrorCode::NotWithOneself => t.not_with_oneself.into(),
        ErrorCode::UsernameInvalid => t.username_invalid.into(),
        ErrorCode::UsernameTaken => t.username_taken.into(),
        ErrorCode::DisplayNameInvalid => numbered(t.display_name_invalid, MAX_DISPLAY_NAME_CHARS),
        ErrorCode::PasswordTooShort => numbered(t.password_too_short, MIN_PASSWORD_CHARS),
        ErrorCode::PasswordTooLong => t.password_too_long.into(),
        ErrorCode::PasswordInvalid => t.password_invalid.into(),
        ErrorCode::PasswordCommon => t.password_common.into(),
        ErrorCode::WrongCredentials => t.wrong_credentials.into(),
        ErrorCode::WrongPassword => t.wrong_password.into(),
        ErrorCode::InvitationInvalid => t.invitation_invalid.into(),
        ErrorCode::TooManyInvitations => t.too_many_invitations.into(),
        ErrorCode::PeerDeleted => t.peer_deleted.into(),
        ErrorCode::RegistrationClosed => t.registration_refused.into(),
        ErrorCode::RateLimited => later(t.rate_limited),
        ErrorCode::Busy | ErrorCode::Unavailable => later(t.busy),
        ErrorCode::TimedOut => t.timed_out.into(),
        ErrorCode::ForeignOrigin => t.fill(t.foreign_origin, &right_address()),
        ErrorCode::Internal => t.internal.into(),
    }
}

/// Returns the address under which the site accepts requests. Only the browser uses it, because the
/// server refuses a foreign page before it chooses a message.
fn right_address() -> String {
    #[cfg(feature = "hydrate")]
    return crate::dom::right_address();
    #[cfg(not(feature = "hydrate"))]
    String::new()
}

/// Returns a delay in words: "in 40 seconds".
fn soon(t: &Texts, retry_after_ms: Option<u64>) -> String {
    let whole = |number: u64| u32::try_from(number).unwrap_or(u32::MAX);
    match retry_after_ms.map(|ms| ms.div_ceil(1_000)) {
        None => t.in_a_moment.to_owned(),
        Some(seconds @ 0..=90) => t.count(t.in_seconds, whole(seconds.max(1))),
        Some(seconds) => t.count(t.in_minutes, whole(seconds.div_ceil(60))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::language::Language;
    use protocol::Refusal;

    #[test]
    fn a_rate_limit_message_names_the_delay() {
        let message = |ms| {
            let refusal = Refusal { code: ErrorCode::RateLimited, retry_after_ms: Some(ms) };
            error_message(Language::English.texts(), AppError::Refused(refusal))
        };
        assert_eq!(message(39_001), "Too many attempts. Try again in 40 seconds.");
        assert_eq!(message(600_000), "Too many attempts. Try again in 10 minutes.");
    }
}
