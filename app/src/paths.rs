//! The addresses of the pages, and the rule for addresses that come from outside.

use protocol::{ConversationId, Seq};

/// The list, and the place to start from.
pub const HOME: &str = "/";
/// Signing in.
pub const SIGN_IN: &str = "/sign-in";
/// Creating an account.
pub const SIGN_UP: &str = "/sign-up";
/// Where the plain form that signs out posts to.
pub const SIGN_OUT: &str = "/sign-out";
/// Where the plain forms that open a conversation post to.
pub const OPEN: &str = "/open";
/// One's own account.
pub const SETTINGS: &str = "/settings";
/// Where the plain form that changes one's name posts to.
pub const SET_NAME: &str = "/settings/name";
/// Where the plain form that changes one's password posts to.
pub const SET_PASSWORD: &str = "/settings/password";
/// Where the plain form that says what others see posts to.
pub const SET_PRIVACY: &str = "/settings/privacy";
/// Where the plain forms that end a session post to.
pub const END_SESSION: &str = "/settings/sessions/end";
/// Where the plain form that changes the look posts to.
pub const SET_LOOK: &str = "/settings/look";
/// Inviting somebody.
pub const INVITE: &str = "/invite";
/// Where the plain form that ends all other sessions posts to.
pub const END_OTHER_SESSIONS: &str = "/settings/sessions/end-others";

/// Where the plain form that deletes one's account posts to.
pub const DELETE_ACCOUNT: &str = "/settings/delete";

/// A conversation's page.
pub fn conversation(id: ConversationId) -> String {
    format!("/c/{id}")
}

/// The conversation whose page this is, or the page of its person.
pub fn opened(path: &str) -> Option<ConversationId> {
    let id = path.strip_prefix("/c/")?;
    id.strip_suffix(ABOUT).unwrap_or(id).parse().ok()
}

/// What a conversation's address has behind it on the page of the other one.
const ABOUT: &str = "/about";

/// The page of whom one talks with.
pub fn about(id: ConversationId) -> String {
    conversation(id) + ABOUT
}

/// Whether this is the page of a person.
pub fn is_about(path: &str) -> bool {
    path.starts_with("/c/") && path.ends_with(ABOUT)
}

/// An invitation's page, and where its plain form posts to.
pub fn invitation(token: &str) -> String {
    format!("/invite/{token}")
}

/// The invitation whose page this is.
pub fn invited(path: &str) -> Option<&str> {
    path.strip_prefix("/invite/").filter(|token| !token.is_empty() && !token.contains('/'))
}

/// The page of a conversation around one message.
pub fn message(id: ConversationId, seq: Seq) -> String {
    format!("/c/{id}?m={seq}")
}

/// Where the plain "mark as read" form posts to.
pub fn mark_read(id: ConversationId) -> String {
    format!("/c/{id}/read")
}

/// Sign-in that comes back to `next` afterwards.
pub fn sign_in_then(next: &str) -> String {
    match safe(next) {
        HOME => SIGN_IN.to_owned(),
        next => format!("{SIGN_IN}?next={}", encode(next)),
    }
}

/// A `next` from a query or a form, if it is a path of this site; else the front page.
///
/// It must begin with one slash (two, or a slash and a backslash, name another host) and hold
/// visible ASCII only (a line break would end the header it goes into).
pub fn safe(path: &str) -> &str {
    let ours = path.starts_with('/')
        && !path.starts_with("//")
        && !path.starts_with("/\\")
        && path.chars().all(|c| c.is_ascii_graphic());
    if ours { path } else { HOME }
}

/// Percent-encodes a query value.
pub fn encode(value: &str) -> String {
    let mut encoded = String::with_capacity(value.len());
    for byte in value.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' | b'/' => {
                encoded.push(char::from(byte));
            }
            _ => {
                encoded.push('%');
                for digit in [byte >> 4, byte & 15] {
                    encoded.push(char::from(b"0123456789ABCDEF"[usize::from(digit)]));
                }
            }
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_paths_of_this_site_are_followed() {
        for good in ["/", "/c/1?m=3", "/sign-in"] {
            assert_eq!(safe(good), good);
        }
        for bad in [
            "",
            "c/1",
            "//evil.example",
            "/\\evil.example",
            "https://evil.example",
            "/a\r\nSet-Cookie: x",
            "/a b",
            "/\u{e9}",
        ] {
            assert_eq!(safe(bad), HOME, "{bad:?}");
        }
    }

    #[test]
    fn a_next_survives_the_query() {
        assert_eq!(sign_in_then("/c/1?m=3"), "/sign-in?next=/c/1%3Fm%3D3");
        assert_eq!(sign_in_then("//evil"), "/sign-in");
    }
}
