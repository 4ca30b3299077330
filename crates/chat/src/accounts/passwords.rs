//! Passwords: validation, hashing and verification.
//!
//! A hash takes tens of milliseconds and 46 MiB by design. Hashes run on tokio's blocking threads,
//! at most as many at once as the operator has set (by default one per core) and as fit into
//! memory. A bounded number of callers waits; further callers, and every caller if not even one
//! hash fits into memory, get `busy`. Only [`super`] calls this module.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{self, PasswordHasher, PasswordVerifier};
use argon2::{Algorithm, Argon2, Params, Version};
use base64::Engine;
use base64::prelude::BASE64_STANDARD_NO_PAD;
use protocol::limits::{MAX_PASSWORD_BYTES, MIN_PASSWORD_CHARS};
use protocol::{ErrorCode, Refusal};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};

use super::memory::Memory;
use super::opaque;
use crate::error::{Error, Result, later};

/// OWASP's Argon2id parameters for one pass: 46 MiB.
const MEMORY_KIB: u32 = 47_104;
/// Callers that may wait for a core and for memory: a few seconds of work. Further ones get `busy`.
const QUEUE: usize = 64;
/// The retry delay sent with `busy`.
const BUSY_RETRY: Duration = Duration::from_secs(2);
/// Longest password as typed, in bytes; its normalised form may be shorter.
const MAX_TYPED_BYTES: usize = 4 * MAX_PASSWORD_BYTES;
/// A password that needs fewer guesses counts as common.
const COMMON_GUESSES: u64 = 100_000;
/// Characters of a password that its strength is judged by, because the estimator takes quadratic
/// time.
const JUDGED_CHARS: usize = 64;

/// Bytes of memory that one hash takes.
const MEMORY_BYTES: u64 = MEMORY_KIB as u64 * 1024;

#[derive(Clone)]
pub(crate) struct Passwords {
    memory: Memory,
    /// Upper bound of concurrent hashes.
    at_once: usize,
    /// Permits of callers that hash or wait; without a free one the caller is refused.
    slots: Arc<Semaphore>,
    /// Permits of callers that hash, and of the next one in line.
    cores: Arc<Semaphore>,
    /// A single permit: its holder is the next one in line and waits for a core, then for memory.
    door: Arc<Semaphore>,
    /// Wakes the next one in line when a hash ends.
    ended: Arc<Notify>,
    /// A hash that no password matches, verified for an unknown user, so that an unknown name takes
    /// as long as a wrong password.
    decoy: Arc<str>,
}

impl Passwords {
    /// Allows at most `at_once` concurrent hashes; `None` means one per core.
    pub(crate) fn new(at_once: Option<NonZeroUsize>) -> Result<Self> {
        let cores = std::thread::available_parallelism().map_or(2, usize::from);
        let (wanted, memory) = (at_once.map_or(cores, usize::from), Memory::find());
        let fitting = memory.available().map_or(usize::MAX, |available| {
            usize::try_from(available / MEMORY_BYTES).unwrap_or(usize::MAX)
        });
        let at_once = wanted.min(fitting).max(1);
        if fitting < wanted {
            tracing::warn!(
                "{wanted} concurrent password hashes would need {} MiB of memory, which are not \
                 available: at most {at_once} run at once. Provide more memory, or set \
                 DUET_PASSWORD_HASHES_AT_ONCE",
                u64::try_from(wanted).unwrap_or(u64::MAX).saturating_mul(MEMORY_BYTES) >> 20
            );
        }
        Ok(Self {
            memory,
            at_once,
            slots: Arc::new(Semaphore::new(at_once + QUEUE)),
            cores: Arc::new(Semaphore::new(at_once)),
            door: Arc::new(Semaphore::new(1)),
            ended: Arc::default(),
            decoy: decoy()?.into(),
        })
    }

    /// Rejects a common password, and hashes any other.
    pub(crate) async fn hash_new(
        &self,
        password: NewPassword,
        names: [String; 2],
    ) -> Result<String> {
        self.on_a_core(move || {
            if is_common(&password.0, &names) {
                return Err(ErrorCode::PasswordCommon.into());
            }
            hash(password.0.as_bytes())
        })
        .await?
    }

