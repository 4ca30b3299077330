//! One password: its normalised form, its strength and its hash (Argon2id).
//!
//! These functions block for tens of milliseconds, so [`super::passwords`], which alone calls them,
//! runs them outside the async threads and bounds how many run at once. The hash of a stored
//! password may be of an older form: see [`Verdict::RightByOldHash`].

use std::time::Duration;

use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{self, PasswordHasher, PasswordVerifier};
use argon2::{Algorithm, Argon2, Params, Version};
use base64::Engine;
use base64::prelude::BASE64_STANDARD_NO_PAD;
use protocol::limits::{MAX_PASSWORD_BYTES, MIN_PASSWORD_CHARS};
use protocol::{ErrorCode, Refusal};

use super::{common_passwords, opaque};
use crate::error::{Error, Result, later};

/// OWASP's Argon2id parameters for one pass: 46 MiB.
const MEMORY_KIB: u32 = 47_104;
/// Bytes of memory that one hash takes.
pub(super) const MEMORY_BYTES: u64 = MEMORY_KIB as u64 * 1024;

/// The retry delay sent with `busy`.
pub(super) const BUSY_RETRY: Duration = Duration::from_secs(2);
/// Longest password as typed, in bytes; its normalised form may be shorter.
const MAX_TYPED_BYTES: usize = 4 * MAX_PASSWORD_BYTES;
/// A password that needs fewer guesses counts as common.
const COMMON_GUESSES: u64 = 100_000;
/// The words of the product, which count as names of the user. SECURITY.md lists them.
const PRODUCT: [&str; 2] = ["duet", "chat"];
/// Characters of a password that its strength is judged by, because the estimator takes quadratic
/// time.
const JUDGED_CHARS: usize = 64;

/// The refusal of a password that the server has no room to hash at present.
pub(super) fn busy() -> Refusal {
    later(ErrorCode::Busy, BUSY_RETRY)
}

fn argon2() -> Argon2<'static> {
    let params = Params::new(MEMORY_KIB, 1, 1, None).unwrap_or_default();
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
}

/// The beginning of a hash with the present algorithm and parameters.
fn parameters() -> String {
    format!("$argon2id$v=19$m={MEMORY_KIB},t=1,p=1$")
}

/// Returns the hash of these bytes as a PHC string.
pub(super) fn hash(password: &[u8]) -> Result<String> {
    argon2().hash_password(password).map(|hash| hash.to_string()).map_err(|error| match error {
        password_hash::Error::OutOfMemory => Error::Refused(busy()),
        _ => Error::Internal("hashing failed"),
    })
}

/// Returns a random salt and output in the form of a hash. Verifying against the decoy takes as
/// long as against a real hash; making the decoy takes no hashing.
pub(super) fn decoy() -> Result<String> {
    let (mut salt, mut output) = ([0; 16], [0; 32]);
    for bytes in [salt.as_mut_slice(), output.as_mut_slice()] {
        getrandom::fill(bytes).map_err(|_| Error::Internal("no randomness"))?;
    }
    let (salt, output) =
        (BASE64_STANDARD_NO_PAD.encode(salt), BASE64_STANDARD_NO_PAD.encode(output));
    Ok(format!("{}{salt}${output}", parameters()))
}

/// A valid new password, in normalised form.
pub(crate) struct NewPassword(String);

impl NewPassword {
    /// Normalises a password and checks its length in that form, so that the length does not depend
    /// on the keyboard.
    pub(crate) fn check(typed: &str) -> Result<Self, ErrorCode> {
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

    /// Returns whether the password is on the list of common ones, or easy to guess for an attacker
    /// who has these names.
    pub(super) fn is_common(&self, names: &[String; 2]) -> bool {
        if common_passwords::is_common(&self.0) {
            return true;
        }
        let judged: String = self.0.chars().take(JUDGED_CHARS).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).chain(PRODUCT).collect();
        zxcvbn::zxcvbn(&judged, &names).guesses() < COMMON_GUESSES
    }

    pub(super) fn hash(&self) -> Result<String> {
        hash(self.0.as_bytes())
    }

