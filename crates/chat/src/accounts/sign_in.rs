//! Sign-in with a username and a password.
//!
//! The password is compared only after the guess was counted, and the order of the steps must not
//! disclose which usernames exist. `app` calls [`Chat::sign_in`]; the changes of a user's own
//! account use [`Chat::verify_anew`] where a hash is renewed meanwhile.

use std::net::IpAddr;

use protocol::{ErrorCode, ServerFrame, SessionId, User, UserId};

use super::devices::DeviceId;
use super::hashing::{NewPassword, Verdict};
use super::queue::Requester;
use super::{Client, MOST_SESSIONS, Session, SignedIn, names, new_session};
use crate::error::{Error, Result};
use crate::security_log::{SECURITY, log_refused_password};
use crate::store::GuessEnd;
use crate::throttle::{Guess, Guesser};
use crate::{Chat, clock};

/// How often a sign-in is tried whose session could not be created because the password was changed
/// at the same time.
const TRIES: usize = 2;

/// A user whose password was entered.
struct Verified {
    user: User,
    /// The hash that the password matches.
    hash: String,
    verdict: Verdict,
}

/// A new session.
struct Begun {
    id: SessionId,
    token: String,
    /// The account's password hash.
    hash: String,
}

impl Chat {
    /// Signs in to an account without a second factor, as [`Chat::sign_in_with_code`].
    ///
    /// # Errors
    /// `wrong_credentials`, `code_needed`; `rate_limited` or `busy` with the time to retry.
    pub async fn sign_in(
        &self,
        username: &str,
        password: &str,
        from: impl Into<Client>,
    ) -> Result<SignedIn> {
        self.sign_in_with_code(username, password, "", from).await
    }

    /// Signs in. An unknown user and a wrong password give the same answer after the same time. An
    /// account with two-step sign-in also needs a code, or a recovery code; empty stands for none.
    ///
    /// # Errors
    /// `wrong_credentials`; with a right password `code_needed` or `wrong_code`; `rate_limited` or
    /// `busy` with the time to retry.
    pub async fn sign_in_with_code(
        &self,
        username: &str,
        password: &str,
        code: &str,
        from: impl Into<Client>,
    ) -> Result<SignedIn> {
        let from = from.into();
        let (address, device) = (from.address, from.device.clone());
        let signed_in = self.verify_and_sign_in(username, password, code, from).await;
        self.announce_sign_in(&signed_in, address, device);
        signed_in
    }

    /// Tells the user's other pages of a sign-in, and logs the sign-in or its refusal.
    pub(super) fn announce_sign_in(
        &self,
        signed_in: &Result<SignedIn>,
        address: IpAddr,
        device: String,
    ) {
        match signed_in {
            Ok(SignedIn { session, .. }) => {
                self.tell_of_sign_in(session, device);
                tracing::info!(
                    target: SECURITY,
                    { user.id = %session.user.id, client.ip = %address },
                    "signed in"
                );
            }
            Err(error) => log_refused_password(address, error),
        }
    }

    /// Tells the user's other pages of a new session, which has no connection yet.
    pub(super) fn tell_of_sign_in(&self, session: &Session, device: String) {
        self.relay().publish(&[session.user.id], &ServerFrame::SignedIn { device }, None);
    }

    async fn verify_and_sign_in(
        &self,
        username: &str,
        password: &str,
        code: &str,
        from: Client,
    ) -> Result<SignedIn> {
        let Some(key) = names::username_key(username) else {
            self.throttle().sign_in(from.address).await?;
            return Err(ErrorCode::WrongCredentials.into());
        };
        let (guess, device) = self.begin_guess(&key, &from).await?;
        let requester = match device {
            Some(_) => Requester::Known,
            None => Requester::At(from.address),
        };
        let compared = self.verify_credentials(&key, password, requester).await;
        let (verified, end) = self.verify_code(compared, code).await;
        self.throttle().end_guess(guess, end).await;
        let Verified { user, hash, verdict } = verified?;
        let begun = self.begin_session(user.id, password, hash, &from.device, requester).await?;
        let Begun { id, token, hash } = begun.ok_or(ErrorCode::WrongCredentials)?;
        let hash = match verdict {
            Verdict::RightByOldHash(password) => {
                self.rehash(user.id, password, hash, requester).await
            }
            _ => hash,
        };
        let device_token = self.devices().token(user.id, &hash, device)?;
        Ok(SignedIn { session: Session { id, user }, token, device_token })
    }

