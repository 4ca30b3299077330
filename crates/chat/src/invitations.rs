//! Invitations: links that bring one user, with a new or an existing account, into a conversation
//! with the inviter.
//!
//! The token is the permission, so the store keeps only its hash. An invitation works once and
//! expires after [`LIFE`]. Forged, used and expired invitations must get the same refusal. `app`
//! calls these methods for the invitation pages, and `server` prints the first invitation.

use std::net::IpAddr;
use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use protocol::{
    ConversationId, ErrorCode, Invitation, InvitationInfo, Seq, ServerFrame, UserId,
    WaitingInvitation,
};

use crate::accounts::{Client, FirstMethod, SignedIn, TOKEN_CHARS, Wanted, make_token, read_token};
use crate::config::Registration;
use crate::error::Result;
use crate::store::{Acceptance, Caller, InvitationOutcome, NewInvitation, Opened, TokenHash};
use crate::{Chat, Session, clock};

/// Lifetime of an invitation.
const LIFE: Duration = Duration::from_secs(7 * 24 * 60 * 60);
/// Pending invitations per user.
const MOST_OPEN: u32 = 20;
/// Pending first invitations: each start of each node creates one.
const MOST_FIRST: u32 = 16;

/// Returns the public id of an invitation: the hash of its token. A hash does not reveal its token.
fn id(token_hash: &TokenHash) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(token_hash)
}

impl Chat {
    /// Returns whether invitations can be created and used for sign-up.
    pub fn invitations_open(&self) -> bool {
        self.config().registration != Registration::Closed
    }

    /// Creates an invitation.
    ///
    /// # Errors
    /// `registration_closed`, `too_many_invitations`, `rate_limited`; `unauthenticated` if the
    /// account was deleted meanwhile.
    pub async fn create_invitation(&self, me: Caller) -> Result<Invitation> {
        if !self.invitations_open() {
            return Err(ErrorCode::RegistrationClosed.into());
        }
        self.throttle().invite(me.user).await?;
        let (token, token_hash) = make_token()?;
        let now = clock::now();
        let expires_at = clock::after(now, LIFE);
        let new = NewInvitation { token_hash, inviter: me, expires_at };
        match self.store().create_invitation(new, MOST_OPEN, now).await? {
            InvitationOutcome::Made => Ok(Invitation { id: id(&token_hash), token, expires_at }),
            InvitationOutcome::TooMany => Err(ErrorCode::TooManyInvitations.into()),
            InvitationOutcome::NoAccount => Err(ErrorCode::Unauthenticated.into()),
        }
    }

    /// Returns the user's pending invitations, the newest first.
    ///
    /// # Errors
    /// `rate_limited`.
    pub async fn waiting_invitations(&self, me: UserId) -> Result<Vec<WaitingInvitation>> {
        self.throttle().read(me)?;
        let rows = self.store().waiting_invitations(me, clock::now()).await?;
        let waiting = rows.into_iter().map(|row| WaitingInvitation {
            id: id(&row.token_hash),
            created_at: row.created_at,
            expires_at: row.expires_at,
        });
        Ok(waiting.collect())
    }

    /// Withdraws one of the user's invitations. An invitation that is no longer pending is not an
    /// error.
    ///
    /// # Errors
    /// `not_found` for a malformed id; `rate_limited`.
    pub async fn withdraw_invitation(&self, me: Caller, id: &str) -> Result<()> {
        self.throttle().change(me.user).await?;
        let id = Some(id).filter(|id| id.len() == TOKEN_CHARS);
        let hash = id.and_then(|id| BASE64_URL_SAFE_NO_PAD.decode(id).ok());
        let hash = hash.and_then(|hash| hash.try_into().ok());
        let hash: TokenHash = hash.ok_or(ErrorCode::NotFound)?;
        self.store().withdraw_invitation(me, &hash).await?;
        Ok(())
    }

    /// Returns the inviter and expiry of an invitation. Needs no session.
    ///
    /// # Errors
    /// `invitation_invalid`, `rate_limited`.
    pub async fn invitation(&self, token: &str, from: IpAddr) -> Result<InvitationInfo> {
        self.throttle().look_at_invitation(from).await?;
        let hash = read_token(token).ok_or(ErrorCode::InvitationInvalid)?;
        let found = self.store().invitation(&hash, clock::now()).await?;
        found.ok_or_else(|| ErrorCode::InvitationInvalid.into())
    }

    /// Uses an invitation and opens the conversation with the inviter for both users.
    ///
    /// # Errors
    /// `invitation_invalid`; `not_with_oneself` for the user's own invitation, which stays valid;
    /// `rate_limited`.
    pub async fn accept_invitation(
        &self,
        me: &Session,
        token: &str,
        from: IpAddr,
    ) -> Result<ConversationId> {
        self.throttle().look_at_invitation(from).await?;
        let hash = read_token(token).ok_or(ErrorCode::InvitationInvalid)?;
        match self.store().accept_invitation(&hash, me.caller(), clock::now()).await? {
            Acceptance::Opened(opened) => Ok(self.publish_to_inviter(me.user.id, &opened)),
            Acceptance::Own => Err(ErrorCode::NotWithOneself.into()),
            Acceptance::Invalid => Err(ErrorCode::InvitationInvalid.into()),
        }
    }

    /// Creates a first invitation if sign-up needs an invitation and there has been no account yet;
    /// otherwise `None`. The token is valid until the first account exists. Each call creates
    /// another one and keeps the newest earlier ones.
    ///
    /// # Errors
    /// Store errors only.
    pub async fn first_invitation(&self) -> Result<Option<String>> {
        if self.config().registration != Registration::Invited {
            return Ok(None);
        }
        let (token, hash) = make_token()?;
        let offered = self.store().offer_first_invitation(&hash, MOST_FIRST, clock::now()).await?;
        Ok(offered.then_some(token))
    }

    /// Creates an account with an invitation, signs it in and opens the conversation with the
    /// inviter, in one transaction. A first invitation has no inviter and opens no conversation.
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
        let first = FirstMethod::Password(password);
        let wanted = Wanted { username, display_name, first, invitation: Some(hash) };
        let (signed_in, opened) = self.make_account(wanted, from.into()).await?;
        let user = signed_in.session.user.id;
        let conversation = opened.map(|opened| self.publish_to_inviter(user, &opened));
        Ok((signed_in, conversation))
    }

    /// Notifies the inviter's open pages of a new conversation. A `receipt` with both marks at
    /// zero, for a conversation that a page does not hold, makes the page fetch it.
    pub(crate) fn publish_to_inviter(&self, invited: UserId, opened: &Opened) -> ConversationId {
        if opened.is_new {
            let (delivered, read) = (Seq::ZERO, Seq::ZERO);
            let conversation = opened.conversation;
            let frame = ServerFrame::Receipt { conversation, user: invited, delivered, read };
            self.relay().publish(&[opened.inviter], &frame, None);
        } else {
            // The invitation counts as an answer of both.
            self.publish_changed(&[opened.inviter, invited], opened.conversation);
        }
        opened.conversation
    }
}