    #[cfg(test)]
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

/// The result of verifying a typed password against an account's hash.
pub(crate) enum Verdict {
    /// The password is wrong.
    Wrong,
    /// The password is right.
    Right,
    /// The password is right, but its hash has other parameters than a new one, or is of the typed
    /// bytes. Holds the form for a new hash: the normalised one, unless only the typed one is valid.
    RightByOldHash(NewPassword),
}

impl Verdict {
    pub(crate) fn is_right(&self) -> bool {
        !matches!(self, Self::Wrong)
    }
}

/// The forms in which a typed password is compared; each costs a hash.
pub(super) struct Forms {
    normal: Option<String>,
    /// Set only if it differs from `normal`.
    typed: Option<String>,
}

impl Forms {
    pub(super) fn of(typed: &str) -> Self {
        let fits = |form: &String| form.len() <= MAX_PASSWORD_BYTES;
        let bounded = typed.len() <= MAX_TYPED_BYTES;
        let normal = if bounded { opaque::enforce(typed).ok() } else { None };
        let differs = normal.as_deref() != Some(typed);
        let typed = (differs && typed.len() <= MAX_PASSWORD_BYTES).then(|| typed.to_owned());
        Self { normal: normal.filter(fits), typed }
    }

    /// Compares the password with a stored hash.
    pub(super) fn verify(self, hash: &str) -> Result<Verdict> {
        let unreadable = Error::Internal("a stored password hash cannot be read");
        let is_present = hash.starts_with(&parameters());
        let Ok(hash) = PasswordHash::new(hash) else { return Err(unreadable) };
        self.compare(&hash, is_present).map_err(|error| match error {
            // The password may still be right.
            password_hash::Error::OutOfMemory => Error::Refused(busy()),
            _ => unreadable,
        })
    }

    fn compare(
        self,
        hash: &PasswordHash,
        is_present: bool,
    ) -> Result<Verdict, password_hash::Error> {
        let is = |form: Option<&str>| match form {
            None => Ok(false),
            Some(form) => match argon2().verify_password(form.as_bytes(), hash) {
                Ok(()) => Ok(true),
                Err(password_hash::Error::PasswordInvalid) => Ok(false),
                Err(error) => Err(error),
            },
        };
        let (is_normal, typed) = (is(self.normal.as_deref())?, self.typed.as_deref());
        if !is_normal && !is(typed)? {
            return Ok(Verdict::Wrong);
        }
        // A password that has no normal form keeps a hash of its typed bytes.
        let is_best = is_normal || self.normal.is_none();
        Ok(match self.normal.or(self.typed) {
            Some(form) if !(is_best && is_present) => Verdict::RightByOldHash(NewPassword(form)),
            _ => Verdict::Right,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn common_passwords_are_refused_and_good_ones_are_accepted() {
        let names = ["bernadette".to_owned(), "Bernadette Quill".to_owned()];
        let is_common = |typed| NewPassword::check(typed).expect("valid").is_common(&names);
        for common in [
            "123456789012345",
            "qwertyuiopqwertyuiop",
            "aaaaaaaaaaaaaaa",
            "passwordpassword",
            "bernadettebernadette",
            "1Q2W3E4R5T6Y7U8I",
            "duetduetduetduet",
        ] {
            assert!(is_common(common), "{common}");
        }
        for good in
            ["correct horse battery", "tulip-Harbor-92", "alice-password-1", "pa55 of the Alps"]
        {
            assert!(!is_common(good), "{good}");
        }
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
        assert_eq!(check(&"e\u{301}".repeat(14)), Err(ErrorCode::PasswordTooShort));
        assert_eq!(check(&"e\u{301}".repeat(15)), Ok(()));
        // 384 bytes as typed, 256 as hashed.
        assert_eq!(check(&"e\u{301}".repeat(128)), Ok(()));
        assert_eq!(check(&"x".repeat(257)), Err(ErrorCode::PasswordTooLong));
        assert_eq!(check(&"x".repeat(2_000)), Err(ErrorCode::PasswordTooLong));
        assert_eq!(check("with\u{7}a bell inside"), Err(ErrorCode::PasswordInvalid));
    }
}
