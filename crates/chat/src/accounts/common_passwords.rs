//! The passwords that an attacker tries first: the 100,000 most common ones, and of the next 900,000
//! those that are long enough for a new password. `scripts/common-passwords` makes the list.
//!
//! Must not judge a password in another way; [`super::hashing`], which alone calls this module, also
//! estimates the number of guesses. The first look-up decompresses the list, which takes some
//! milliseconds and a megabyte of memory, so look-ups run where passwords are hashed.

use std::io::Read;
use std::sync::LazyLock;

use brotli_decompressor::Decompressor;

/// Sorted lines in lower case.
const COMPRESSED: &[u8] = include_bytes!("common_passwords.br");
/// The buffer of the decompressor, in bytes.
const BUFFER_BYTES: usize = 4 * 1024;
/// Shortest text between digits and punctuation that is looked up by itself, in characters.
const SHORTEST_CORE: usize = 8;

/// Empty if the list cannot be read, which the test of this module rules out: the list is a part of
/// the program.
static LIST: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let mut list = Vec::new();
    if Decompressor::new(COMPRESSED, BUFFER_BYTES).read_to_end(&mut list).is_err() {
        list.clear();
    }
    list
});

/// Returns whether a password is common: itself, its letters without the digits and punctuation
/// around them if they are most of it, or the text of which it is a repetition.
pub(super) fn is_common(password: &str) -> bool {
    let password = password.to_lowercase();
    let core = password.trim_matches(|c: char| !c.is_alphabetic());
    let is_most = core.chars().count() >= SHORTEST_CORE && core.len() * 2 > password.len();
    is_listed(&password)
        || repeated(&password).is_some_and(is_listed)
        || is_most && (is_listed(core) || repeated(core).is_some_and(is_listed))
}

/// Returns the shortest text that, repeated, gives this one.
fn repeated(text: &str) -> Option<&str> {
    let units = (1..=text.len() / 2).filter(|length| text.len().is_multiple_of(*length));
    let mut units = units.filter_map(|length| text.get(..length));
    units.find(|unit| text.as_bytes().chunks(unit.len()).all(|part| part == unit.as_bytes()))
}

fn is_listed(password: &str) -> bool {
    let (list, wanted) = (LIST.as_slice(), password.as_bytes());
    // A binary search over the lines. The wanted line begins in `from..to`, both starts of a line.
    let (mut from, mut to) = (0, list.len());
    while from < to {
        let middle = from + (to - from) / 2;
        let before = list.get(from..middle).unwrap_or_default();
        let start = before.iter().rposition(|byte| *byte == b'\n').map_or(from, |at| from + at + 1);
        let rest = list.get(start..to).unwrap_or_default();
        let line = rest.split(|byte| *byte == b'\n').next().unwrap_or_default();
        match line.cmp(wanted) {
            std::cmp::Ordering::Equal => return true,
            std::cmp::Ordering::Less => from = start + line.len() + 1,
            std::cmp::Ordering::Greater => to = start,
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_of_the_list_is_found_and_the_list_is_small() {
        let list = std::str::from_utf8(&LIST).expect("text");
        let lines: Vec<&str> = list.lines().collect();
        assert!(lines.len() > 100_000, "{}", lines.len());
        assert!(lines.is_sorted(), "by bytes");
        assert!(lines.iter().all(|line| is_listed(line)));
        for absent in ["", "\n", "a", "zzzzzzzzzzzzzzzzzzzzzzzzzzz", "~~~~~~~~~~~~~~~~~", "日本"]
        {
            assert_eq!(is_listed(absent), lines.contains(&absent), "{absent:?}");
        }
        assert!(COMPRESSED.len() < 400_000, "{} bytes in the program", COMPRESSED.len());
    }

    #[test]
    fn common_passwords_are_found_in_disguise() {
        for common in [
            "1qaz2wsx3edc4rfv",
            "1QAZ2wsx3EDC4rfv",
            "manchesterunited",
            "ManchesterUnited1!",
            "sunshinesunshine",
            "2024!sunshinesunshine!",
            "dragondragondragon",
        ] {
            assert!(is_common(common), "{common}");
        }
        for good in [
            "tulip-Harbor-92",
            "correct horse battery",
            "sunshine on the second floor",
            "482917 dragon 5520183",
            "日本語のパスワードは長い方がいい",
        ] {
            assert!(!is_common(good), "{good}");
        }
    }
}
