//! `/.well-known/security.txt` (RFC 9116): where to report a vulnerability of this server. Served
//! only if the operator has set a contact. [`crate::run`] makes the text once, because it names the
//! public address; [`crate::router`] serves it.

use std::time::{Duration, SystemTime};

use anyhow::{Context, Result};
use jiff::Timestamp;
use url::Url;

/// The path of the file.
pub(crate) const PATH: &str = "/.well-known/security.txt";
/// How long the file is valid from the start of the process: less than a year, as the RFC
/// recommends.
const VALID_FOR: Duration = Duration::from_secs(364 * 24 * 60 * 60);

/// Parses the setting: a URI of https, mailto or tel, or an e-mail address.
///
/// # Errors
/// Any other text.
pub(crate) fn contact(text: &str) -> Result<String, String> {
    let text = text.trim();
    let uri = if text.contains('@') && !text.contains(':') {
        format!("mailto:{text}")
    } else {
        text.to_owned()
    };
    let is_visible = uri.chars().all(|c| c.is_ascii_graphic());
    let parsed = Url::parse(&uri).ok().filter(|_| is_visible);
    match parsed.filter(|uri| matches!(uri.scheme(), "https" | "mailto" | "tel")) {
        Some(_) => Ok(uri),
        None => Err(format!("{text} is not an e-mail address or a URL of https, mailto or tel")),
    }
}

/// Returns the text of the file. The canonical address is left out for a public address without
/// https, which the RFC does not allow.
///
/// # Errors
/// Fails if the clock is wrong by centuries.
pub(crate) fn text(contact: &str, public_url: &str, start: SystemTime) -> Result<String> {
    let expires = Timestamp::try_from(start + VALID_FOR).context("the clock is wrong")?;
    let expires = expires.strftime("%Y-%m-%dT%H:%M:%SZ");
    let mut text =
        format!("Contact: {contact}\nExpires: {expires}\nPreferred-Languages: en, de, ar\n");
    if public_url.starts_with("https://") {
        text += &format!("Canonical: {public_url}{PATH}\n");
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_has_the_fields_of_the_standard() {
        let start = SystemTime::UNIX_EPOCH + Duration::from_secs(1_767_225_600);
        assert_eq!(
            text("mailto:duty@example.org", "https://chat.example.org", start).expect("a text"),
            "Contact: mailto:duty@example.org\nExpires: 2026-12-31T00:00:00Z\n\
             Preferred-Languages: en, de, ar\n\
             Canonical: https://chat.example.org/.well-known/security.txt\n"
        );
        let local = text("tel:+49-30-123", "http://127.0.0.1:3000", start).expect("a text");
        assert!(!local.contains("Canonical"), "{local}");
    }

    #[test]
    fn a_contact_is_an_address_that_a_reader_can_follow() {
        for (typed, parsed) in [
            ("duty@example.org", "mailto:duty@example.org"),
            (" mailto:duty@example.org ", "mailto:duty@example.org"),
            ("https://example.org/report", "https://example.org/report"),
            ("tel:+49-30-123", "tel:+49-30-123"),
        ] {
            assert_eq!(contact(typed).as_deref(), Ok(parsed));
        }
        for wrong in [
            "",
            "duty",
            "http://example.org",
            "javascript:alert(1)",
            "https://example.org/\nExpires: 2999-01-01T00:00:00Z",
            "https://exämple.org",
        ] {
            assert!(contact(wrong).is_err(), "{wrong:?}");
        }
    }
}
