//! Error messages for users. The only place that turns an error code into a sentence.

use protocol::ErrorCode;
use protocol::limits::{MAX_BODY_CHARS, MAX_DISPLAY_NAME_CHARS, MIN_PASSWORD_CHARS};

use crate::browser::right_address;
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
    let sentence = sentence(t, refusal.code);
    let value = match refusal.code {
        ErrorCode::BodyTooLong => MAX_BODY_CHARS.to_string(),
        ErrorCode::DisplayNameInvalid => MAX_DISPLAY_NAME_CHARS.to_string(),
        ErrorCode::PasswordTooShort => MIN_PASSWORD_CHARS.to_string(),
        ErrorCode::RateLimited
        | ErrorCode::Busy
        | ErrorCode::StorageFull
        | ErrorCode::Unavailable => soon(t, refusal.retry_after_ms),
        ErrorCode::ForeignOrigin => return t.fill(sentence, &right_address()),
        _ => return sentence.to_owned(),
    };
    sentence.replace("{}", &value)
}

/// Returns the sentence for an error code. `{}` stands for a limit, a delay or an address.
fn sentence(t: &Texts, code: ErrorCode) -> &'static str {
    match code {
        ErrorCode::Malformed | ErrorCode::OutOfRange => t.malformed,
        ErrorCode::Unauthenticated => t.unauthenticated,
        ErrorCode::OtherPerson => t.other_person,
        ErrorCode::NotFound => t.not_found,
        ErrorCode::BodyBlank => t.body_blank,
        ErrorCode::BodyTooLong => t.body_too_long,
        ErrorCode::BodyControlCharacter => t.body_control_character,
        ErrorCode::ClientIdReused => t.client_id_reused,
        ErrorCode::NotWithOneself => t.not_with_oneself,
        ErrorCode::UsernameInvalid => t.username_invalid,
        ErrorCode::UsernameTaken => t.username_taken,
        ErrorCode::DisplayNameInvalid => t.display_name_invalid,
        ErrorCode::PasswordTooShort => t.password_too_short,
        ErrorCode::PasswordTooLong => t.password_too_long,
        ErrorCode::PasswordInvalid => t.password_invalid,
        ErrorCode::PasswordCommon => t.password_common,
        ErrorCode::WrongCredentials => t.wrong_credentials,
        ErrorCode::WrongPassword => t.wrong_password,
        ErrorCode::CodeNeeded => t.code_needed,
        ErrorCode::WrongCode => t.wrong_code,
        ErrorCode::SecondFactorChanged => t.second_factor_changed,
        ErrorCode::DeviceLinkInvalid => t.device_link_invalid,
        ErrorCode::SignedInAlready => t.signed_in_already,
        ErrorCode::PasskeyRefused => t.passkey_refused,
        ErrorCode::PasskeysUnavailable => t.passkeys_unavailable,
        ErrorCode::TooManyPasskeys => t.too_many_passkeys,
        ErrorCode::LastSignInMethod => t.last_sign_in_method,
        // The pages of the provider have sentences of their own (`plain_forms/provider.rs`), which the
        // browser need not carry.
        ErrorCode::IdentityRefused
        | ErrorCode::IdentityTaken
        | ErrorCode::TooManyIdentities
        | ErrorCode::ProviderUnavailable => t.identity_refused,
        ErrorCode::InvitationInvalid => t.invitation_invalid,
        ErrorCode::TooManyInvitations => t.too_many_invitations,
        ErrorCode::PeerDeleted => t.peer_deleted,
        ErrorCode::PeerBlocked => t.peer_blocked,
        ErrorCode::ReportInvalid => t.report_invalid,
        ErrorCode::RegistrationClosed => t.registration_refused,
        ErrorCode::RateLimited => t.rate_limited,
        ErrorCode::Busy | ErrorCode::Unavailable => t.busy,
        ErrorCode::StorageFull => t.storage_full,
        ErrorCode::TimedOut => t.timed_out,
        ErrorCode::ForeignOrigin => t.foreign_origin,
        ErrorCode::Internal => t.internal,
    }
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
