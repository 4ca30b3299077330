//! Accounts: sign-up and sign-out, and the parts that they share with the sign-in.
//!
//! A sign-in must not disclose which usernames exist: an unknown name gets the same answer, after
//! the same work and under the same limits, as a wrong password. `app` calls these methods for its
//! server functions and forms; [`crate::invitations`], [`crate::settings`] and [`crate::deletion`]
//! use what they share with sign-up and sign-in.
//!
//! - `sign_in`: the sign-in; `devices`: the tokens of known devices
//! - `tokens`: the sessions of tokens, and the replacement of tokens
//! - `passwords`: concurrent password hashes within the machine's memory; `hashing`: one password;
//!   `opaque`: its normal form; `common_passwords`: the list of those that are refused; `memory`: the
//!   available memory; `queue`: who is hashed next
//! - `names`: names and their folded forms; `looks`: usernames that look alike, and reserved ones;
//!   `visible`: display names that can be seen; `free_names`: suggestions of usernames
//! - `passkeys`: the passkeys of an account; `passkey_sign_in`: sign-in and sign-up with them;
//!   `ceremonies`: what is exchanged with an authenticator
//! - `identities`: the identities of an account; `identity_sign_in`: sign-in and sign-up with them;
//!   `rounds`: the way of a browser to the sign-in provider and back
//! - `sealed`: the states of ceremonies and rounds, which go through the browser
//! - `proof`: the proof of a user before a change of the account
//! - `second_factor`: two-step sign-in; `totp`: the codes of authenticator apps; `codes`: recovery
//!   codes, and typed codes
//! - `device_link`: links by which a signed-in device signs in another one

#[cfg(test)]
mod any_input;
mod ceremonies;
mod codes;
mod common_passwords;
mod device_link;
mod devices;
mod free_names;
mod hashing;
mod identities;
mod identity_sign_in;
pub(crate) mod looks;
mod memory;
pub(crate) mod names;
mod opaque;
mod passkey_sign_in;
mod passkeys;
mod passwords;
mod proof;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod properties;
mod queue;
mod rounds;
mod sealed;
mod second_factor;
mod sign_in;
mod tokens;
mod totp;
mod visible;

use std::net::IpAddr;

use protocol::{ErrorCode, SessionId, User, UserId};

pub(crate) use ceremonies::Ceremonies;
pub use device_link::NewLink;
pub use devices::DeviceToken;
pub(crate) use devices::{DeviceId, Devices};
pub(crate) use hashing::NewPassword;
pub use identities::ProvenIdentity;
pub use identity_sign_in::{Arrived, Waiting};
pub(crate) use names::fold;
pub(crate) use passwords::Passwords;
pub use proof::Proof;
pub(crate) use queue::Requester;
pub use rounds::Round;
pub(crate) use rounds::Rounds;
pub use tokens::Authenticated;
pub(crate) use tokens::{TOKEN_CHARS, make_token, read_token};

use crate::config::Registration;
use crate::error::{Error, Result};
use crate::security_log::SECURITY;
use crate::store::{
    AccountOutcome, Caller, NewIdentity, NewPasskey, NewSession, NewUser, Opened, TokenHash,
};
use crate::{Chat, clock};

/// Sessions per user; a new one removes the one longest unused.
const MOST_SESSIONS: u32 = 20;

/// An authenticated session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// The session's id.
    pub id: SessionId,
    /// The user of the session.
    pub user: User,
}

impl Session {
    /// Returns the user and the session, for calls that write.
    pub fn caller(&self) -> Caller {
        Caller { user: self.user.id, session: self.id }
    }
}

/// The client that sent a request.
#[derive(Clone, Debug)]
pub struct Client {
    /// The client's IP address, for rate limits.
    pub address: IpAddr,
    /// Browser and operating system, shown in the list of sessions: "Firefox · Linux". Empty if
    /// unknown.
    pub device: String,
    /// The token of the device, if the client sent one.
    pub device_token: Option<DeviceToken>,
}

impl From<IpAddr> for Client {
    fn from(address: IpAddr) -> Self {
        Self { address, device: String::new(), device_token: None }
    }
}

/// The input of a sign-up.
pub(crate) struct Wanted<'a> {
    pub(crate) username: &'a str,
    pub(crate) display_name: &'a str,
    pub(crate) first: FirstMethod<'a>,
    pub(crate) invitation: Option<TokenHash>,
}

/// How the user of a new account signs in.
pub(crate) enum FirstMethod<'a> {
    /// With this password.
    Password(&'a str),
    /// With this passkey, which names the user by this id.
    Passkey(UserId, NewPasskey),
    /// With this identity.
    Identity(NewIdentity),
}

/// A new session and its token.
pub struct SignedIn {
    /// The session.
    pub session: Session,
    /// The token, for the browser's cookie; the store keeps only its hash.
    pub token: String,
    /// The token by which the device is known from now on, for another cookie.
    pub device_token: DeviceToken,
}

