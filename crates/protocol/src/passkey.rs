//! Passkeys (`WebAuthn` credentials): the list of a user's passkeys, and the two texts of a ceremony. A
//! ceremony is one exchange with an authenticator: the server makes options, the browser hands them to
//! the authenticator, and the answer goes back to the server.
//!
//! The texts of `WebAuthn` itself are JSON inside a string, because only the browser's own functions and
//! the server's library read them.

use serde::{Deserialize, Serialize};

use crate::{PasskeyId, ProviderState, Timestamp};

/// Passkeys of one user: enough for every device of a person, and few enough to list.
pub const MOST_PASSKEYS: u32 = 20;

/// One passkey of a user, as shown to that user.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PasskeyInfo {
    /// The passkey's id.
    pub id: PasskeyId,
    /// The user's name for the passkey.
    pub name: String,
    /// When the passkey was added.
    pub created_at: Timestamp,
    /// When the passkey was last used, if ever.
    pub used_at: Option<Timestamp>,
}

/// Whether passkeys work at the address of a page.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PasskeySupport {
    /// Passkeys work.
    #[default]
    Works,
    /// The server's address is not https.
    NeedsHttps,
    /// The server's address is an IP address, which cannot carry passkeys.
    NeedsDomain,
    /// The page was opened under an IP address of this machine; passkeys work under `localhost`.
    NeedsLocalhost,
}

/// A user's ways to sign in.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PasskeyState {
    /// Whether passkeys can be added and used at this address.
    pub support: PasskeySupport,
    /// Whether the account has a password. An account without one confirms changes with a passkey.
    pub has_password: bool,
    /// The user's passkeys, the oldest first.
    pub passkeys: Vec<PasskeyInfo>,
    /// The sign-in provider, if the operator has set one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<ProviderState>,
}

/// A ceremony that the server has begun.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PasskeyCeremony {
    /// The state of the ceremony, signed by the server. Goes back unchanged with the answer.
    pub ceremony: String,
    /// The member `publicKey` of the options for `navigator.credentials`, as JSON with binary values
    /// in base64url.
    pub options: String,
}

/// The answer of an authenticator.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PasskeyAnswer {
    /// The ceremony that the answer belongs to.
    pub ceremony: String,
    /// The credential as JSON, as `PublicKeyCredential.toJSON` writes it.
    pub credential: String,
}