    /// Signs in a user who has proved themselves otherwise than by password. `None` if the account was
    /// deleted meanwhile.
    pub(super) async fn sign_in_as(&self, user: User, from: &Client) -> Result<Option<SignedIn>> {
        for _ in 0..TRIES {
            let Some(hash) = self.store().password_hash(user.id).await? else { return Ok(None) };
            let Some((id, token)) = self.try_session(user.id, &hash, &from.device).await? else {
                continue;
            };
            let sent = from.device_token.as_ref();
            let known = sent.and_then(|token| self.devices().known(token, user.id, &hash));
            let device_token = self.devices().token(user.id, &hash, known)?;
            return Ok(Some(SignedIn { session: Session { id, user }, token, device_token }));
        }
        Ok(None)
    }

    /// Counts a guess at the account with this folded username, and returns the client's device if the
    /// account knows it.
    pub(super) async fn begin_guess(
        &self,
        key: &str,
        from: &Client,
    ) -> Result<(Guess, Option<DeviceId>)> {
        let device = self.known_device(key, from).await?;
        let guesser = match device {
            Some((user, device)) => Guesser::Device(user, device),
            None => Guesser::Stranger { from: from.address, username_key: key },
        };
        let guess = self.throttle().guess(guesser).await?;
        Ok((guess, device.map(|(_, device)| device)))
    }

    /// Returns the account and the device of the client's token, if the token belongs to the
    /// account with this folded username.
    async fn known_device(&self, key: &str, from: &Client) -> Result<Option<(UserId, DeviceId)>> {
        let Some(token) = &from.device_token else { return Ok(None) };
        let Some((user, hash)) = self.store().credentials(key).await? else { return Ok(None) };
        let device = self.devices().known(token, user.id, &hash);
        Ok(device.map(|device| (user.id, device)))
    }

    /// Compares a password with that of the account; `None` if the password is wrong or there is no
    /// account.
    async fn verify_credentials(
        &self,
        key: &str,
        password: &str,
        requester: Requester,
    ) -> Result<Option<Verified>> {
        let found = self.store().credentials(key).await?;
        // An account without a password takes the same time, and no password is right.
        let hash = found.as_ref().map(|(_, hash)| hash.clone()).filter(|hash| !hash.is_empty());
        let verdict = self.passwords().verify(password, hash, requester).await?;
        let found = found.filter(|_| verdict.is_right());
        Ok(found.map(|(user, hash)| Verified { user, hash, verdict }))
    }

    /// Checks the code of a user whose password is right, and returns how the guess ended. A missing
    /// code gives the guess back and leaves the count, because wrong codes are in that count.
    async fn verify_code(
        &self,
        compared: Result<Option<Verified>>,
        code: &str,
    ) -> (Result<Verified>, GuessEnd) {
        let end = end_of(&compared);
        let verified = match compared {
            Ok(Some(verified)) => verified,
            Ok(None) => return (Err(ErrorCode::WrongCredentials.into()), end),
            Err(error) => return (Err(error), end),
        };
        let checked = self.check_second_factor(verified.user.id, code).await;
        let end = end_of_code(&checked);
        (checked.map(|()| verified), end)
    }

