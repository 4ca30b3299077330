//! Accounts and sessions: sign-up, sign-in, sign-out, and looking up the session of a token.

mod free_names;
mod memory;
pub(crate) mod names;
mod opaque;
pub(crate) mod passwords;
mod refused;

use std::net::IpAddr;
use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use protocol::{ErrorCode, SessionId, Timestamp, User, UserId};
use sha2::{Digest, Sha256};

pub(crate) use names::fold;
use passwords::Verdict;
pub(crate) use passwords::{NewPassword, Passwords};
pub(crate) use refused::log_refused_password;

use crate::config::Registration;
use crate::error::{Error, Result};
use crate::store::{
    AccountOutcome, NewSession, NewUser, Opened, SessionLife, TokenHash, TokenState,
};
use crate::writer::Write;
use crate::{Chat, clock};

/// Age at which a token is replaced.
const TOKEN_LIFE: Duration = Duration::from_secs(24 * 60 * 60);
/// How long the previous token stays valid after the first use of the new one, because requests
/// with the previous token may be under way. Until that first use the previous token stays valid,
/// because the answer with the new one may be lost.
const OLD_TOKEN_LIFE: Duration = Duration::from_secs(60);
/// A new token that stays unused for this long was lost on its way and is replaced itself. A
/// shorter time would let parallel requests with the previous token replace each other's answers.
const LOST_AFTER: Duration = Duration::from_secs(60 * 60);
/// Sessions per user; a new one removes the one longest unused.
const MOST_SESSIONS: u32 = 20;
/// Shortest interval between two writes of a session's "last used" time.
const SEEN_EVERY: Duration = Duration::from_secs(60 * 60);
/// Bytes of a token: 256 bits of the system's randomness.
const TOKEN_BYTES: usize = 32;

/// An authenticated session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// The session's id.
    pub id: SessionId,
    /// The user of the session.
    pub user: User,
}

/// The client that sent a request.
#[derive(Clone, Debug)]
pub struct Client {
    /// The client's IP address, for rate limits.
    pub address: IpAddr,
    /// Browser and operating system, shown in the list of sessions: "Firefox · Linux". Empty if
    /// unknown.
    pub device: String,
}

impl From<IpAddr> for Client {
    fn from(address: IpAddr) -> Self {
        Self { address, device: String::new() }
    }
}

/// The input of a sign-up.
pub(crate) struct Wanted<'a> {
    pub(crate) username: &'a str,
    pub(crate) display_name: &'a str,
    pub(crate) password: &'a str,
    pub(crate) invitation: Option<TokenHash>,
}

/// A new session and its token.
pub struct SignedIn {
    /// The session.
    pub session: Session,
    /// The token, for the browser's cookie; the store keeps only its hash.
    pub token: String,
}

/// A session found by its token.
pub struct Authenticated {
    /// The session.
    pub session: Session,
    /// Whether the token is due for replacement with [`Chat::rotate`].
    pub token_is_old: bool,
}

impl Chat {
    /// Returns whether anybody may sign up without an invitation.
    pub fn registration_open(&self) -> bool {
        self.config().registration == Registration::Open
    }

    /// Creates an account and signs it in.
    ///
    /// # Errors
    /// `registration_closed`, `username_invalid`, `username_taken`, `display_name_invalid`, a
    /// `password_*` code, or `rate_limited`.
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

    /// Creates an account and signs it in without checking the registration mode; with an
    /// invitation, also opens the conversation with the inviter.
    pub(crate) async fn make_account(
        &self,
        wanted: Wanted<'_>,
        from: Client,
    ) -> Result<(SignedIn, Option<Opened>)> {
        let (username, username_key) = names::username(wanted.username)?;
        let (display_name, display_key) = names::display_name(wanted.display_name, &username)?;
        let password = NewPassword::check(wanted.password)?;
        self.throttle().sign_up(from.address).await?;
        // Checked before the costly hash; the store decides if two requests race.
        if let Some(invitation) = &wanted.invitation
            && self.store().invitation(invitation, clock::now()).await?.is_none()
            && !self.store().is_first_invitation(invitation).await?
        {
            return Err(ErrorCode::InvitationInvalid.into());
        }
        if self.store().credentials(&username_key).await?.is_some() {
            return Err(ErrorCode::UsernameTaken.into());
        }
        let names = [username_key.clone(), display_key.clone()];
        let password_hash = self.passwords().hash_new(password, names).await?;
        let user = User { id: UserId::new(), username, display_name };
        let from_address = from.address;
        let (session, token) = new_session(user.id, from.device)?;
        let id = session.id;
        let new = NewUser { user: user.clone(), username_key, display_key, password_hash };
        let is_invited = wanted.invitation.is_some();
        let made = self.store().create_user(new, session, wanted.invitation, clock::now()).await?;
        match made {
            AccountOutcome::Made(opened) => {
                tracing::info!(
                    user.id = %user.id,
                    client.ip = %from_address,
                    is_invited,
                    "an account was created"
                );
                Ok((SignedIn { session: Session { id, user }, token }, opened))
            }
            AccountOutcome::NameTaken => Err(ErrorCode::UsernameTaken.into()),
            AccountOutcome::InvitationInvalid => Err(ErrorCode::InvitationInvalid.into()),
        }
    }

