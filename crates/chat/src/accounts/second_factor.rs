//! Two-step sign-in: the second factor of an account.
//!
//! A user sets a second factor up in two calls: the first makes a key, which the user gives to an
//! authenticator app; the second proves by a code that the app has the key, and returns recovery
//! codes for the case that the app is lost. From then on, sign-in needs a code as well as the
//! password. The store accepts each code once. Sign-in calls [`Chat::check_second_factor`] after
//! the password was verified; a sign-in with a passkey needs no code. `app` calls the other methods for the settings.
//!
//! A wrong code at sign-in counts as a wrong password, and a right password alone must not clear
//! that count: otherwise a person with the password could guess codes without limit.

use data_encoding::BASE32_NOPAD;
use protocol::{ErrorCode, SecondFactorState, Timestamp, UserId};

use super::codes::{self, TypedCode};
use super::{Client, Proof, totp};
use crate::error::{Error, Result};
use crate::security_log::SECURITY;
use crate::store::{Caller, SecondFactor};
use crate::{Chat, Session, clock};

impl Chat {
    /// Returns whether sign-in needs a code, and the number of unused recovery codes.
    ///
    /// # Errors
    /// Store errors only.
    pub async fn second_factor(&self, me: UserId) -> Result<SecondFactorState> {
        let found = self.store().second_factor(me).await?.filter(|found| found.is_confirmed);
        Ok(SecondFactorState {
            on: found.is_some(),
            recovery_codes: found.map_or(0, |found| found.recovery_codes),
        })
    }

    /// Makes the key of a new second factor and returns it in base32, for an authenticator app.
    /// Sign-in needs no code before [`Chat::confirm_second_factor`]. Replaces an unconfirmed key.
    ///
    /// # Errors
    /// `second_factor_changed` if the user has a confirmed second factor; `rate_limited`;
    /// `unauthenticated` if the session has ended.
    pub async fn begin_second_factor(&self, me: Caller) -> Result<String> {
        self.throttle().change(me.user).await?;
        let mut secret = [0; totp::SECRET_BYTES];
        getrandom::fill(&mut secret).map_err(|_| Error::Internal("no randomness"))?;
        if !self.store().begin_second_factor(me, &secret, clock::now()).await? {
            return Err(ErrorCode::SecondFactorChanged.into());
        }
        Ok(BASE32_NOPAD.encode(&secret))
    }

    /// Returns the key of the unconfirmed second factor in base32.
    ///
    /// # Errors
    /// `second_factor_changed` if there is none.
    pub async fn unconfirmed_second_factor(&self, me: UserId) -> Result<String> {
        Ok(BASE32_NOPAD.encode(&self.unconfirmed(me).await?))
    }

    /// Turns two-step sign-in on, if the code belongs to the unconfirmed key. Returns the recovery
    /// codes, which cannot be read again. The code itself cannot be used for a sign-in.
    ///
    /// # Errors
    /// `wrong_code`; `second_factor_changed` if there is no unconfirmed second factor;
    /// `rate_limited`; `unauthenticated` if the session has ended.
    pub async fn confirm_second_factor(&self, me: Caller, code: &str) -> Result<Vec<String>> {
        self.throttle().change(me.user).await?;
        let secret = self.unconfirmed(me.user).await?;
        let now = clock::now();
        let steps = match codes::read(code) {
            Some(TypedCode::OneTime(code)) => totp::matching_steps(&secret, code, now)?,
            _ => Vec::new(),
        };
        let step = steps.last().ok_or(ErrorCode::WrongCode)?;
        let (printed, hashes) = codes::make(me.user)?;
        if !self.store().confirm_second_factor(me, &secret, *step, &hashes, now).await? {
            return Err(ErrorCode::SecondFactorChanged.into());
        }
        tracing::info!(target: SECURITY, { user.id = %me.user }, "two-step sign-in was turned on");
        Ok(printed)
    }

