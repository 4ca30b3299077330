//! Known devices: browsers on which a user has signed in before.
//!
//! A device proves itself by a token in a cookie, so that strangers who guess passwords cannot lock
//! the user out there. The token grants nothing else: the password is still needed. Nothing is
//! stored for a device, because the token is authenticated by a key derived from the store's secret.
//! The token is bound to the account and to the hash of the password, so a changed password makes
//! every device unknown that does not get a new token. Called by the sign-in, and by the changes of
//! a user's own account.

use std::fmt;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use protocol::UserId;

use crate::error::{Error, Result};
use crate::store::{DerivedKey, StoreSecret};

const ID_BYTES: usize = 16;
const TAG_BYTES: usize = 32;

/// The token of a known device, for the browser's cookie. Must not be logged.
#[derive(Clone, PartialEq, Eq)]
pub struct DeviceToken(String);

impl DeviceToken {
    /// Characters of every token.
    pub const CHARS: usize = (ID_BYTES + TAG_BYTES) / 3 * 4;

    /// Takes the text that a browser sent. `None` if a token never has that length; nothing else is
    /// checked here.
    pub fn sent(text: &str) -> Option<Self> {
        (text.len() == Self::CHARS).then(|| Self(text.to_owned()))
    }

    /// The text for the cookie: letters, digits, `-` and `_`.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for DeviceToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DeviceToken").finish_non_exhaustive()
    }
}

/// A device of one account. The id says nothing about the device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct DeviceId([u8; ID_BYTES]);

impl DeviceId {
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }
}

/// Makes and checks the tokens of devices.
pub(crate) struct Devices(DerivedKey);

impl Devices {
    pub(crate) fn new(secret: &StoreSecret) -> Self {
        Self(secret.key("devices"))
    }

    /// Makes the token of a device on which the user has entered the password of this hash. A
    /// device that is known already keeps its id, and so its count of guesses.
    pub(crate) fn token(
        &self,
        user: UserId,
        password_hash: &str,
        known: Option<DeviceId>,
    ) -> Result<DeviceToken> {
        let id = match known {
            Some(id) => id,
            None => {
                let mut id = [0; ID_BYTES];
                getrandom::fill(&mut id).map_err(|_| Error::Internal("no randomness"))?;
                DeviceId(id)
            }
        };
        let tag = self.0.hash(&bound(&user, &id, password_hash));
        Ok(DeviceToken(BASE64_URL_SAFE_NO_PAD.encode([id.bytes(), &tag].concat())))
    }

    /// Returns the device of a token, if the token was made for this user and password hash.
    pub(crate) fn known(
        &self,
        token: &DeviceToken,
        user: UserId,
        password_hash: &str,
    ) -> Option<DeviceId> {
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(&token.0).ok()?;
        let (id, tag) = bytes.split_at_checked(ID_BYTES)?;
        let id = DeviceId(id.try_into().ok()?);
        self.0.is_hash(&bound(&user, &id, password_hash), tag).then_some(id)
    }
}

/// What a token is bound to.
fn bound<'a>(user: &'a UserId, id: &'a DeviceId, password_hash: &'a str) -> [&'a [u8]; 3] {
    [user.0.as_bytes(), id.bytes(), password_hash.as_bytes()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_valid_for_its_own_user_password_and_store_only() {
        let devices = Devices::new(&StoreSecret::for_tests());
        let (alice, bob) = (UserId::new(), UserId::new());
        let token = devices.token(alice, "hash", None).expect("a token");
        let id = devices.known(&token, alice, "hash").expect("known");
        assert_eq!(devices.known(&token, bob, "hash"), None);
        assert_eq!(devices.known(&token, alice, "another"), None);
        let renewed = devices.token(alice, "another", Some(id)).expect("a token");
        assert_eq!(devices.known(&renewed, alice, "another"), Some(id));
        let other = devices.token(alice, "hash", None).expect("a token");
        assert_ne!(devices.known(&other, alice, "hash"), Some(id), "another device");
        assert!(!format!("{token:?}").contains(token.as_str()));
    }

    #[test]
    fn a_forged_or_overlong_token_is_refused() {
        let devices = Devices::new(&StoreSecret::for_tests());
        let alice = UserId::new();
        let token = devices.token(alice, "hash", None).expect("a token");
        assert_eq!(token.as_str().len(), DeviceToken::CHARS);
        for at in 0..DeviceToken::CHARS {
            let mut forged = token.as_str().to_owned();
            let other = if forged[at..].starts_with('A') { "B" } else { "A" };
            forged.replace_range(at..=at, other);
            let forged = DeviceToken::sent(&forged).expect("the right length");
            assert_eq!(devices.known(&forged, alice, "hash"), None, "{at}");
        }
        let text = token.as_str();
        for text in ["", &text[1..], &format!("{text}A"), &"A".repeat(1_000_000)] {
            assert_eq!(DeviceToken::sent(text), None);
        }
        let unreadable = DeviceToken::sent(&"=".repeat(DeviceToken::CHARS)).expect("a length");
        assert_eq!(devices.known(&unreadable, alice, "hash"), None);
    }
}
