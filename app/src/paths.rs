//! The paths of the pages, and the check for redirect targets that come from outside.

use protocol::{ConversationId, Seq};

/// The list of conversations, which is the front page.
pub const HOME: &str = "/";
pub const SIGN_IN: &str = "/sign-in";
pub const SIGN_UP: &str = "/sign-up";
/// The plain form that signs out.
pub const SIGN_OUT: &str = "/sign-out";
/// The plain forms that open a conversation.
pub const OPEN: &str = "/open";
/// The settings page.
pub const SETTINGS: &str = "/settings";
/// The list of the user's sessions.
pub const DEVICES: &str = "/settings#devices";
/// The plain form that changes the display name.
pub const SET_NAME: &str = "/settings/name";
/// The plain form that changes the password.
pub const SET_PASSWORD: &str = "/settings/password";
/// The plain form that changes the privacy settings.
pub const SET_PRIVACY: &str = "/settings/privacy";
/// The plain forms that end a session.
pub const END_SESSION: &str = "/settings/sessions/end";
/// The plain form that changes the appearance.
pub const SET_PREFERENCES: &str = "/settings/look";
/// The requests of people with whom the user has not talked.
pub const REQUESTS: &str = "/requests";
/// The page that creates invitations.
pub const INVITE: &str = "/invite";
/// The plain form that ends all other sessions.
pub const END_OTHER_SESSIONS: &str = "/settings/sessions/end-others";

/// The plain form that begins the set-up of two-step sign-in.
pub const BEGIN_TWO_STEP: &str = "/settings/two-step-begin";
/// The plain form that confirms the set-up of two-step sign-in.
pub const CONFIRM_TWO_STEP: &str = "/settings/two-step-confirm";
/// The plain form that replaces the recovery codes.
pub const RENEW_RECOVERY_CODES: &str = "/settings/recovery-codes";
/// The plain form that turns two-step sign-in off.
pub const TURN_OFF_TWO_STEP: &str = "/settings/two-step-off";

/// The plain form that makes a link that signs in another device.
pub const CREATE_DEVICE_LINK: &str = "/settings/device-link";
/// The plain form that renames a passkey.
pub const RENAME_PASSKEY: &str = "/settings/passkeys/rename";
/// The plain form that removes a passkey.
pub const REMOVE_PASSKEY: &str = "/settings/passkeys/remove";

/// The link that begins a sign-in through the provider.
pub const PROVIDER_SIGN_IN: &str = "/oidc/sign-in";
/// The link that begins to link an identity, after [`LINK_IDENTITY`].
pub const PROVIDER_LINK: &str = "/oidc/link";
/// The link that begins to confirm a change at the provider.
pub const PROVIDER_CONFIRM: &str = "/oidc/confirm";
/// The address to which the provider sends the browser back.
pub const PROVIDER_CALLBACK: &str = "/oidc/callback";
/// The page that asks for a code or a username after the provider, and the target of its form.
pub const PROVIDER_FINISH: &str = "/oidc/finish";
/// The plain form that permits the link of an identity.
pub const LINK_IDENTITY: &str = "/settings/identities/link";
/// The plain form that unlinks an identity.
pub const UNLINK_IDENTITY: &str = "/settings/identities/unlink";
/// The list of the user's identities.
pub const IDENTITIES: &str = "/settings#identities";

/// The plain form that deletes the account.
pub const DELETE_ACCOUNT: &str = "/settings/delete";

/// A conversation's page.
pub fn conversation(id: ConversationId) -> String {
    format!("/c/{id}")
}

/// The conversation of its page, or of the page about its peer.
pub fn opened(path: &str) -> Option<ConversationId> {
    let id = path.strip_prefix("/c/")?;
    id.strip_suffix(ABOUT).unwrap_or(id).parse().ok()
}

/// The suffix of the page about the peer.
const ABOUT: &str = "/about";

/// The page about the peer of a conversation.
pub fn about(id: ConversationId) -> String {
    conversation(id) + ABOUT
}

/// Whether this is the page about a peer.
pub fn is_about(path: &str) -> bool {
    path.starts_with("/c/") && path.ends_with(ABOUT)
}

/// An invitation's page, and the target of its plain form.
pub fn invitation(token: &str) -> String {
    format!("/invite/{token}")
}

/// The token of an invitation's page.
pub fn invited(path: &str) -> Option<&str> {
    path.strip_prefix("/invite/").filter(|token| !token.is_empty() && !token.contains('/'))
}

/// The page of a link that signs in another device, and the target of its plain form.
pub fn device_link(token: &str) -> String {
    format!("/link/{token}")
}

/// The token of the page of a link.
pub fn linked(path: &str) -> Option<&str> {
    path.strip_prefix("/link/").filter(|token| !token.is_empty() && !token.contains('/'))
}

/// A conversation's page around one message.
pub fn message(id: ConversationId, seq: Seq) -> String {
    format!("/c/{id}?m={seq}")
}

/// The plain form that marks a conversation as read.
pub fn mark_read(id: ConversationId) -> String {
    format!("/c/{id}/read")
}

/// The plain form that accepts a request.
pub fn accept_request(id: ConversationId) -> String {
    conversation(id) + "/accept"
}

/// The plain form that deletes a request.
pub fn delete_request(id: ConversationId) -> String {
    conversation(id) + "/delete"
}

/// The plain form that blocks a peer, or ends the block.
pub fn block(id: ConversationId) -> String {
    conversation(id) + "/block"
}

/// The plain form that mutes a conversation, or ends that.
pub fn mute(id: ConversationId) -> String {
    conversation(id) + "/mute"
}

/// The plain form that reports a peer.
pub fn report(id: ConversationId) -> String {
    conversation(id) + "/report"
}

/// The sign-in page that returns to `next` afterwards.
pub fn sign_in_then(next: &str) -> String {
    match safe(next) {
        HOME => SIGN_IN.to_owned(),
        next => format!("{SIGN_IN}?next={}", encode(next)),
    }
}

/// A redirect target from a query or a form, if it is a path of this site; otherwise the front
/// page.
///
/// The path must begin with exactly one slash, because two slashes or a slash and a backslash name
/// another host. It must be visible ASCII, because a line break would end the header that contains
/// it, and short, because a cookie may contain it.
pub fn safe(path: &str) -> &str {
    let ours = path.len() <= 1_024
        && path.starts_with('/')
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
    fn redirects_follow_only_paths_of_this_site() {
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
        assert_eq!(safe(&format!("/{}", "a".repeat(1_024))), HOME, "too long for a cookie");
    }

    #[test]
    fn the_path_to_return_to_survives_encoding_in_a_query() {
        assert_eq!(sign_in_then("/c/1?m=3"), "/sign-in?next=/c/1%3Fm%3D3");
        assert_eq!(sign_in_then("//evil"), "/sign-in");
    }
}