    /// Replaces the recovery codes and returns the new ones, which cannot be read again.
    ///
    /// # Errors
    /// `wrong_password`, `passkey_refused`; `second_factor_changed` if two-step sign-in is off; `rate_limited`.
    pub async fn renew_recovery_codes<'a>(
        &self,
        me: &Session,
        proof: impl Into<Proof<'a>>,
        from: impl Into<Client>,
    ) -> Result<Vec<String>> {
        self.verify_own(me, proof.into(), from.into()).await?;
        let (printed, hashes) = codes::make(me.user.id)?;
        if !self.store().replace_recovery_codes(me.caller(), &hashes).await? {
            return Err(ErrorCode::SecondFactorChanged.into());
        }
        tracing::info!(target: SECURITY, { user.id = %me.user.id }, "the recovery codes were replaced");
        Ok(printed)
    }

    /// Turns two-step sign-in off and deletes the key and the recovery codes.
    ///
    /// # Errors
    /// `wrong_password`, `passkey_refused`; `second_factor_changed` if two-step sign-in is off; `rate_limited`.
    pub async fn turn_off_second_factor<'a>(
        &self,
        me: &Session,
        proof: impl Into<Proof<'a>>,
        from: impl Into<Client>,
    ) -> Result<()> {
        self.verify_own(me, proof.into(), from.into()).await?;
        if !self.store().turn_off_second_factor(me.caller()).await? {
            return Err(ErrorCode::SecondFactorChanged.into());
        }
        tracing::info!(target: SECURITY, { user.id = %me.user.id }, "two-step sign-in was turned off");
        Ok(())
    }

    /// Checks the code of a sign-in whose password is right. Any code is accepted without a
    /// confirmed second factor.
    ///
    /// # Errors
    /// `code_needed` without a code; `wrong_code` for a wrong or used one.
    pub(super) async fn check_second_factor(&self, user: UserId, code: &str) -> Result<()> {
        let found = self.store().second_factor(user).await?;
        let Some(factor) = found.filter(|found| found.is_confirmed) else { return Ok(()) };
        if code.trim().is_empty() {
            return Err(ErrorCode::CodeNeeded.into());
        }
        if self.accept_code(user, &factor, code, clock::now()).await? {
            return Ok(());
        }
        Err(ErrorCode::WrongCode.into())
    }

    /// Uses a code up. False if the code is wrong or was used before.
    async fn accept_code(
        &self,
        user: UserId,
        factor: &SecondFactor,
        typed: &str,
        now: Timestamp,
    ) -> Result<bool> {
        match codes::read(typed) {
            None => Ok(false),
            Some(TypedCode::OneTime(code)) => {
                for step in totp::matching_steps(&factor.secret, code, now)? {
                    if self.store().accept_step(user, &factor.secret, step).await? {
                        return Ok(true);
                    }
                }
                Ok(false)
            }
            Some(TypedCode::Recovery(plain)) => {
                let code = codes::hash(user, &plain);
                let is_accepted = self.store().use_recovery_code(user, &code).await?;
                if is_accepted {
                    let left = factor.recovery_codes.saturating_sub(1);
                    tracing::info!(target: SECURITY, { user.id = %user, left }, "a recovery code was used");
                }
                Ok(is_accepted)
            }
        }
    }

    async fn unconfirmed(&self, me: UserId) -> Result<Vec<u8>> {
        let found = self.store().second_factor(me).await?.filter(|found| !found.is_confirmed);
        Ok(found.ok_or(ErrorCode::SecondFactorChanged)?.secret)
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;
    use crate::Config;

    const SECRET: &[u8; totp::SECRET_BYTES] = b"12345678901234567890";

    #[tokio::test]
    async fn a_code_is_accepted_once_and_only_around_its_time() {
        let directory = tempfile::tempdir().expect("a directory");
        let chat = Chat::begin(Config::new(directory.path().join("duet.db"))).await;
        let chat = chat.expect("a chat");
        let here = IpAddr::from([192, 0, 2, 7]);
        let made = chat.sign_up("alice", "", "tulip-Harbor-92", here).await.expect("an account");
        let (caller, me) = (made.session.caller(), made.session.user.id);
        let store = chat.store();
        assert!(store.begin_second_factor(caller, SECRET, Timestamp(0)).await.expect("an answer"));
        let confirmed = store.confirm_second_factor(caller, SECRET, 0, &[], Timestamp(0)).await;
        assert!(confirmed.expect("an answer"));
        let factor = store.second_factor(me).await.expect("an answer").expect("a second factor");
        let is_accepted = async |code: &str, seconds: i64| {
            let now = Timestamp(seconds * 1_000);
            chat.accept_code(me, &factor, code, now).await.expect("an answer")
        };
        // The codes of RFC 6238 for the seconds 59, 1,111,111,109 and 1,111,111,111.
        assert!(!is_accepted("287082", 120).await, "two steps late");
        assert!(is_accepted("287082", 59).await);
        assert!(!is_accepted("287082", 59).await, "the second use");
        assert!(is_accepted("050471", 1_111_111_109).await, "one step early");
        assert!(!is_accepted("081804", 1_111_111_109).await, "before the newest accepted step");
        let of_another_key = SecondFactor { secret: vec![7; totp::SECRET_BYTES], ..factor.clone() };
        let now = Timestamp(1_234_567_890_000);
        let steps = (0..1_000_000).find(|code| {
            totp::matching_steps(&of_another_key.secret, *code, now).expect("codes").len() == 1
        });
        let code = format!("{:06}", steps.expect("a code"));
        let accepted = chat.accept_code(me, &of_another_key, &code, now).await;
        assert!(!accepted.expect("an answer"), "the key was replaced meanwhile");
        chat.close().await;
    }
}