    /// Hashes a password without judging its strength.
    pub(crate) async fn hash(&self, password: NewPassword) -> Result<String> {
        self.on_a_core(move || hash(password.0.as_bytes())).await?
    }

    /// Verifies a password against a hash, in its normalised form and, if that differs, as typed,
    /// because old accounts have a hash of the typed bytes. `None` stands for an unknown user: the
    /// same work, and always wrong.
    pub(crate) async fn verify(&self, typed: &str, hash: Option<String>) -> Result<Verdict> {
        let forms = Forms::of(typed);
        let exists = hash.is_some();
        let hash = hash.unwrap_or_else(|| self.decoy.to_string());
        let verdict = self
            .on_a_core(move || {
                let unreadable = Error::Internal("a stored password hash cannot be read");
                let Ok(hash) = PasswordHash::new(&hash) else { return Err(unreadable) };
                forms.compare(&hash).map_err(|error| match error {
                    // The password may still be right.
                    password_hash::Error::OutOfMemory => Error::Refused(busy()),
                    _ => unreadable,
                })
            })
            .await??;
        Ok(if exists { verdict } else { Verdict::Wrong })
    }

    async fn on_a_core<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T> {
        let _slot = self.slots.try_acquire().map_err(|_| Error::Refused(busy()))?;
        let core = self.core().await?;
        tokio::task::spawn_blocking(move || {
            let done = work();
            drop(core);
            done
        })
        .await
        .map_err(|_| Error::Internal("hashing panicked"))
    }

    /// Waits for a core and for memory. If memory is short, waits for a running hash to end.
    async fn core(&self) -> Result<Core> {
        let closed = |_| Error::Internal("the hashing pool was closed");
        // One caller at a time, so that every other holder of a core is hashing and will end.
        let _door = self.door.acquire().await.map_err(closed)?;
        let permit = self.cores.clone().acquire_owned().await.map_err(closed)?;
        let core = Core { permit: Some(permit), ended: self.ended.clone() };
        loop {
            // Includes this hash. Running hashes may not have touched all of their memory yet.
            let under_way = self.at_once.saturating_sub(self.cores.available_permits());
            let bytes = u64::try_from(under_way).unwrap_or(u64::MAX).saturating_mul(MEMORY_BYTES);
            if self.memory.has_room_for(bytes) {
                return Ok(core);
            }
            if under_way <= 1 {
                tracing::warn!("not enough memory to hash a password; the client is told to retry");
                return Err(Error::Refused(busy()));
            }
            // `Notify` stores the permit of a hash that has ended since the check, so this returns
            // at once.
            self.ended.notified().await;
        }
    }
}

/// The permit to hash; dropping it releases the core, even after a panic.
struct Core {
    permit: Option<OwnedSemaphorePermit>,
    ended: Arc<Notify>,
}

