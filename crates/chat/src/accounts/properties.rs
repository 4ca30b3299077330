//! What holds for names, passwords, tokens and codes of any input.
//!
//! Only tests and the fuzz target `accounts` call this module; neither changes anything.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;

use super::common_passwords::is_common;
use super::looks::{is_reserved, looks_of};
use super::{NewPassword, codes, fold, names, opaque, read_token};

/// Checks the properties of one text.
///
/// # Panics
/// When a property does not hold.
pub fn check(text: &str) {
    if let Ok((name, key)) = names::username(text) {
        assert_eq!(fold(&name), key);
        assert_eq!(names::username(&name).as_ref(), Ok(&(name.clone(), key.clone())), "{text:?}");
        let looks = looks_of(&name);
        assert!(matches!(looks.len(), 1 | 2) && looks.is_sorted());
        assert!(looks_of(&key).iter().all(|look| looks.contains(look)), "{text:?}");
        assert!(!is_reserved(&key) || is_reserved(&name), "{text:?}");
    }
    if let Ok((name, key)) = names::display_name(text, "anna") {
        assert!(!name.trim().is_empty() && name.chars().count() <= 64);
        assert_eq!(names::display_name(&name, "anna"), Ok((name.clone(), key)), "{text:?}");
    }
    if let Ok(password) = opaque::enforce(text) {
        assert_eq!(opaque::enforce(&password).as_ref(), Ok(&password), "{text:?}");
        _ = is_common(&password);
    }
    _ = NewPassword::check(text).is_ok();
    if read_token(text).is_some() {
        // Another spelling of the same token would escape the hash that the store compares.
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(text).expect("a token");
        assert_eq!(BASE64_URL_SAFE_NO_PAD.encode(bytes), text);
    }
    _ = codes::read(text);
}
