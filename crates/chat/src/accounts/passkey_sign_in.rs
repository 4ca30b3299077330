//! Sign-in with a passkey, and sign-up with a passkey in place of a password.
//!
//! A sign-in with a passkey is complete: the authenticator has verified the user by a PIN or a
//! biometric, so that no code of a second factor is needed. The passkey names its user, so no username
//! is typed and none is disclosed. `app` calls these methods for the pages of sign-in and sign-up.

use protocol::{ConversationId, ErrorCode, PasskeyAnswer, PasskeyCeremony, User, UserId};

use super::ceremonies::{Purpose, refused};
use super::passkeys::passkey_name;
use super::sealed::Finished;
use super::{Client, FirstMethod, SignedIn, Wanted, names};
use crate::error::Result;
use crate::store::TokenHash;
use crate::{Chat, clock};

impl Chat {
    /// Begins a sign-in with a passkey. Leaves nothing on the server.
    ///
    /// # Errors
    /// `passkeys_unavailable`, `rate_limited`.
    pub async fn begin_passkey_sign_in(&self, from: impl Into<Client>) -> Result<PasskeyCeremony> {
        let ceremonies = self.ceremonies()?;
        self.throttle().begin_ceremony(from.into().address).await?;
        ceremonies.ask(Purpose::SignIn, &[], clock::now())
    }

    /// Signs in with a passkey. The limits of guessed passwords do not apply, because a signature
    /// cannot be guessed; an address is limited as for passwords.
    ///
    /// # Errors
    /// `passkey_refused`, `passkeys_unavailable`, `rate_limited`.
    pub async fn sign_in_with_passkey(
        &self,
        answer: &PasskeyAnswer,
        from: impl Into<Client>,
    ) -> Result<SignedIn> {
        let from = from.into();
        let (address, device) = (from.address, from.device.clone());
        let signed_in = self.verify_passkey_and_sign_in(answer, from).await;
        self.announce_sign_in(&signed_in, address, device);
        signed_in
    }

    async fn verify_passkey_and_sign_in(
        &self,
        answer: &PasskeyAnswer,
        from: Client,
    ) -> Result<SignedIn> {
        self.throttle().sign_in(from.address).await?;
        let user = self.accept_passkey(Purpose::SignIn, answer, None).await?.user;
        self.sign_in_as(user, &from).await?.ok_or_else(refused)
    }

    /// Returns whether an account may be created with a passkey and without a password.
    pub fn passkey_sign_up_open(&self) -> bool {
        self.config().passkey_sign_up && self.has_passkeys()
    }

    /// Begins a sign-up with a passkey: checks the names, which the ceremony keeps. The account does
    /// not exist before [`Chat::sign_up_with_passkey`].
    ///
    /// # Errors
    /// As [`Chat::sign_up`], without those about passwords; `passkeys_unavailable`.
    pub async fn begin_passkey_sign_up(
        &self,
        username: &str,
        display_name: &str,
        invitation: Option<&str>,
        from: impl Into<Client>,
    ) -> Result<PasskeyCeremony> {
        let ceremonies = self.ceremonies()?;
        let invitation = self.may_sign_up_with_passkey(invitation)?;
        let (username, key) = names::username(username)?;
        let (display_name, _) = names::display_name(display_name, &username)?;
        self.throttle().begin_ceremony(from.into().address).await?;
        // Before the username, because only invited people may learn which names are taken.
        if let Some(invitation) = &invitation {
            self.check_invitation(invitation).await?;
        }
        if !self.is_username_free(&username, &key).await? {
            return Err(ErrorCode::UsernameTaken.into());
        }
        let user = User { id: UserId::new(), username, display_name };
        ceremonies.make(Purpose::SignUp, user, &[], clock::now())
    }

    /// Creates an account without a password, with the passkey that an authenticator has made, and
    /// signs it in. With an invitation, opens the conversation with the inviter.
    ///
    /// # Errors
    /// As [`Chat::sign_up_invited`], without those about passwords; `passkey_refused`,
    /// `passkeys_unavailable`.
    pub async fn sign_up_with_passkey(
        &self,
        answer: &PasskeyAnswer,
        invitation: Option<&str>,
        from: impl Into<Client>,
    ) -> Result<(SignedIn, Option<ConversationId>)> {
        let ceremonies = self.ceremonies()?;
        let invitation = self.may_sign_up_with_passkey(invitation)?;
        let from = from.into();
        let Finished { value: (user, mut new), hash, expires_at } =
            ceremonies.made(Purpose::SignUp, answer, clock::now())?;
        new.name = passkey_name("", &from.device)?;
        // Before the account, because the same answer must not create a second one.
        if !self.store().use_ceremony(&hash, expires_at).await? {
            return Err(refused());
        }
        let User { id, username, display_name } = &user;
        let first = FirstMethod::Passkey(*id, new);
        let wanted = Wanted { username, display_name, first, invitation };
        let (signed_in, opened) = self.make_account(wanted, from).await?;
        let user = signed_in.session.user.id;
        Ok((signed_in, opened.map(|opened| self.publish_to_inviter(user, &opened))))
    }

    /// Checks that the operator allows this sign-up; returns the hash of the invitation.
    fn may_sign_up_with_passkey(&self, invitation: Option<&str>) -> Result<Option<TokenHash>> {
        let is_open = match invitation {
            None => self.registration_open(),
            Some(_) => self.invitations_open(),
        };
        if !is_open || !self.passkey_sign_up_open() {
            return Err(ErrorCode::RegistrationClosed.into());
        }
        let hash =
            invitation.map(|token| super::read_token(token).ok_or(ErrorCode::InvitationInvalid));
        Ok(hash.transpose()?)
    }
}