impl Drop for Core {
    fn drop(&mut self) {
        // In this order, because the woken caller counts the running hashes.
        drop(self.permit.take());
        self.ended.notify_one();
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
    argon2().hash_password(password).map(|hash| hash.to_string()).map_err(|error| match error {
        password_hash::Error::OutOfMemory => Error::Refused(busy()),
        _ => Error::Internal("hashing failed"),
    })
}

/// Returns a random salt and output in the form of a hash: verification is as slow as for any
/// other, but making it takes no hashing.
fn decoy() -> Result<String> {
    let (mut salt, mut output) = ([0; 16], [0; 32]);
    for bytes in [salt.as_mut_slice(), output.as_mut_slice()] {
        getrandom::fill(bytes).map_err(|_| Error::Internal("no randomness"))?;
    }
    let (salt, output) =
        (BASE64_STANDARD_NO_PAD.encode(salt), BASE64_STANDARD_NO_PAD.encode(output));
    Ok(format!("$argon2id$v=19$m={MEMORY_KIB},t=1,p=1${salt}${output}"))
}

/// A valid new password, in normalised form.
pub(crate) struct NewPassword(String);

impl NewPassword {
    /// Normalises a password and checks its length in that form, so that the length does not depend
    /// on the keyboard.
    pub(crate) fn check(typed: &str) -> std::result::Result<Self, ErrorCode> {
        if typed.len() > MAX_TYPED_BYTES {
            return Err(ErrorCode::PasswordTooLong);
        }
        let password = opaque::enforce(typed)?;
        if password.chars().count() < MIN_PASSWORD_CHARS {
            Err(ErrorCode::PasswordTooShort)
        } else if password.len() > MAX_PASSWORD_BYTES {
            Err(ErrorCode::PasswordTooLong)
        } else {
            Ok(Self(password))
        }
    }
}

/// The result of verifying a typed password against an account's hash.
pub(crate) enum Verdict {
    /// The password is wrong.
    Wrong,
    /// The password is right.
    Right,
    /// The password is right, but the hash is of its typed bytes. Holds the normalised form for a
    /// new hash.
    RightAsTyped(NewPassword),
}

impl Verdict {
    pub(crate) fn is_right(&self) -> bool {
        !matches!(self, Self::Wrong)
    }
}

/// The forms in which a typed password is compared; each costs a hash.
struct Forms {
    normal: Option<String>,
    /// Set only if it differs from `normal`.
    typed: Option<String>,
}

impl Forms {
    fn of(typed: &str) -> Self {
        let fits = |form: &String| form.len() <= MAX_PASSWORD_BYTES;
        let bounded = typed.len() <= MAX_TYPED_BYTES;
        let normal = if bounded { opaque::enforce(typed).ok() } else { None };
        let differs = normal.as_deref() != Some(typed);
        Self { normal: normal.filter(fits), typed: differs.then(|| typed.to_owned()).filter(fits) }
    }

