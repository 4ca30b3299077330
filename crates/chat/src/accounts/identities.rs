//! The identities of a user's own account: linking and unlinking them, and the proof of an account that
//! has no other way to sign in.
//!
//! An identity is an account at the operator's provider of OpenID Connect, named by issuer and subject.
//! Duet never links by e-mail address or username, because a provider may let its users choose those.
//! Linking and unlinking need a proof ([`super::proof`]), as for passkeys. `server` runs the rounds
//! ([`super::rounds`]) and calls these methods with what the provider has proved; `app` calls them for the
//! settings.

use std::net::IpAddr;
use std::time::Duration;

use protocol::{ErrorCode, IdentityId, MOST_IDENTITIES, ProviderState, Timestamp};

use super::rounds::{Purpose, Round, Rounds, refused};
use super::{Arrived, Client, Proof, names};
use crate::error::Result;
use crate::security_log::SECURITY;
use crate::store::{IdentityAdded, IdentityRemoved, NewIdentity};
use crate::{Chat, Session, clock};

/// Longest subject that OpenID Connect allows, in bytes.
const MAX_SUBJECT: usize = 255;
/// How far the clocks of the provider and of this server may differ.
const CLOCK_DIFFERENCE: Duration = Duration::from_secs(60);

/// What the provider has proved about the user of a browser.
#[derive(Clone, Copy, Debug)]
pub struct ProvenIdentity<'a> {
    /// The provider's id of the account there.
    pub subject: &'a str,
    /// The username there; empty if unknown.
    pub username: &'a str,
    /// When the user last signed in there, if the provider said so.
    pub authenticated_at: Option<Timestamp>,
}

impl ProvenIdentity<'_> {
    /// Refuses a subject that OpenID Connect does not allow.
    pub(super) fn check(&self) -> Result<()> {
        let is_text = !self.subject.contains(char::is_control);
        let is_allowed = is_text && (1..=MAX_SUBJECT).contains(&self.subject.len());
        if is_allowed { Ok(()) } else { Err(refused()) }
    }

    /// The username at the provider as pages show it; empty if it cannot be shown.
    pub(super) fn name(&self) -> String {
        names::display_name(self.username, "").map(|(name, _)| name).unwrap_or_default()
    }
}

impl Chat {
    /// Returns the name of the sign-in provider, if the operator has set one.
    pub fn provider_name(&self) -> Option<&str> {
        self.rounds().ok().map(|rounds| rounds.provider.name.as_str())
    }

    /// Returns the provider and the user's identities there, if the operator has set a provider.
    /// `cookie` may have a proof.
    ///
    /// # Errors
    /// `unauthenticated` if the account was deleted meanwhile.
    pub async fn identities(
        &self,
        me: &Session,
        cookie: Option<&str>,
    ) -> Result<Option<ProviderState>> {
        let Ok(rounds) = self.rounds() else { return Ok(None) };
        let identities = self.store().identities(me.user.id, &rounds.provider.issuer).await?;
        let confirms = !identities.is_empty() && self.has_no_own_proof(me).await?;
        let proved = cookie.and_then(|cookie| rounds.proved(me.id, cookie, clock::now()).ok());
        let confirmed = match proved {
            Some(proved) => !self.store().is_ceremony_used(&proved.hash).await?,
            None => false,
        };
        let name = rounds.provider.name.clone();
        Ok(Some(ProviderState { name, identities, confirms, confirmed }))
    }

