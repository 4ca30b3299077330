//! Recovery codes, and the reading of typed codes. Called by [`super::second_factor`] alone.
//!
//! A recovery code is twelve characters of Crockford's base32, whose alphabet has no letter that
//! looks like a digit or like another letter, in groups of four: 60 random bits. Only a hash is
//! stored; the hash includes the user's id, so that a guess can be tried on one user only.

use protocol::UserId;
use sha2::{Digest, Sha256};

use crate::error::{Error, Result};
use crate::store::CodeHash;

/// Recovery codes of a user.
pub(super) const RECOVERY_CODES: usize = 10;
/// Characters of a recovery code, without the dashes.
const LENGTH: usize = 12;
/// Characters between two dashes.
const GROUP: usize = 4;
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
/// Digits of a one-time code.
const DIGITS: usize = 6;

/// A typed code.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum TypedCode {
    /// A code of an authenticator app.
    OneTime(u32),
    /// A recovery code, without the dashes.
    Recovery(String),
}

/// Reads a typed code; `None` if the text is neither kind of code. Case, spaces, dashes and the
/// invisible marks of right-to-left text are ignored, and digits of other scripts are read as
/// digits.
pub(super) fn read(typed: &str) -> Option<TypedCode> {
    let code: String = typed.chars().filter(|c| !is_separator(*c)).map(folded).collect();
    if code.len() == DIGITS && code.bytes().all(|byte| byte.is_ascii_digit()) {
        return code.parse().ok().map(TypedCode::OneTime);
    }
    let is_recovery = code.len() == LENGTH && code.bytes().all(|byte| ALPHABET.contains(&byte));
    is_recovery.then_some(TypedCode::Recovery(code))
}

fn is_separator(c: char) -> bool {
    c.is_whitespace()
        || matches!(c, '-' | '\u{2010}'..='\u{2015}' | '\u{2212}')
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2066}'..='\u{2069}' | '\u{61c}')
}

/// Returns the character of the alphabet that a typed character stands for.
fn folded(c: char) -> char {
    let digit = |zero: char| {
        let digit = u32::from(c) - u32::from(zero);
        char::from_digit(digit, 10).unwrap_or(c)
    };
    match c.to_ascii_lowercase() {
        'o' => '0',
        'i' | 'l' => '1',
        // Arabic, Persian, and full-width digits.
        '\u{660}'..='\u{669}' => digit('\u{660}'),
        '\u{6f0}'..='\u{6f9}' => digit('\u{6f0}'),
        '\u{ff10}'..='\u{ff19}' => digit('\u{ff10}'),
        other => other,
    }
}

/// Generates the recovery codes of a user, as printed, with the hashes that the store keeps.
pub(super) fn make(user: UserId) -> Result<(Vec<String>, Vec<CodeHash>)> {
    let mut bytes = [0; RECOVERY_CODES * LENGTH];
    getrandom::fill(&mut bytes).map_err(|_| Error::Internal("no randomness"))?;
    let plain = bytes.chunks(LENGTH).map(|bytes| {
        // 256 is a multiple of 32, so every character is equally likely.
        let characters = bytes.iter().map(|byte| char::from(ALPHABET[usize::from(byte % 32)]));
        characters.collect::<String>()
    });
    let plain: Vec<String> = plain.collect();
    let hashes = plain.iter().map(|code| hash(user, code)).collect();
    Ok((plain.iter().map(|code| printed(code)).collect(), hashes))
}

fn printed(plain: &str) -> String {
    let characters: Vec<char> = plain.chars().collect();
    let groups = characters.chunks(GROUP).map(|group| group.iter().collect::<String>());
    groups.collect::<Vec<_>>().join("-")
}

/// Returns the hash of a recovery code without dashes.
pub(super) fn hash(user: UserId, plain: &str) -> CodeHash {
    Sha256::new().chain_update(user.0.as_bytes()).chain_update(plain).finalize().into()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn a_printed_recovery_code_is_read_in_every_spelling() {
        let user = UserId::new();
        let (printed, hashes) = make(user).expect("randomness");
        assert_eq!(printed.iter().collect::<HashSet<_>>().len(), RECOVERY_CODES);
        for (printed, expected) in printed.iter().zip(&hashes) {
            assert_eq!(printed.len(), 14, "{printed}");
            for typed in [
                printed.clone(),
                printed.to_uppercase(),
                printed.replace('-', ""),
                printed.replace('-', " \u{2013} "),
                printed.replace('0', "O").replace('1', "l"),
                format!("\u{2068}{printed}\u{2069}\n"),
            ] {
                let Some(TypedCode::Recovery(plain)) = read(&typed) else { panic!("{typed:?}") };
                assert_eq!(hash(user, &plain), *expected, "{typed:?}");
                assert_ne!(hash(UserId::new(), &plain), *expected, "of another user");
            }
        }
    }

    #[test]
    fn one_time_codes_are_read_in_the_digits_of_several_scripts() {
        for typed in ["012345", " 012 345 ", "٠١٢٣٤٥", "۰۱۲۳۴۵", "０１２３４５", "\u{200f}012-345"]
        {
            assert_eq!(read(typed), Some(TypedCode::OneTime(12_345)), "{typed:?}");
        }
        for typed in ["", "12345", "1234567", "12345a", "k7fq-2mzt-9c4", "k7fq-2mzt-9c4u", "é23456"]
        {
            assert_eq!(read(typed), None, "{typed:?}");
        }
    }
}
