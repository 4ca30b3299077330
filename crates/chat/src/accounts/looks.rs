//! What usernames look like, so that no account can pose as another one, and the usernames that no
//! account can have because they would pose as the operator.
//!
//! The appearance of a name is its skeleton by Unicode's data for security (UTS 39). A store keeps
//! the hash of a skeleton, so that the reservation of a deleted account's name does not contain the
//! name. The rules for names alone are in [`super::names`]. Sign-up and the suggestions of names
//! call this module, and the engines when they store or delete an account.

use std::collections::BTreeSet;

use sha2::{Digest, Sha256};
use unicode_security::skeleton;

use super::names::fold;

/// The hash of a skeleton.
pub(crate) type Look = [u8; 32];

/// Most rounds of skeleton and lower case. Two suffice for nearly all names: `0` looks like `O`,
/// which becomes `o`.
const ROUNDS: usize = 4;

/// Names of roles, in the languages of the page, without separators. A word here is reserved with
/// everything that looks like it.
const ROLES: [&str; 48] = [
    "abuse",
    "account",
    "accounts",
    "admin",
    "administration",
    "administrator",
    "administratorin",
    "admins",
    "deleted",
    "duet",
    "duetadmin",
    "duetsecurity",
    "duetsupport",
    "duetteam",
    "everyone",
    "help",
    "helpdesk",
    "hilfe",
    "hostmaster",
    "info",
    "mailerdaemon",
    "moderator",
    "moderators",
    "noreply",
    "official",
    "operator",
    "operators",
    "passwort",
    "password",
    "postmaster",
    "root",
    "security",
    "server",
    "service",
    "sicherheit",
    "staff",
    "superuser",
    "support",
    "sysadmin",
    "sysop",
    "system",
    "team",
    "verwaltung",
    "webmaster",
    "الأمان",
    "الإدارة",
    "الدعم",
    "المدير",
];

/// Returns the looks of a username: as written, and as folded, which differ where a capital letter
/// looks like another letter than its small form. Each look once, in ascending order, in which the
/// engines lock them.
pub(crate) fn looks_of(username: &str) -> Vec<Look> {
    let looks: BTreeSet<Look> = appearances(username)
        .iter()
        .map(|appearance| Sha256::digest(appearance.as_bytes()).into())
        .collect();
    looks.into_iter().collect()
}

/// Returns whether a username is the name of a role, or looks like one. Separators, and a number at
/// the end, do not count, and `l` counts as `i`, because `1` is read as either.
pub(crate) fn is_reserved(username: &str) -> bool {
    let letters: String = username.chars().filter(|c| !matches!(c, '.' | '_' | '-')).collect();
    let names = [letters.as_str(), letters.trim_end_matches(char::is_numeric)];
    let looks = names.map(appearances).concat();
    let looks: Vec<String> = looks.iter().map(|look| look.replace('l', "i")).collect();
    ROLES.iter().any(|role| looks.contains(&appearance(role).replace('l', "i")))
}

fn appearances(username: &str) -> [String; 2] {
    [appearance(username), appearance(&fold(username))]
}

fn appearance(name: &str) -> String {
    let mut seen = name.to_owned();
    for _ in 0..ROUNDS {
        let next: String = skeleton(&seen).flat_map(char::to_lowercase).collect();
        if next == seen {
            break;
        }
        seen = next;
    }
    seen
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look_alike(one: &str, other: &str) -> bool {
        let looks = looks_of(one);
        looks_of(other).iter().any(|look| looks.contains(look))
    }

    #[test]
    fn names_that_look_the_same_share_a_look() {
        for (one, other) in [
            ("anna", "ANNA"),
            ("annal", "anna1"),
            ("annal", "annaI"),
            ("paypal", "paypaI"),
            ("bob", "b0b"),
            ("bob", "BOB"),
            ("milo", "rnilo"),
            ("MILO", "rnilo"),
            ("coco", "сосо"),
            ("BOB", "ВОВ"),
            ("ian", "IAN"),
            ("Ian", "lan"),
            ("kiwi", "kıwi"),
        ] {
            assert!(look_alike(one, other), "{one} {other}");
            assert!(look_alike(other, one), "{other} {one}");
        }
    }

    #[test]
    fn names_that_look_different_share_no_look() {
        for (one, other) in [
            ("anna", "anne"),
            ("ian", "lan"),
            ("ali", "all"),
            ("anna.berg", "annaberg"),
            ("anna.berg", "anna-berg"),
            ("anna2", "anna3"),
            ("zoë", "zoe"),
            ("田中", "由中"),
            ("نور", "نورا"),
        ] {
            assert!(!look_alike(one, other), "{one} {other}");
        }
    }

    #[test]
    fn names_of_roles_are_reserved_with_their_look_alikes() {
        for name in [
            "admin",
            "Admin",
            "ADMIN",
            "adrnin",
            "adm1n.",
            "_support_",
            "sup-port",
            "supp0rt",
            "rооt",
            "ROOT",
            "r00t",
            "post.master",
            "duet",
            "Hilfe",
            "admin2",
            "duet-team.24",
            "systern",
            "الدعم",
        ] {
            assert!(is_reserved(name), "{name}");
        }
        for name in ["anna", "admina", "rooty", "helper", "teamo", "supporter", "duetto"] {
            assert!(!is_reserved(name), "{name}");
        }
    }
}
