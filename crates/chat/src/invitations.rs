//! Invitations: a link that brings one person in and into a conversation with whoever made it.
//!
//! The token is the permission, so only its hash is kept; it is good for one use and some days.
//! Forged, used and old ones are refused alike.

use std::net::IpAddr;
use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use protocol::{
    ConversationId, ErrorCode, Invitation, InvitationInfo, Seq, ServerFrame, User, UserId,
    WaitingInvitation,
};

use crate::accounts::{Client, SignedIn, Wanted, make_token, read_token};
use crate::config::Registration;
use crate::error::Result;
use crate::store::{Acceptance, NewInvitation, Opened, TokenHash};
use crate::{Chat, clock};

/// How long an invitation may wait.
const LIFE: Duration = Duration::from_secs(7 * 24 * 60 * 60);
/// Invitations of one person that may wait at once.
const MOST_OPEN: u32 = 20;
/// First invitations that wait at once: each start of each node offers one.
const MOST_FIRST: u32 = 16;

/// What an invitation is called: the hash of its token, which is no secret, because nobody finds the
/// token of a hash.
fn id(token_hash: &TokenHash) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(token_hash)
}

impl Chat {
    /// Whether someone may sign up with an invitation, and so whether one can be made.
    pub fn invitations_open(&self) -> bool {
        self.config().registration != Registration::Closed
    }

    /// Makes an invitation of mine.
    ///
    /// # Errors
    /// `registration_closed`, `too_many_invitations`, `rate_limited`.
    pub async fn create_invitation(&self, me: UserId) -> Result<Invitation> {
        if !self.invitations_open() {
            return Err(ErrorCode::RegistrationClosed.into());
        }
        self.throttle().invite(me).await?;
        let (token, token_hash) = make_token()?;
        let now = clock::now();
        let expires_at = clock::after(now, LIFE);
        let new = NewInvitation { token_hash, inviter: me, expires_at };
        if self.store().create_invitation(new, MOST_OPEN, now).await? {
            Ok(Invitation { id: id(&token_hash), token, expires_at })
        } else {
            Err(ErrorCode::TooManyInvitations.into())
        }
    }

    /// My invitations that wait to be used, the newest first.
    ///
    /// # Errors
    /// Only the store's.
    pub async fn waiting_invitations(&self, me: UserId) -> Result<Vec<WaitingInvitation>> {
        let rows = self.store().waiting_invitations(me, clock::now()).await?;
        let waiting = rows.into_iter().map(|row| WaitingInvitation {
            id: id(&row.token_hash),
            created_at: row.created_at,
            expires_at: row.expires_at,
        });
        Ok(waiting.collect())
    }

    /// Withdraws an invitation of mine. One that waits no more is as good as withdrawn.
    ///
    /// # Errors
    /// `not_found` for what is no id of an invitation; `rate_limited`.
    pub async fn withdraw_invitation(&self, me: UserId, id: &str) -> Result<()> {
        self.throttle().change(me).await?;
        let hash = BASE64_URL_SAFE_NO_PAD.decode(id).ok().and_then(|hash| hash.try_into().ok());
        let hash: TokenHash = hash.ok_or(ErrorCode::NotFound)?;
        self.store().withdraw_invitation(me, &hash).await?;
        Ok(())
    }

    /// Whose invitation this is. Whoever holds it need not be signed in.
    ///
    /// # Errors
    /// `invitation_invalid`, `rate_limited`.
    pub async fn invitation(&self, token: &str, from: IpAddr) -> Result<InvitationInfo> {
        self.throttle().look_at_invitation(from).await?;
        let hash = read_token(token).ok_or(ErrorCode::InvitationInvalid)?;
        let found = self.store().invitation(&hash, clock::now()).await?;
        found.ok_or_else(|| ErrorCode::InvitationInvalid.into())
    }

    /// Uses an invitation up: opens my conversation with whoever made it, for both of us.
    ///
    /// # Errors
    /// `invitation_invalid`; `not_with_oneself` for one of mine, which stays good; `rate_limited`.
    pub async fn accept_invitation(
        &self,
        me: &User,
        token: &str,
        from: IpAddr,
    ) -> Result<ConversationId> {
        self.throttle().look_at_invitation(from).await?;
        let hash = read_token(token).ok_or(ErrorCode::InvitationInvalid)?;
        match self.store().accept_invitation(&hash, me.id, clock::now()).await? {
            Acceptance::Opened(opened) => Ok(self.tell_inviter(me.id, opened)),
            Acceptance::Own => Err(ErrorCode::NotWithOneself.into()),
            Acceptance::Invalid => Err(ErrorCode::InvitationInvalid.into()),
        }
    }

    /// Where nobody is in who could invite, and everybody has to be invited: the secret of a first
    /// invitation, good until the first account is there. Asked again it is another, beside those
    /// before.
    ///
    /// # Errors
    /// Only the store's.
    pub async fn first_invitation(&self) -> Result<Option<String>> {
        if self.config().registration != Registration::Invited {
            return Ok(None);
        }
        let (token, hash) = make_token()?;
        let offered = self.store().offer_first_invitation(&hash, MOST_FIRST, clock::now()).await?;
        Ok(offered.then_some(token))
    }

    /// Makes an account with an invitation and signs it in; the conversation with whoever made the
    /// invitation is open. All of it is stored, or nothing. A first invitation was made by
    /// nobody, and opens none.
    ///
    /// # Errors
    /// As [`Chat::sign_up`], and `invitation_invalid`.
    pub async fn sign_up_invited(
        &self,
        invitation: &str,
        username: &str,
        display_name: &str,
        password: &str,
        from: impl Into<Client>,
    ) -> Result<(SignedIn, Option<ConversationId>)> {
        if !self.invitations_open() {
            return Err(ErrorCode::RegistrationClosed.into());
        }
        let hash = read_token(invitation).ok_or(ErrorCode::InvitationInvalid)?;
        let wanted = Wanted { username, display_name, password, invitation: Some(hash) };
        let (signed_in, opened) = self.make_account(wanted, from.into()).await?;
        let user = signed_in.session.user.id;
        let conversation = opened.map(|opened| self.tell_inviter(user, opened));
        Ok((signed_in, conversation))
    }

    /// Lets the inviter's open pages know of a conversation that is new to them, by the one thing
    /// there is to tell of it: where the other one's marks are.
    fn tell_inviter(&self, invited: UserId, opened: Opened) -> ConversationId {
        if opened.is_new {
            let (delivered, read) = (Seq::ZERO, Seq::ZERO);
            let conversation = opened.conversation;
            let frame = ServerFrame::Receipt { conversation, user: invited, delivered, read };
            self.relay().publish(&[opened.inviter], &frame, None);
        }
        opened.conversation
    }
}
