//! Sign-in and sign-up through the operator's provider of OpenID Connect.
//!
//! The provider takes the place of the password and of nothing else: two-step sign-in still needs
//! its code, and a wrong code counts as a guess, as in a sign-in with the password. An identity
//! that is linked to no account may create one, if registration is open; the user chooses the
//! username, so that nobody gets the name of another account from the provider. `server` calls
//! [`Chat::finish_round`] when the browser has returned; `app` calls the rest for the page that
//! asks for the code or the username.

use protocol::{ErrorCode, IdentityId, User};

use super::identities::ProvenIdentity;
use super::rounds::{Purpose, Round, WaitingSignIn, refused};
use super::sealed::Finished;
use super::sign_in::end_of_code;
use super::{Client, FirstMethod, Session, SignedIn, Wanted, names};
use crate::error::Result;
use crate::security_log::{SECURITY, log_refused_password};
use crate::{Chat, clock};

/// How a round has ended.
pub enum Arrived {
    /// The user is signed in, and wants to open this path.
    SignedIn(Box<SignedIn>, String),
    /// The sign-in waits for a code or a username. Contains the cookie of the sign-in.
    Waiting(String),
    /// The identity is linked.
    Linked,
    /// The user has confirmed a change; this cookie is the proof.
    Confirmed(String),
}

/// What a sign-in waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Waiting {
    /// The code of two-step sign-in.
    Code,
    /// The username of a new account. Contains the username at the provider, or nothing if that is
    /// not valid here.
    Username(String),
}

impl Chat {
    /// Begins a sign-in through the provider; `next` is the path to open afterwards. Leaves nothing on the
    /// server.
    ///
    /// # Errors
    /// `provider_unavailable`, `rate_limited`.
    pub async fn begin_identity_sign_in(
        &self,
        next: &str,
        from: impl Into<Client>,
    ) -> Result<Round> {
        let rounds = self.rounds()?;
        self.throttle().begin_ceremony(from.into().address).await?;
        rounds.begin(Purpose::SignIn(next.to_owned()), clock::now())
    }

    /// Opens the round of a browser that has returned from the provider, before the answer is checked
    /// there.
    ///
    /// # Errors
    /// `identity_refused` if the round is another browser's, has expired, or has another `state`;
    /// `provider_unavailable`, `rate_limited`.
    pub async fn returned_round(
        &self,
        cookie: &str,
        state: &str,
        from: impl Into<Client>,
    ) -> Result<Round> {
        let rounds = self.rounds()?;
        // The cheap check comes first, because every website can send its visitors here with another `state`,
        // and must neither use up the sign-ins of their address nor write lines about it.
        let returned = rounds.returned(cookie, state, clock::now())?;
        self.throttle().sign_in(from.into().address).await?;
        Ok(returned)
    }

    /// Finishes a round, once, with what the provider has proved.
    ///
    /// # Errors
    /// `identity_refused`, `identity_taken`, `too_many_identities`, `registration_closed`,
    /// `unauthenticated`.
    pub async fn finish_round(
        &self,
        round: &Round,
        proven: ProvenIdentity<'_>,
        session: Option<&Session>,
        from: impl Into<Client>,
    ) -> Result<Arrived> {
        let from = from.into();
        let address = from.address;
        let arrived = self.arrive(round, proven, session, from).await;
        if let Err(error) = &arrived {
            log_refused_password(address, error);
        }
        arrived
    }

    async fn arrive(
        &self,
        round: &Round,
        proven: ProvenIdentity<'_>,
        session: Option<&Session>,
        from: Client,
    ) -> Result<Arrived> {
        proven.check()?;
        let opened = self.rounds()?.open(&round.cookie, clock::now())?;
        // After the provider's answer was checked, so that strangers leave nothing here.
        if !self.store().use_ceremony(&opened.hash, opened.expires_at).await? {
            return Err(refused());
        }
        let state = opened.value;
        let of = |id| session.filter(|session| session.id == id).ok_or_else(refused);
        match state.purpose {
            Purpose::SignIn(next) => self.arrive_to_sign_in(proven, next, from).await,
            Purpose::Link(id) => self.link_identity(of(id)?, proven, from.address).await,
            Purpose::Confirm(id) => self.confirm_identity(of(id)?, proven, state.begun_at).await,
        }
    }

    async fn arrive_to_sign_in(
        &self,
        proven: ProvenIdentity<'_>,
        next: String,
        from: Client,
    ) -> Result<Arrived> {
        let rounds = self.rounds()?;
        let found = self.store().identity(&rounds.provider.issuer, proven.subject).await?;
        let is_linked = found.is_some();
        match found {
            None if !self.registration_open() => return Err(ErrorCode::RegistrationClosed.into()),
            None => {}
            Some((id, user)) if !self.second_factor(user.id).await?.on => {
                let (address, device) = (from.address, from.device.clone());
                let signed_in = self.use_identity(id, user, &from).await;
                if signed_in.is_ok() {
                    self.announce_sign_in(&signed_in, address, device);
                }
                return Ok(Arrived::SignedIn(Box::new(signed_in?), next));
            }
            Some(_) => {}
        }
        let (subject, name) = (proven.subject.to_owned(), proven.name());
        let waiting = WaitingSignIn { subject, name, is_linked, next };
        Ok(Arrived::Waiting(rounds.wait(&waiting, clock::now())?))
    }