    /// Creates a session if `verified` is still the account's hash, or if another sign-in has
    /// renewed that hash for the same password. `None` if the password was changed or the account
    /// deleted.
    async fn begin_session(
        &self,
        user: UserId,
        password: &str,
        verified: String,
        device: &str,
        requester: Requester,
    ) -> Result<Option<Begun>> {
        if let Some((id, token)) = self.try_session(user, &verified, device).await? {
            return Ok(Some(Begun { id, token, hash: verified }));
        }
        let renewed = self.verify_anew(user, password, &verified, requester).await?;
        let Some(hash) = renewed else { return Ok(None) };
        let begun = self.try_session(user, &hash, device).await?;
        Ok(begun.map(|(id, token)| Begun { id, token, hash }))
    }

    pub(super) async fn try_session(
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
        requester: Requester,
    ) -> Result<Option<String>> {
        let now = self.store().password_hash(user).await?.filter(|hash| hash != verified);
        let Some(hash) = now else { return Ok(None) };
        let verdict = self.passwords().verify(password, Some(hash.clone()), requester).await?;
        Ok(verdict.is_right().then_some(hash))
    }

    /// Replaces a hash of an older form by one of the present form. Returns the new hash, or
    /// `verified` after a failure. A failure is only logged, because the next sign-in retries.
    async fn rehash(
        &self,
        user: UserId,
        password: NewPassword,
        verified: String,
        requester: Requester,
    ) -> String {
        let again = async {
            let hash = self.passwords().hash(password, requester).await?;
            self.store().replace_password_hash(user, &verified, &hash).await?;
            Ok::<_, Error>(hash)
        };
        again.await.unwrap_or_else(|error| {
            tracing::warn!(%error, user.id = %user, "could not replace the hash of a password");
            verified
        })
    }
}

/// Returns how a guess ended whose comparison has this result.
pub(super) fn end_of<T>(compared: &Result<Option<T>>) -> GuessEnd {
    match compared {
        Ok(Some(_)) => GuessEnd::Right,
        Ok(None) => GuessEnd::Wrong,
        Err(_) => GuessEnd::NotCompared,
    }
}

/// Returns how a guess ended whose code was checked with this result.
pub(super) fn end_of_code(checked: &Result<()>) -> GuessEnd {
    match checked {
        Ok(()) => GuessEnd::Right,
        Err(error) if error.refusal().code == ErrorCode::WrongCode => GuessEnd::Wrong,
        Err(_) => GuessEnd::NotCompared,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Config;
    use crate::store::{Caller, ChangedPassword};

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
            chat.passwords().hash(password, Requester::At(here)).await.expect("hashed")
        };
        let begins = async |verified: &str| {
            let verified = verified.to_owned();
            let begun = chat.begin_session(id, PASSWORD, verified, "", Requester::At(here)).await;
            begun.expect("an answer").is_some()
        };
        let verified = chat.store().password_hash(id).await.expect("an answer").expect("a hash");
        let renewed = hash(PASSWORD).await;
        chat.store().replace_password_hash(id, &verified, &renewed).await.expect("replaced");
        assert!(begins(&verified).await, "another hash of the same password");
        assert!(begins(&renewed).await);
        let anew =
            chat.verify_anew(id, PASSWORD, &verified, Requester::Known).await.expect("an answer");
        assert_eq!(anew.as_ref(), Some(&renewed));

        let changed = hash("another-Harbor-93").await;
        let caller = Caller { user: id, session };
        let new = ChangedPassword {
            verified: &renewed,
            hash: &changed,
            token_hash: &[7; 32],
            withdraws_invitations: false,
        };
        let ended = chat.store().set_password(caller, new, clock::now()).await;
        assert!(ended.expect("an answer").is_some());
        assert!(!begins(&verified).await && !begins(&renewed).await, "it is another password");
        let anew =
            chat.verify_anew(id, PASSWORD, &renewed, Requester::Known).await.expect("an answer");
        assert_eq!(anew, None);
        chat.close().await;
    }
}
