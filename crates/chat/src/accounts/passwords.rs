//! Passwords: which are allowed, and hashing them without stopping everything else.
//!
//! Hashing takes tens of milliseconds and 46 MiB on purpose, so at most as many run as there are
//! cores, on tokio's blocking threads, and a bounded number wait; beyond that the asker is told to
//! come again. Only [`super`] calls this.

use std::sync::Arc;
use std::time::Duration;

use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use argon2::{Algorithm, Argon2, Params, Version};
use protocol::limits::{MAX_PASSWORD_BYTES, MIN_PASSWORD_CHARS};
use protocol::{ErrorCode, Refusal};
use tokio::sync::Semaphore;

use crate::error::{Error, Result, later};

/// OWASP's Argon2id pair with one pass: 46 MiB.
const MEMORY_KIB: u32 = 47_104;
/// Hashes that may wait for a core: a few seconds of work. Beyond it, `busy`.
const QUEUE: usize = 64;
/// What someone is told who found the queue full.
const BUSY_RETRY: Duration = Duration::from_secs(2);
/// Guesses within which a password counts as common.
const COMMON_GUESSES: u64 = 100_000;
/// Only this much of a long password is looked at for its strength: the search is quadratic.
const JUDGED_CHARS: usize = 64;

#[derive(Clone)]
pub(crate) struct Passwords {
    /// Permits for those who hash or wait; none left means refused.
    places: Arc<Semaphore>,
    /// Permits for those who hash.
    cores: Arc<Semaphore>,
    /// A hash of nothing anyone knows, verified when there is no such user, so that an unknown
    /// name takes as long as a wrong password.
    decoy: Arc<str>,
}

impl Passwords {
    /// Makes the decoy, which takes one hash's time.
    pub(crate) async fn new() -> Result<Self> {
        let cores = std::thread::available_parallelism().map_or(2, usize::from);
        let mut passwords = Self {
            places: Arc::new(Semaphore::new(cores + QUEUE)),
            cores: Arc::new(Semaphore::new(cores)),
            decoy: Arc::from(""),
        };
        let mut secret = [0; 32];
        getrandom::fill(&mut secret).map_err(|_| Error::Internal("no randomness"))?;
        passwords.decoy = passwords.on_a_core(move || hash(&secret)).await??.into();
        Ok(passwords)
    }

    /// Judges and hashes a new password.
    pub(crate) async fn hash_new(&self, password: &str, names: [String; 2]) -> Result<String> {
        check_length(password)?;
        let password = password.to_owned();
        self.on_a_core(move || {
            if is_common(&password, &names) {
                return Err(ErrorCode::PasswordCommon.into());
            }
            hash(password.as_bytes())
        })
        .await?
    }

    /// Whether the password belongs to the hash. `None` stands for no such user: the same work,
    /// and false.
    pub(crate) async fn verify(&self, password: &str, hash: Option<String>) -> Result<bool> {
        if password.len() > MAX_PASSWORD_BYTES {
            return Ok(false);
        }
        let exists = hash.is_some();
        let hash = hash.unwrap_or_else(|| self.decoy.to_string());
        let password = password.to_owned();
        let matches = self
            .on_a_core(move || {
                PasswordHash::new(&hash)
                    .map(|hash| argon2().verify_password(password.as_bytes(), &hash).is_ok())
                    .map_err(|_| Error::Internal("a stored password hash cannot be read"))
            })
            .await??;
        Ok(matches && exists)
    }

    async fn on_a_core<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T> {
        let _place = self.places.try_acquire().map_err(|_| Error::Refused(busy()))?;
        let closed = |_| Error::Internal("the hashing pool was closed");
        let core = self.cores.clone().acquire_owned().await.map_err(closed)?;
        tokio::task::spawn_blocking(move || {
            let done = work();
            drop(core);
            done
        })
        .await
        .map_err(|_| Error::Internal("hashing panicked"))
    }
}

fn busy() -> Refusal {
    later(ErrorCode::Busy, BUSY_RETRY)
}

fn argon2() -> Argon2<'static> {
    let params = Params::new(MEMORY_KIB, 1, 1, None).unwrap_or_default();
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
}

fn hash(password: &[u8]) -> Result<String> {
    argon2()
        .hash_password(password)
        .map(|hash| hash.to_string())
        .map_err(|_| Error::Internal("hashing failed"))
}

pub(crate) fn check_length(password: &str) -> Result<()> {
    if password.chars().count() < MIN_PASSWORD_CHARS {
        Err(ErrorCode::PasswordTooShort.into())
    } else if password.len() > MAX_PASSWORD_BYTES {
        Err(ErrorCode::PasswordTooLong.into())
    } else {
        Ok(())
    }
}

fn is_common(password: &str, names: &[String; 2]) -> bool {
    let judged: String = password.chars().take(JUDGED_CHARS).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    zxcvbn::zxcvbn(&judged, &names).guesses() < COMMON_GUESSES
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn common_passwords_are_known_and_good_ones_pass() {
        let names = ["bernadette".to_owned(), "Bernadette Quill".to_owned()];
        for common in [
            "1234567890",
            "qwertyuiop",
            "aaaaaaaaaa",
            "passwordpassword",
            "bernadette",
            "Password123",
        ] {
            assert!(is_common(common, &names), "{common}");
        }
        for good in
            ["correct horse battery", "tulip-Harbor-92", "alice-password-1", "pa55 of the Alps"]
        {
            assert!(!is_common(good, &names), "{good}");
        }
    }

    #[tokio::test]
    async fn a_password_verifies_against_its_own_hash_only() {
        let passwords = Passwords::new().await.expect("randomness");
        let names = || ["anna".to_owned(), String::new()];
        let hash = passwords.hash_new("tulip-Harbor-92", names()).await.expect("allowed");
        assert!(hash.starts_with("$argon2id$v=19$m=47104,t=1,p=1$"));
        assert!(passwords.verify("tulip-Harbor-92", Some(hash.clone())).await.expect("verified"));
        assert!(!passwords.verify("tulip-harbor-92", Some(hash)).await.expect("verified"));
        assert!(!passwords.verify("tulip-Harbor-92", None).await.expect("verified"));
        let code = |result: Result<String>| result.map_err(|e| e.refusal().code);
        assert_eq!(
            code(passwords.hash_new("short", names()).await),
            Err(ErrorCode::PasswordTooShort)
        );
        assert_eq!(
            code(passwords.hash_new(&"x".repeat(257), names()).await),
            Err(ErrorCode::PasswordTooLong)
        );
    }
}
