//! Accounts and sessions: sign up, sign in, sign out, and who a token belongs to.

pub(crate) mod names;
pub(crate) mod passwords;

use std::net::IpAddr;
use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use protocol::{ErrorCode, SessionId, Timestamp, User, UserId};
use sha2::{Digest, Sha256};

pub(crate) use names::fold;
pub(crate) use passwords::Passwords;

use crate::config::Registration;
use crate::error::{Error, Result};
use crate::store::{AccountOutcome, NewSession, NewUser, Opened, SessionLife, TokenHash};
use crate::writer::Write;
use crate::{Chat, clock};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);
/// A session unused for this long is over.
const IDLE_LIFE: Duration = DAY.saturating_mul(7);
/// A session is over after this, used or not.
const WHOLE_LIFE: Duration = DAY.saturating_mul(30);
/// A token is replaced after this.
const TOKEN_LIFE: Duration = DAY;
/// The token before is honoured this long, for requests that were already on their way.
const OLD_TOKEN_LIFE: Duration = Duration::from_secs(60);
/// Sessions of one person; the one longest unused makes room.
const MOST_SESSIONS: u32 = 20;
/// "Last used" is written at most this often.
const SEEN_EVERY: Duration = Duration::from_secs(60 * 60);
/// Bytes of a token: 256 bits of the system's randomness.
const TOKEN_BYTES: usize = 32;

/// Who is asking.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// Which sign-in.
    pub id: SessionId,
    /// Whose.
    pub user: User,
}

/// Where a request comes from.
#[derive(Clone, Debug)]
pub struct Client {
    /// For the limits.
    pub address: IpAddr,
    /// What it is, for the person to tell their sessions apart: "Firefox · Linux". Empty where
    /// that is not known.
    pub device: String,
}

impl From<IpAddr> for Client {
    fn from(address: IpAddr) -> Self {
        Self { address, device: String::new() }
    }
}

/// What somebody signs up with.
pub(crate) struct Wanted<'a> {
    pub(crate) username: &'a str,
    pub(crate) display_name: &'a str,
    pub(crate) password: &'a str,
    pub(crate) invitation: Option<TokenHash>,
}

/// A new session and the secret that stands for it.
pub struct SignedIn {
    /// Which.
    pub session: Session,
    /// For the browser's cookie; only its hash is stored.
    pub token: String,
}

/// A session found by its token.
pub struct Authenticated {
    /// Which.
    pub session: Session,
    /// Whether the token is old enough to be replaced with [`Chat::rotate`].
    pub token_is_old: bool,
}

impl Chat {
    /// Whether strangers may sign up without an invitation.
    pub fn registration_open(&self) -> bool {
        self.config().registration == Registration::Open
    }