    /// Permits the session to link an identity, after a proof of the user. Returns the cookie for
    /// [`Chat::begin_identity_link`].
    ///
    /// # Errors
    /// `wrong_password`, `passkey_refused`, `identity_refused`, `provider_unavailable`,
    /// `too_many_identities`, `rate_limited`.
    pub async fn permit_identity_link<'a>(
        &self,
        me: &Session,
        proof: impl Into<Proof<'a>>,
        from: impl Into<Client>,
    ) -> Result<String> {
        let rounds = self.rounds()?;
        self.verify_own(me, proof.into(), from.into()).await?;
        let own = self.store().identities(me.user.id, &rounds.provider.issuer).await?;
        if own.len() >= usize::try_from(MOST_IDENTITIES).unwrap_or(usize::MAX) {
            return Err(ErrorCode::TooManyIdentities.into());
        }
        rounds.permit(me.id, clock::now())
    }

    /// Begins the round that links an identity. A permission begins one round.
    ///
    /// # Errors
    /// `identity_refused`, `provider_unavailable`, `rate_limited`.
    pub async fn begin_identity_link(&self, me: &Session, permission: &str) -> Result<Round> {
        let (rounds, now) = (self.rounds()?, clock::now());
        self.throttle().change(me.user.id).await?;
        let permitted = rounds.permitted(me.id, permission, now)?;
        // Used up here and not at the end of the round, so that one proof permits one round.
        if !self.store().use_ceremony(&permitted.hash, permitted.expires_at).await? {
            return Err(refused());
        }
        rounds.begin(Purpose::Link(me.id), now)
    }

    /// Begins the round that confirms a change of an account without a password and without a passkey.
    ///
    /// # Errors
    /// `identity_refused` for another account; `provider_unavailable`, `rate_limited`.
    pub async fn begin_identity_proof(&self, me: &Session) -> Result<Round> {
        let rounds = self.rounds()?;
        self.throttle().change(me.user.id).await?;
        if !self.has_no_own_proof(me).await? {
            return Err(refused());
        }
        rounds.begin(Purpose::Confirm(me.id), clock::now())
    }

    /// Unlinks one of the user's identities, after a proof of the user.
    ///
    /// # Errors
    /// `not_found`; `last_sign_in_method` if the account has no other way to sign in;
    /// `wrong_password`, `passkey_refused`, `identity_refused`, `provider_unavailable`, `rate_limited`;
    /// `unauthenticated` if the session has ended meanwhile.
    pub async fn unlink_identity<'a>(
        &self,
        me: &Session,
        id: IdentityId,
        proof: impl Into<Proof<'a>>,
        from: impl Into<Client>,
    ) -> Result<()> {
        let issuer = &self.rounds()?.provider.issuer;
        let from = from.into();
        let address = from.address;
        self.verify_own(me, proof.into(), from).await?;
        match self.store().remove_identity(me.caller(), id, issuer).await? {
            IdentityRemoved::Removed => {}
            IdentityRemoved::NotFound => return Err(ErrorCode::NotFound.into()),
            IdentityRemoved::Last => return Err(ErrorCode::LastSignInMethod.into()),
        }
        tracing::info!(
            target: SECURITY,
            { user.id = %me.user.id, client.ip = %address, identity.id = %id },
            "an identity was unlinked"
        );
        Ok(())
    }

    /// Links an identity at the end of its round.
    pub(super) async fn link_identity(
        &self,
        me: &Session,
        proven: ProvenIdentity<'_>,
        address: IpAddr,
    ) -> Result<Arrived> {
        let new = self.new_identity(proven.subject, proven.name())?;
        let id = new.id;
        let now = clock::now();
        match self.store().add_identity(me.caller(), new, MOST_IDENTITIES, now).await? {
            IdentityAdded::Added => {}
            IdentityAdded::Taken => return Err(ErrorCode::IdentityTaken.into()),
            IdentityAdded::TooMany => return Err(ErrorCode::TooManyIdentities.into()),
        }
        tracing::info!(
            target: SECURITY,
            { user.id = %me.user.id, client.ip = %address, identity.id = %id },
            "an identity was linked"
        );
        Ok(Arrived::Linked)
    }

    /// Makes a proof at the end of its round: the user must have signed in at the provider after the
    /// round began, because an open session there proves nothing about who is at the browser.
    pub(super) async fn confirm_identity(
        &self,
        me: &Session,
        proven: ProvenIdentity<'_>,
        begun_at: Timestamp,
    ) -> Result<Arrived> {
        let rounds = self.rounds()?;
        let earliest = clock::before(begun_at, CLOCK_DIFFERENCE);
        if proven.authenticated_at.is_none_or(|at| at < earliest) {
            tracing::warn!(
                "the ID token of the sign-in provider has no auth_time after the beginning of the round"
            );
            return Err(refused());
        }
        let found = self.store().identity(&rounds.provider.issuer, proven.subject).await?;
        if found.is_none_or(|(_, user)| user.id != me.user.id) {
            return Err(refused());
        }
        Ok(Arrived::Confirmed(rounds.prove(me.id, clock::now())?))
    }

    /// Accepts a proof, once. An account with a password or a passkey is proved by those alone, so that
    /// the provider cannot change it.
    pub(super) async fn verify_identity_of(&self, me: &Session, proof: &str) -> Result<String> {
        let rounds = self.rounds()?;
        self.throttle().change(me.user.id).await?;
        let proved = rounds.proved(me.id, proof, clock::now())?;
        if !self.has_no_own_proof(me).await? {
            return Err(refused());
        }
        if !self.store().use_ceremony(&proved.hash, proved.expires_at).await? {
            return Err(refused());
        }
        Ok(String::new())
    }

    /// Whether the user's account has neither a password nor a passkey.
    async fn has_no_own_proof(&self, me: &Session) -> Result<bool> {
        let hash = self.store().password_hash(me.user.id).await?;
        let hash = hash.ok_or(ErrorCode::Unauthenticated)?;
        Ok(hash.is_empty() && self.store().passkeys(me.user.id).await?.is_empty())
    }

    pub(super) fn new_identity(&self, subject: &str, name: String) -> Result<NewIdentity> {
        let issuer = self.rounds()?.provider.issuer.clone();
        Ok(NewIdentity { id: IdentityId::new(), issuer, subject: subject.to_owned(), name })
    }

    /// The issuer of the operator's provider.
    pub(super) fn issuer(&self) -> Option<&str> {
        self.rounds().ok().map(|rounds| rounds.provider.issuer.as_str())
    }

    /// The rounds of the operator's provider.
    pub(super) fn rounds(&self) -> Result<&Rounds> {
        self.0.rounds.as_ref().ok_or_else(|| ErrorCode::ProviderUnavailable.into())
    }
}