    /// Returns what the sign-in of a cookie waits for.
    ///
    /// # Errors
    /// `identity_refused`, `provider_unavailable`.
    pub fn waiting_sign_in(&self, cookie: &str) -> Result<Waiting> {
        let waiting = self.rounds()?.waiting(cookie, clock::now())?.value;
        if waiting.is_linked {
            return Ok(Waiting::Code);
        }
        // Many providers use e-mail addresses as usernames.
        let wanted = waiting.name.split('@').next().unwrap_or_default();
        let suggested = names::username(wanted).map(|(name, _)| name).unwrap_or_default();
        Ok(Waiting::Username(suggested))
    }

    /// Finishes a sign-in that waits for a code. Returns the path to open.
    ///
    /// # Errors
    /// `code_needed`, `wrong_code`, `identity_refused`, `provider_unavailable`, `rate_limited`.
    pub async fn finish_identity_sign_in(
        &self,
        cookie: &str,
        code: &str,
        from: impl Into<Client>,
    ) -> Result<(SignedIn, String)> {
        let from = from.into();
        let (address, device) = (from.address, from.device.clone());
        let waiting = self.rounds()?.waiting(cookie, clock::now());
        let signed_in = match waiting {
            Ok(waiting) => {
                let next = waiting.value.next.clone();
                self.verify_code_and_sign_in(waiting, code, from).await.map(|done| (done, next))
            }
            Err(error) => Err(error),
        };
        let (signed_in, next) = match signed_in {
            Ok((signed_in, next)) => (Ok(signed_in), next),
            Err(error) => (Err(error), String::new()),
        };
        self.announce_sign_in(&signed_in, address, device);
        signed_in.map(|signed_in| (signed_in, next))
    }

    async fn verify_code_and_sign_in(
        &self,
        waiting: Finished<WaitingSignIn>,
        code: &str,
        from: Client,
    ) -> Result<SignedIn> {
        let Finished { value: waiting, hash, expires_at } = waiting;
        let issuer = &self.rounds()?.provider.issuer;
        let found = self.store().identity(issuer, &waiting.subject).await?;
        let (id, user) = found.filter(|_| waiting.is_linked).ok_or_else(refused)?;
        let (guess, _) = self.begin_guess(&names::fold(&user.username), &from).await?;
        let checked = self.check_second_factor(user.id, code).await;
        self.throttle().end_guess(guess, end_of_code(&checked)).await;
        checked?;
        if !self.store().use_ceremony(&hash, expires_at).await? {
            return Err(refused());
        }
        self.use_identity(id, user, &from).await
    }

    /// Creates an account for the identity of a waiting sign-in, and signs it in. Returns the path to open.
    ///
    /// # Errors
    /// As [`Chat::sign_up`], without those about passwords; `identity_refused`, `identity_taken`,
    /// `provider_unavailable`.
    pub async fn sign_up_with_identity(
        &self,
        cookie: &str,
        username: &str,
        from: impl Into<Client>,
    ) -> Result<(SignedIn, String)> {
        let Finished { value: waiting, hash, expires_at } =
            self.rounds()?.waiting(cookie, clock::now())?;
        if !self.registration_open() {
            return Err(ErrorCode::RegistrationClosed.into());
        }
        let from = from.into();
        // Before the sign-in is used up, so that the user can try another username.
        let (name, key) = names::username(username)?;
        self.throttle().look_for_names(from.address).await?;
        if !self.is_username_free(&name, &key).await? {
            return Err(ErrorCode::UsernameTaken.into());
        }
        if waiting.is_linked || !self.store().use_ceremony(&hash, expires_at).await? {
            return Err(refused());
        }
        let first = FirstMethod::Identity(self.new_identity(&waiting.subject, waiting.name)?);
        let wanted = Wanted { username, display_name: "", first, invitation: None };
        let (signed_in, _) = self.make_account(wanted, from).await?;
        Ok((signed_in, waiting.next))
    }

    /// Signs the user of an identity in.
    async fn use_identity(&self, id: IdentityId, user: User, from: &Client) -> Result<SignedIn> {
        let user_id = user.id;
        // False if the identity was unlinked meanwhile.
        if !self.store().use_identity(id, clock::now()).await? {
            return Err(refused());
        }
        let signed_in = self.sign_in_as(user, from).await?.ok_or_else(refused)?;
        tracing::info!(
            target: SECURITY,
            { user.id = %user_id, identity.id = %id },
            "an identity was used"
        );
        Ok(signed_in)
    }
}