    /// Makes an account and signs it in.
    ///
    /// # Errors
    /// By name: what is wrong with the username, display name or password, taken, closed, too often.
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
        let wanted = Wanted { username, display_name, password, invitation: None };
        let (signed_in, _) = self.make_account(wanted, from.into()).await?;
        Ok(signed_in)
    }

    /// Makes an account and signs it in, whoever may; with an invitation, its conversation is open.
    pub(crate) async fn make_account(
        &self,
        wanted: Wanted<'_>,
        from: Client,
    ) -> Result<(SignedIn, Option<Opened>)> {
        let (username, username_key) = names::username(wanted.username)?;
        let (display_name, display_key) = names::display_name(wanted.display_name, &username)?;
        passwords::check_length(wanted.password)?;
        self.throttle().sign_up(from.address).await?;
        // Told before the costly hash; the store decides when two are equally quick.
        if let Some(invitation) = &wanted.invitation
            && self.store().invitation(invitation, clock::now()).await?.is_none()
        {
            return Err(ErrorCode::InvitationInvalid.into());
        }
        if self.store().credentials(&username_key).await?.is_some() {
            return Err(ErrorCode::UsernameTaken.into());
        }
        let names = [username_key.clone(), display_key.clone()];
        let password_hash = self.passwords().hash_new(wanted.password, names).await?;
        let user = User { id: UserId::new(), username, display_name };
        let (session, token) = new_session(user.id, from.device)?;
        let id = session.id;
        let new = NewUser { user: user.clone(), username_key, display_key, password_hash };
        let made = self.store().create_user(new, session, wanted.invitation, clock::now()).await?;
        match made {
            AccountOutcome::Made(opened) => {
                Ok((SignedIn { session: Session { id, user }, token }, opened))
            }
            AccountOutcome::NameTaken => Err(ErrorCode::UsernameTaken.into()),
            AccountOutcome::InvitationInvalid => Err(ErrorCode::InvitationInvalid.into()),
        }
    }

    /// Signs in. An unknown user and a wrong password look alike and take alike.
    ///
    /// # Errors
    /// `wrong_credentials`, or `rate_limited` with when to try again.
    pub async fn sign_in(
        &self,
        username: &str,
        password: &str,
        from: impl Into<Client>,
    ) -> Result<SignedIn> {
        let from = from.into();
        let key = fold(username.trim());
        self.throttle().sign_in(from.address, &key).await?;
        let found = self.store().credentials(&key).await?;
        let hash = found.as_ref().map(|(_, hash)| hash.clone());
        let right = self.passwords().verify(password, hash).await?;
        let Some((user, verified)) = found.filter(|_| right) else {
            self.throttle().wrong_password(&key).await?;
            return Err(ErrorCode::WrongCredentials.into());
        };
        self.throttle().right_password(&key).await?;
        let (session, token) = new_session(user.id, from.device)?;
        let id = session.id;
        let now = clock::now();
        let removed = self.store().create_session(session, &verified, MOST_SESSIONS, now).await?;
        let removed = removed.ok_or(ErrorCode::WrongCredentials)?;
        self.relay().end_sessions(&removed);
        Ok(SignedIn { session: Session { id, user }, token })
    }

    /// Ends a session and its connections.
    ///
    /// # Errors
    /// Only the store's.
    pub async fn sign_out(&self, session: SessionId) -> Result<()> {
        self.store().delete_session(session).await?;
        self.relay().end_sessions(&[session]);
        Ok(())
    }

    /// Whose token this is; `None` for one that is forged, over or revoked.
    ///
    /// # Errors
    /// Only the store's.
    pub async fn authenticate(&self, token: &str) -> Result<Option<Authenticated>> {
        let Some(hash) = read_token(token) else { return Ok(None) };
        let life = session_life(clock::now());
        let Some(row) = self.store().session(&hash, life).await? else { return Ok(None) };
        if row.seen_at < clock::before(life.now, SEEN_EVERY) {
            // A full queue is no reason to refuse: the next request writes it.
            let _ = self.writer().submit(Write::SeenSession(row.id));
        }
        Ok(Some(Authenticated {
            session: Session { id: row.id, user: row.user },
            token_is_old: row.current && row.rotated_at < clock::before(life.now, TOKEN_LIFE),
        }))
    }

    /// Replaces a session's token; `None` if another request was quicker and its answer counts.
    ///
    /// # Errors
    /// Only the store's.
    pub async fn rotate(&self, session: SessionId, token: &str) -> Result<Option<String>> {
        let Some(old) = read_token(token) else { return Ok(None) };
        let (new, hash) = make_token()?;
        let now = clock::now();
        let until = clock::after(now, OLD_TOKEN_LIFE);
        let done = self.store().rotate_session(session, &old, &hash, now, until).await?;
        Ok(done.then_some(new))
    }
}

/// Which sessions are good at a moment.
pub(crate) fn session_life(now: Timestamp) -> SessionLife {
    SessionLife {
        now,
        oldest_created: clock::before(now, WHOLE_LIFE),
        oldest_seen: clock::before(now, IDLE_LIFE),
    }
}

fn new_session(user: UserId, device: String) -> Result<(NewSession, String)> {
    let (token, token_hash) = make_token()?;
    Ok((NewSession { id: SessionId::new(), user, token_hash, device }, token))
}

/// A secret of 256 bits, and what of it is stored.
pub(crate) fn make_token() -> Result<(String, TokenHash)> {
    let mut bytes = [0; TOKEN_BYTES];
    getrandom::fill(&mut bytes).map_err(|_| Error::Internal("no randomness"))?;
    Ok((BASE64_URL_SAFE_NO_PAD.encode(bytes), Sha256::digest(bytes).into()))
}

/// What a token would be stored as, if it can be one.
pub(crate) fn read_token(token: &str) -> Option<TokenHash> {
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(token).ok()?;
    (bytes.len() == TOKEN_BYTES).then(|| Sha256::digest(&bytes).into())
}