    fn compare(self, hash: &PasswordHash) -> std::result::Result<Verdict, password_hash::Error> {
        let is = |form: Option<&str>| match form {
            None => Ok(false),
            Some(form) => match argon2().verify_password(form.as_bytes(), hash) {
                Ok(()) => Ok(true),
                Err(password_hash::Error::PasswordInvalid) => Ok(false),
                Err(error) => Err(error),
            },
        };
        if is(self.normal.as_deref())? {
            return Ok(Verdict::Right);
        }
        Ok(match is(self.typed.as_deref())?.then_some(self.normal) {
            Some(Some(normal)) => Verdict::RightAsTyped(NewPassword(normal)),
            Some(None) => Verdict::Right,
            None => Verdict::Wrong,
        })
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
    fn common_passwords_are_refused_and_good_ones_are_accepted() {
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
        let passwords = Passwords::new(None).expect("randomness");
        let new = |typed: &str| NewPassword::check(typed).expect("allowed");
        let names = || ["anna".to_owned(), String::new()];
        let hash = passwords.hash_new(new("tulip-Harbor-92"), names()).await.expect("hashed");
        assert!(hash.starts_with("$argon2id$v=19$m=47104,t=1,p=1$"));
        let verify = async |typed: &str, hash: Option<&String>| {
            passwords.verify(typed, hash.cloned()).await.expect("verified")
        };
        assert!(matches!(verify("tulip-Harbor-92", Some(&hash)).await, Verdict::Right));
        assert!(!verify("tulip-harbor-92", Some(&hash)).await.is_right());
        assert!(!verify("tulip-Harbor-92", None).await.is_right());
        assert!(!verify(&"x".repeat(100_000), Some(&hash)).await.is_right());
    }

    #[tokio::test]
    async fn all_unicode_forms_of_a_password_are_the_same_password() {
        let passwords = Passwords::new(None).expect("randomness");
        let (composed, decomposed) = ("café\u{A0}au lait", "cafe\u{301} au lait");
        let new = NewPassword::check(decomposed).expect("allowed");
        let hash = passwords.hash(new).await.expect("hashed");
        for typed in [composed, decomposed, "café au lait"] {
            let verdict = passwords.verify(typed, Some(hash.clone())).await.expect("verified");
            assert!(matches!(verdict, Verdict::Right), "{typed:?}");
        }
        // Hashes from before passwords were normalised are of the typed bytes.
        let old = super::hash(decomposed.as_bytes()).expect("hashed");
        let verdict = passwords.verify(decomposed, Some(old.clone())).await.expect("verified");
        assert!(
            matches!(verdict, Verdict::RightAsTyped(NewPassword(form)) if form == "café au lait")
        );
        assert!(!passwords.verify(composed, Some(old)).await.expect("verified").is_right());
        let old = super::hash("control\u{1} from before".as_bytes()).expect("hashed");
        let verdict = passwords.verify("control\u{1} from before", Some(old)).await;
        assert!(matches!(verdict, Ok(Verdict::Right)));
    }

    #[test]
    fn a_password_in_normal_form_costs_one_hash() {
        for (typed, normal, as_typed) in [
            ("tulip-Harbor-92", true, false),
            ("café au lait", true, false),
            ("cafe\u{301} au lait", true, true),
            ("control\u{1} from before", false, true),
        ] {
            let forms = Forms::of(typed);
            assert_eq!((forms.normal.is_some(), forms.typed.is_some()), (normal, as_typed));
        }
    }

    #[test]
    fn lengths_are_counted_in_the_form_that_is_hashed() {
        let check = |typed: &str| NewPassword::check(typed).map(|_| ());
        assert_eq!(check("short"), Err(ErrorCode::PasswordTooShort));
        assert_eq!(check(&"e\u{301}".repeat(9)), Err(ErrorCode::PasswordTooShort));
        assert_eq!(check(&"e\u{301}".repeat(10)), Ok(()));
        // 384 bytes as typed, 256 as hashed.
        assert_eq!(check(&"e\u{301}".repeat(128)), Ok(()));
        assert_eq!(check(&"x".repeat(257)), Err(ErrorCode::PasswordTooLong));
        assert_eq!(check(&"x".repeat(2_000)), Err(ErrorCode::PasswordTooLong));
        assert_eq!(check("with\u{7}a bell inside"), Err(ErrorCode::PasswordInvalid));
    }

    /// Passwords in a control group with room for this many bytes.
    fn with_room_for(root: &std::path::Path, bytes: u64) -> Passwords {
        std::fs::write(root.join("memory.max"), bytes.to_string()).expect("written");
        std::fs::write(root.join("memory.current"), "0").expect("written");
        let memory = Memory::of(root);
        Passwords { memory, ..Passwords::new(NonZeroUsize::new(4)).expect("randomness") }
    }

    #[tokio::test]
    async fn a_hash_without_memory_waits_for_a_running_hash_to_end() {
        let root = tempfile::tempdir().expect("a directory");
        // Room for one hash, not for two.
        let passwords = with_room_for(root.path(), MEMORY_BYTES * 3 / 2);
        let passwords = Passwords { at_once: 4, cores: Arc::new(Semaphore::new(4)), ..passwords };
        let verify = || passwords.verify("tulip-Harbor-92", None);
        let verdicts = tokio::join!(verify(), verify(), verify(), verify());
        for verdict in [verdicts.0, verdicts.1, verdicts.2, verdicts.3] {
            assert!(!verdict.expect("no client is told to retry").is_right());
        }
        assert_eq!(passwords.cores.available_permits(), 4);

        let passwords = with_room_for(root.path(), MEMORY_BYTES / 2);
        let refused = passwords.verify("tulip-Harbor-92", None).await.err();
        let code = refused.map(|error| error.refusal().code);
        assert_eq!(code, Some(ErrorCode::Busy), "where a single one does not fit");
    }

    #[tokio::test]
    async fn the_number_of_concurrent_hashes_is_configurable() {
        let passwords = Passwords::new(NonZeroUsize::new(1)).expect("randomness");
        assert_eq!(passwords.cores.available_permits(), 1);
        let decoy = passwords.decoy.to_string();
        let verdict = passwords.verify("tulip-Harbor-92", Some(decoy)).await;
        assert!(!verdict.expect("the decoy is readable").is_right());
    }
}
