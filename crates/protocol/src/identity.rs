//! Identities: the accounts of a user at the operator's sign-in provider (OpenID Connect) that sign in to
//! the user's account here.

use serde::{Deserialize, Serialize};

use crate::{IdentityId, Timestamp};

/// Identities of one user.
pub const MOST_IDENTITIES: u32 = 5;

/// One identity of a user, as shown to that user.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IdentityInfo {
    /// The identity's id.
    pub id: IdentityId,
    /// The username at the provider when the identity was linked; empty if the provider gave none.
    pub name: String,
    /// When the identity was linked.
    pub created_at: Timestamp,
    /// When the user last signed in with the identity, if ever.
    pub used_at: Option<Timestamp>,
}

/// The operator's sign-in provider, and a user's identities there.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProviderState {
    /// The provider's name.
    pub name: String,
    /// The user's identities, the oldest first.
    pub identities: Vec<IdentityInfo>,
    /// Whether changes of the account are confirmed at the provider, because the account has neither a
    /// password nor a passkey.
    pub confirms: bool,
    /// Whether this browser has confirmed the next change at the provider.
    pub confirmed: bool,
}