    /// Signs in. An unknown user and a wrong password give the same answer after the same time.
    ///
    /// # Errors
    /// `wrong_credentials`, or `rate_limited` with the time to retry.
    pub async fn sign_in(
        &self,
        username: &str,
        password: &str,
        from: impl Into<Client>,
    ) -> Result<SignedIn> {
        let from = from.into();
        let address = from.address;
        let signed_in = self.verify_and_sign_in(username, password, from).await;
        match &signed_in {
            Ok(SignedIn { session, .. }) => {
                tracing::info!(user.id = %session.user.id, client.ip = %address, "signed in");
            }
            Err(error) => log_refused_password(address, error),
        }
        signed_in
    }

    async fn verify_and_sign_in(
        &self,
        username: &str,
        password: &str,
        from: Client,
    ) -> Result<SignedIn> {
        let key = fold(username.trim());
        self.throttle().sign_in(from.address, &key).await?;
        let found = self.store().credentials(&key).await?;
        let hash = found.as_ref().map(|(_, hash)| hash.clone());
        let verdict = self.passwords().verify(password, hash).await?;
        let Some((user, verified)) = found.filter(|_| verdict.is_right()) else {
            self.throttle().wrong_password(&key).await?;
            return Err(ErrorCode::WrongCredentials.into());
        };
        self.throttle().right_password(&key).await?;
        let begun = self.begin_session(user.id, password, &verified, &from.device).await?;
        let (id, token) = begun.ok_or(ErrorCode::WrongCredentials)?;
        if let Verdict::RightAsTyped(password) = verdict {
            self.rehash(user.id, password, &verified).await;
        }
        Ok(SignedIn { session: Session { id, user }, token })
    }

    /// Creates a session if `verified` is still the account's hash, or if another sign-in has
    /// renewed that hash for the same password. `None` if the password was changed or the account
    /// deleted.
    async fn begin_session(
        &self,
        user: UserId,
        password: &str,
        verified: &str,
        device: &str,
    ) -> Result<Option<(SessionId, String)>> {
        let begun = self.try_session(user, verified, device).await?;
        if begun.is_none()
            && let Some(renewed) = self.verify_anew(user, password, verified).await?
        {
            return self.try_session(user, &renewed, device).await;
        }
        Ok(begun)
    }

    async fn try_session(
        &self,
        user: UserId,
        verified: &str,
        device: &str,
    ) -> Result<Option<(SessionId, String)>> {
        let (session, token) = new_session(user, device.to_owned())?;
        let (id, now) = (session.id, clock::now());
        let removed = self.store().create_session(session, verified, MOST_SESSIONS, now).await?;
        let Some(removed) = removed else { return Ok(None) };
        self.relay().end_sessions(&removed);
        Ok(Some((id, token)))
    }

    /// Returns the account's present hash, if that differs from `verified` and the password matches
    /// it too.
    pub(crate) async fn verify_anew(
        &self,
        user: UserId,
        password: &str,
        verified: &str,
    ) -> Result<Option<String>> {
        let now = self.store().password_hash(user).await?.filter(|hash| hash != verified);
        let Some(hash) = now else { return Ok(None) };
        let verdict = self.passwords().verify(password, Some(hash.clone())).await?;
        Ok(verdict.is_right().then_some(hash))
    }

    /// Replaces a hash from before passwords were normalised, which matches the password's exact
    /// bytes only, with a hash that every spelling matches. A failure is only logged, because the
    /// next sign-in retries.
    async fn rehash(&self, user: UserId, password: NewPassword, verified: &str) {
        let again = async {
            let hash = self.passwords().hash(password).await?;
            Ok::<_, Error>(self.store().replace_password_hash(user, verified, &hash).await?)
        };
        if let Err(error) = again.await {
            tracing::warn!(%error, user.id = %user, "could not replace the hash of a password");
        }
    }

    /// Ends a session and its connections.
    ///
    /// # Errors
    /// Store errors only.
    pub async fn sign_out(&self, session: SessionId) -> Result<()> {
        self.store().delete_session(session).await?;
        self.relay().end_sessions(&[session]);
        tracing::info!(session.id = %session, "signed out");
        Ok(())
    }

