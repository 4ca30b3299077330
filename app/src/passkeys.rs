//! The ceremonies of passkeys as pages run them: the server begins, the browser's authenticator
//! answers. Called by the settings and by the pages of sign-in and sign-up.

use protocol::{PasskeyAnswer, PasskeyCeremony};

use crate::browser::call_authenticator;
use crate::error::AppError;
use crate::error_messages::error_message;
use crate::language::Texts;
use crate::server_fns::begin_passkey_proof;

/// What an authenticator is called for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PasskeyCall {
    /// Making a passkey.
    Create,
    /// Using a passkey.
    Get,
    /// Offering passkeys in the field for the username, until the user chooses one.
    Fill,
}

/// Why an authenticator gave no answer.
#[cfg_attr(not(feature = "hydrate"), expect(dead_code, reason = "only a browser can tell why"))]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PasskeyFailure {
    /// The user cancelled, or has no matching passkey. Browsers do not disclose which.
    Cancelled,
    /// Another call of this page replaced the call.
    Replaced,
    /// The authenticator has a passkey of the account already.
    Exists,
    /// The browser could not call an authenticator.
    Failed,
}

/// Why a ceremony failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PasskeyError {
    /// The server refused, or was not reached.
    Server(AppError),
    /// There is no answer of an authenticator.
    Authenticator(PasskeyFailure),
}

impl From<AppError> for PasskeyError {
    fn from(error: AppError) -> Self {
        Self::Server(error)
    }
}

impl From<PasskeyFailure> for PasskeyError {
    fn from(failure: PasskeyFailure) -> Self {
        Self::Authenticator(failure)
    }
}

impl PasskeyError {
    /// Returns the message for the user. The lazily loaded pages call this, because only they carry
    /// the texts of passkeys.
    pub fn message(self, t: &Texts) -> String {
        match self {
            Self::Server(error) => error_message(t, error),
            Self::Authenticator(failure) => failure.text(t).to_owned(),
        }
    }
}

impl PasskeyFailure {
    /// Returns the sentence for the user.
    pub fn text(self, t: &Texts) -> &'static str {
        let texts = t.language.passkeys();
        match self {
            Self::Cancelled | Self::Replaced => texts.cancelled,
            Self::Exists => texts.exists,
            Self::Failed => texts.failed,
        }
    }
}

/// A proof of the user, as the calls of the settings send it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TypedProof {
    /// The password; empty for a proof by passkey.
    pub password: String,
    /// The answer of an authenticator as JSON; empty for a proof by password.
    pub passkey: String,
}

/// Lets an authenticator answer a ceremony. Returns the answer as the server's calls take it.
///
/// # Errors
/// When the user cancels, or the browser cannot.
pub async fn answer(call: PasskeyCall, begun: PasskeyCeremony) -> Result<String, PasskeyFailure> {
    let PasskeyCeremony { ceremony, options } = begun;
    let credential = call_authenticator(call, &options).await?;
    let answer = PasskeyAnswer { ceremony, credential };
    serde_json::to_string(&answer).map_err(|_| PasskeyFailure::Failed)
}

/// Proves the user with a passkey.
///
/// # Errors
/// When the server refuses, the user cancels, or the browser cannot.
pub async fn prove_with_passkey() -> Result<TypedProof, PasskeyError> {
    let begun = begin_passkey_proof().await?;
    let passkey = answer(PasskeyCall::Get, begun).await?;
    Ok(TypedProof { password: String::new(), passkey })
}
