//! Runs password hashes, and bounds their number and their memory.
//!
//! A hash takes tens of milliseconds and 46 MiB by design. Hashes run on tokio's blocking threads,
//! at most as many at once as the operator has set (by default one per core) and as fit into
//! memory. Requesters wait in [`super::queue`]; a requester that has waited too long, and every requester if
//! not even one hash fits into memory, gets `busy`. [`super::hashing`] has the hash itself. Called
//! by [`super`] and, through [`crate::Chat`], by the changes of a user's own account.

use std::num::NonZeroUsize;
use std::sync::Arc;

use protocol::ErrorCode;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use super::hashing::{Forms, MEMORY_BYTES, NewPassword, Verdict, busy, decoy};
use super::memory::Memory;
use super::queue::{Queue, Requester, WAIT};
use crate::error::{Error, Result};

#[derive(Clone)]
pub(crate) struct Passwords {
    memory: Memory,
    /// Upper bound of concurrent hashes.
    at_once: usize,
    /// The requesters that wait or hash. The holder of its turn waits for a core, then for memory.
    queue: Arc<Queue>,
    /// Permits of requesters that hash, and of the next one in line.
    cores: Arc<Semaphore>,
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
            queue: Arc::default(),
            cores: Arc::new(Semaphore::new(at_once)),
            ended: Arc::default(),
            decoy: decoy()?.into(),
        })
    }

    /// Rejects a common password, and hashes any other.
    pub(crate) async fn hash_new(
        &self,
        password: NewPassword,
        names: [String; 2],
        requester: Requester,
    ) -> Result<String> {
        self.on_a_core(requester, move || {
            if password.is_common(&names) {
                return Err(ErrorCode::PasswordCommon.into());
            }
            password.hash()
        })
        .await?
    }

    /// Hashes a password without judging its strength.
    pub(crate) async fn hash(&self, password: NewPassword, requester: Requester) -> Result<String> {
        self.on_a_core(requester, move || password.hash()).await?
    }

    /// Verifies a password against a hash, in its normalised form and, if that differs, as typed,
    /// because old accounts have a hash of the typed bytes. `None` stands for an unknown user: the
    /// same work, and always wrong.
    pub(crate) async fn verify(
        &self,
        typed: &str,
        hash: Option<String>,
        requester: Requester,
    ) -> Result<Verdict> {
        let forms = Forms::of(typed);
        let exists = hash.is_some();
        let hash = hash.unwrap_or_else(|| self.decoy.to_string());
        let verdict = self.on_a_core(requester, move || forms.verify(&hash)).await??;
        Ok(if exists { verdict } else { Verdict::Wrong })
    }

    async fn on_a_core<T: Send + 'static>(
        &self,
        requester: Requester,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T> {
        let place = self.queue.place(requester)?;
        let waiting = timeout(WAIT, self.core(requester)).await;
        let core = waiting.map_err(|_| Error::Refused(busy()))??;
        tokio::task::spawn_blocking(move || {
            let done = work();
            drop((core, place));
            done
        })
        .await
        .map_err(|_| Error::Internal("hashing panicked"))
    }

    /// Waits for a core and for memory. If memory is short, waits for a running hash to end.
    async fn core(&self, requester: Requester) -> Result<Core> {
        let closed = |_| Error::Internal("the hashing pool was closed");
        // One requester at a time, so that every other holder of a core is hashing and will end.
        let _turn = self.queue.turn(requester).await?;
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
        // In this order, because the woken requester counts the running hashes.
        drop(self.permit.take());
        self.ended.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::super::hashing;
    use super::*;

    const HERE: Requester = Requester::At(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST));

    #[tokio::test]
    async fn a_password_verifies_against_its_own_hash_only() {
        let passwords = Passwords::new(None).expect("randomness");
        let new = |typed: &str| NewPassword::check(typed).expect("allowed");
        let names = || ["anna".to_owned(), String::new()];
        let hash = passwords.hash_new(new("tulip-Harbor-92"), names(), HERE).await.expect("hashed");
        assert!(hash.starts_with("$argon2id$v=19$m=47104,t=1,p=1$"));
        let verify = async |typed: &str, hash: Option<&String>| {
            passwords.verify(typed, hash.cloned(), HERE).await.expect("verified")
        };
        assert!(matches!(verify("tulip-Harbor-92", Some(&hash)).await, Verdict::Right));
        assert!(!verify("tulip-harbor-92", Some(&hash)).await.is_right());
        assert!(!verify("tulip-Harbor-92", None).await.is_right());
        assert!(!verify(&"x".repeat(100_000), Some(&hash)).await.is_right());
    }

    #[tokio::test]
    async fn all_unicode_forms_of_a_password_are_the_same_password() {
        let passwords = Passwords::new(None).expect("randomness");
        let (composed, decomposed) = ("café\u{A0}au lait complet", "cafe\u{301} au lait complet");
        let new = NewPassword::check(decomposed).expect("allowed");
        let hash = passwords.hash(new, HERE).await.expect("hashed");
        for typed in [composed, decomposed, "café au lait complet"] {
            let verdict =
                passwords.verify(typed, Some(hash.clone()), HERE).await.expect("verified");
            assert!(matches!(verdict, Verdict::Right), "{typed:?}");
        }
        // Hashes from before passwords were normalised are of the typed bytes.
        let old = hashing::hash(decomposed.as_bytes()).expect("hashed");
        let verdict =
            passwords.verify(decomposed, Some(old.clone()), HERE).await.expect("verified");
        let normal = "café au lait complet";
        assert!(matches!(verdict, Verdict::RightByOldHash(form) if form.as_str() == normal));
        assert!(!passwords.verify(composed, Some(old), HERE).await.expect("verified").is_right());
        let old = hashing::hash("control\u{1} from before".as_bytes()).expect("hashed");
        let verdict = passwords.verify("control\u{1} from before", Some(old), HERE).await;
        assert!(matches!(verdict, Ok(Verdict::Right)));
    }

    #[tokio::test]
    async fn a_right_password_is_hashed_anew_if_its_hash_has_other_parameters() {
        use argon2::password_hash::PasswordHasher;
        let passwords = Passwords::new(None).expect("randomness");
        let other = argon2::Argon2::default();
        for (typed, renewed) in [
            ("tulip-Harbor-92", "tulip-Harbor-92"),
            ("short", "short"),
            ("control\u{1} from before", "control\u{1} from before"),
        ] {
            let old = other.hash_password(typed.as_bytes()).expect("hashed").to_string();
            let verify = async |password: &str, hash: &str| {
                passwords.verify(password, Some(hash.to_owned()), HERE).await.expect("verified")
            };
            let Verdict::RightByOldHash(form) = verify(typed, &old).await else {
                panic!("{typed:?} is to be hashed anew");
            };
            assert_eq!(form.as_str(), renewed);
            assert!(!verify("another", &old).await.is_right());
            let hash = passwords.hash(form, HERE).await.expect("hashed");
            assert!(matches!(verify(typed, &hash).await, Verdict::Right), "{typed:?}");
        }
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
        let verify = || passwords.verify("tulip-Harbor-92", None, HERE);
        let verdicts = tokio::join!(verify(), verify(), verify(), verify());
        for verdict in [verdicts.0, verdicts.1, verdicts.2, verdicts.3] {
            assert!(!verdict.expect("no client is told to retry").is_right());
        }
        assert_eq!(passwords.cores.available_permits(), 4);

        let passwords = with_room_for(root.path(), MEMORY_BYTES / 2);
        let refused = passwords.verify("tulip-Harbor-92", None, HERE).await.err();
        let code = refused.map(|error| error.refusal().code);
        assert_eq!(code, Some(ErrorCode::Busy), "where a single one does not fit");
    }

    #[tokio::test]
    async fn a_flood_from_one_address_leaves_other_addresses_and_known_users_their_turn() {
        let passwords = Passwords::new(NonZeroUsize::new(1)).expect("randomness");
        let at = |address: [u8; 4]| Requester::At(address.into());
        let verify = |requester| passwords.verify("tulip-Harbor-92", None, requester);
        let flood = futures::future::join_all((0..70).map(|_| verify(at([192, 0, 2, 1]))));
        let (flood, other, known) =
            tokio::join!(biased; flood, verify(at([198, 51, 100, 1])), verify(Requester::Known));
        assert!(other.is_ok() && known.is_ok());
        let codes: Vec<_> =
            flood.into_iter().filter_map(|done| Some(done.err()?.refusal().code)).collect();
        assert_eq!(codes, [ErrorCode::RateLimited; 66]);
    }

    #[tokio::test]
    async fn the_number_of_concurrent_hashes_is_configurable() {
        let passwords = Passwords::new(NonZeroUsize::new(1)).expect("randomness");
        assert_eq!(passwords.cores.available_permits(), 1);
        let decoy = passwords.decoy.to_string();
        let verdict = passwords.verify("tulip-Harbor-92", Some(decoy), HERE).await;
        assert!(!verdict.expect("the decoy is readable").is_right());
    }
}