impl Chat {
    /// Returns whether sign-up needs no invitation.
    pub fn registration_open(&self) -> bool {
        self.config().registration == Registration::Open
    }

    /// Creates an account and signs it in.
    ///
    /// # Errors
    /// `registration_closed`, `username_invalid`, `username_taken`, `display_name_invalid`, a
    /// `password_*` code, `storage_full` or `rate_limited`.
    pub async fn sign_up(
        &self,
        username: &str,
        display_name: &str,
        password: &str,
        from: impl Into<Client>,
    ) -> Result<SignedIn> {
        if !self.registration_open() {
            return Err(ErrorCode::RegistrationClosed.into());
        }
        let first = FirstMethod::Password(password);
        let wanted = Wanted { username, display_name, first, invitation: None };
        let (signed_in, _) = self.make_account(wanted, from.into()).await?;
        Ok(signed_in)
    }

    /// Creates an account and signs it in without checking the registration mode; with an
    /// invitation, also opens the conversation with the inviter.
    pub(crate) async fn make_account(
        &self,
        wanted: Wanted<'_>,
        from: Client,
    ) -> Result<(SignedIn, Option<Opened>)> {
        let (username, username_key) = names::username(wanted.username)?;
        let (display_name, display_key) = names::display_name(wanted.display_name, &username)?;
        // Before the limit of sign-ups, so that a refused password does not count.
        let password = match &wanted.first {
            FirstMethod::Password(password) => Some(NewPassword::check(password)?),
            FirstMethod::Passkey(..) | FirstMethod::Identity(_) => None,
        };
        self.space().require().map_err(Error::Refused)?;
        self.throttle().sign_up(from.address).await?;
        // Checked before the costly hash; the store decides if two requests race.
        if let Some(invitation) = &wanted.invitation {
            self.check_invitation(invitation).await?;
        }
        if !self.is_username_free(&username, &username_key).await? {
            return Err(ErrorCode::UsernameTaken.into());
        }
        let password_hash = match password {
            Some(password) => {
                let names = [username_key.clone(), display_key.clone()];
                let requester = Requester::At(from.address);
                self.passwords().hash_new(password, names, requester).await?
            }
            None => String::new(),
        };
        let (id, passkey, identity) = match wanted.first {
            FirstMethod::Password(_) => (UserId::new(), None, None),
            FirstMethod::Passkey(id, passkey) => (id, Some(passkey), None),
            FirstMethod::Identity(identity) => (UserId::new(), None, Some(identity)),
        };
        let user = User { id, username, display_name };
        let from_address = from.address;
        let (session, token) = new_session(user.id, from.device)?;
        let id = session.id;
        let device_token = self.devices().token(user.id, &password_hash, None)?;
        let new = NewUser {
            user: user.clone(),
            username_key,
            display_key,
            password_hash,
            passkey,
            identity,
        };
        let is_invited = wanted.invitation.is_some();
        let made = self.store().create_user(new, session, wanted.invitation, clock::now()).await?;
        match made {
            AccountOutcome::Made(opened) => {
                tracing::info!(
                    target: SECURITY,
                    { user.id = %user.id, client.ip = %from_address, is_invited },
                    "an account was created"
                );
                let session = Session { id, user };
                Ok((SignedIn { session, token, device_token }, opened))
            }
            AccountOutcome::NameTaken => Err(ErrorCode::UsernameTaken.into()),
            AccountOutcome::PasskeyTaken => Err(ErrorCode::PasskeyRefused.into()),
            AccountOutcome::IdentityTaken => Err(ErrorCode::IdentityTaken.into()),
            AccountOutcome::InvitationInvalid => Err(ErrorCode::InvitationInvalid.into()),
        }
    }

    /// Returns whether a valid username can be given to a new account.
    async fn is_username_free(&self, username: &str, key: &str) -> Result<bool> {
        Ok(!looks::is_reserved(username)
            && self.store().is_username_free(username, key, clock::now()).await?)
    }

    /// Checks that an invitation, or a first invitation, permits sign-up at present.
    ///
    /// # Errors
    /// `invitation_invalid`.
    async fn check_invitation(&self, invitation: &TokenHash) -> Result<()> {
        let store = self.store();
        if store.invitation(invitation, clock::now()).await?.is_some()
            || store.is_first_invitation(invitation).await?
        {
            return Ok(());
        }
        Err(ErrorCode::InvitationInvalid.into())
    }

    /// Ends a session and its connections.
    ///
    /// # Errors
    /// Store errors only.
    pub async fn sign_out(&self, session: SessionId) -> Result<()> {
        self.store().delete_session(session).await?;
        self.relay().end_sessions(&[session]);
        tracing::info!(target: SECURITY, { session.id = %session }, "signed out");
        Ok(())
    }
}

fn new_session(user: UserId, device: String) -> Result<(NewSession, String)> {
    let (token, token_hash) = make_token()?;
    Ok((NewSession { id: SessionId::new(), user, token_hash, device }, token))
}