    /// Returns the session of a token; `None` if the token is forged, expired or revoked.
    ///
    /// # Errors
    /// Store errors only.
    pub async fn authenticate(&self, token: &str) -> Result<Option<Authenticated>> {
        let Some(hash) = read_token(token) else { return Ok(None) };
        let life = self.session_life(clock::now());
        let Some(row) = self.store().session(&hash, life).await? else { return Ok(None) };
        if row.token == TokenState::NewUnused {
            let until = clock::after(life.now, OLD_TOKEN_LIFE);
            let ended = self.store().end_old_token(row.id, &hash, life.now, until).await;
            if let Err(error) = ended {
                // The request is accepted all the same: the next one with this token retries.
                tracing::warn!(%error, "could not end the previous token of a session");
            }
        }
        if row.seen_at < clock::before(life.now, self.seen_every()) {
            // A full queue is ignored, because the next request submits the write again.
            let _ = self.writer().submit(Write::SeenSession(row.id));
        }
        Ok(Some(Authenticated {
            session: Session { id: row.id, user: row.user },
            token_is_old: match row.token {
                TokenState::Present | TokenState::NewUnused => {
                    row.rotated_at < clock::before(life.now, TOKEN_LIFE)
                }
                TokenState::StillNeeded => row.rotated_at < clock::before(life.now, LOST_AFTER),
                TokenState::Replaced => false,
            },
        }))
    }

    /// Replaces a session's token; `None` if another request replaced it first and its answer
    /// counts. The previous token stays valid until the new one is used.
    ///
    /// # Errors
    /// Store errors only.
    pub async fn rotate(&self, session: SessionId, token: &str) -> Result<Option<String>> {
        let Some(old) = read_token(token) else { return Ok(None) };
        let (new, hash) = make_token()?;
        let now = clock::now();
        let lost_before = clock::before(now, LOST_AFTER);
        let done = self.store().rotate_session(session, &old, &hash, now, lost_before).await?;
        Ok(done.then_some(new))
    }

    /// Returns the interval between two writes of "last used": long, but several times within the
    /// idle time after which a session ends.
    pub(crate) fn seen_every(&self) -> Duration {
        SEEN_EVERY.min(self.config().session_idle / 4)
    }

    /// Returns the bounds within which a session is valid at `now`.
    pub(crate) fn session_life(&self, now: Timestamp) -> SessionLife {
        let config = self.config();
        SessionLife {
            now,
            oldest_created: clock::before(now, config.session_life),
            oldest_seen: clock::before(now, config.session_idle),
        }
    }
}

fn new_session(user: UserId, device: String) -> Result<(NewSession, String)> {
    let (token, token_hash) = make_token()?;
    Ok((NewSession { id: SessionId::new(), user, token_hash, device }, token))
}

/// Generates a token of 256 bits, with the hash that the store keeps.
pub(crate) fn make_token() -> Result<(String, TokenHash)> {
    let mut bytes = [0; TOKEN_BYTES];
    getrandom::fill(&mut bytes).map_err(|_| Error::Internal("no randomness"))?;
    Ok((BASE64_URL_SAFE_NO_PAD.encode(bytes), Sha256::digest(bytes).into()))
}

/// Returns the hash of a well-formed token.
pub(crate) fn read_token(token: &str) -> Option<TokenHash> {
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(token).ok()?;
    (bytes.len() == TOKEN_BYTES).then(|| Sha256::digest(&bytes).into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Config;

    const PASSWORD: &str = "tulip-Harbor-92";

    #[tokio::test]
    async fn a_sign_in_succeeds_while_the_hash_of_the_password_is_replaced() {
        let directory = tempfile::tempdir().expect("a directory");
        let chat = Chat::begin(Config::new(directory.path().join("duet.db"))).await;
        let chat = chat.expect("a chat");
        let here = IpAddr::from([192, 0, 2, 7]);
        let made = chat.sign_up("alice", "", PASSWORD, here).await.expect("an account");
        let (id, session) = (made.session.user.id, made.session.id);
        let hash = async |password: &str| {
            let password = NewPassword::check(password).expect("allowed");
            chat.passwords().hash(password).await.expect("hashed")
        };
        let begins = async |verified: &str| {
            let begun = chat.begin_session(id, PASSWORD, verified, "").await;
            begun.expect("an answer").is_some()
        };
        let verified = chat.store().password_hash(id).await.expect("an answer").expect("a hash");
        let renewed = hash(PASSWORD).await;
        chat.store().replace_password_hash(id, &verified, &renewed).await.expect("replaced");
        assert!(begins(&verified).await, "another hash of the same password");
        assert!(begins(&renewed).await);
        let anew = chat.verify_anew(id, PASSWORD, &verified).await.expect("an answer");
        assert_eq!(anew.as_ref(), Some(&renewed));

        let changed = hash("another-Harbor-93").await;
        let ended = chat.store().set_password(id, &renewed, &changed, session).await;
        assert!(ended.expect("an answer").is_some());
        assert!(!begins(&verified).await && !begins(&renewed).await, "it is another password");
        let anew = chat.verify_anew(id, PASSWORD, &renewed).await.expect("an answer");
        assert_eq!(anew, None);
        chat.close().await;
    }
}
