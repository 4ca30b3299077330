//! Limits that client and server share, each with its reason. The server enforces them; a client
//! applies them before it sends.

use serde::{Deserialize, Serialize};

/// Longest message text, in characters (Unicode scalar values).
pub const MAX_BODY_CHARS: usize = 4_000;
/// Longest message text, in bytes of UTF-8: a character takes up to four.
pub const MAX_BODY_BYTES: usize = MAX_BODY_CHARS * 4;
/// Most bytes that one character of a text takes on the wire. In JSON: an emoji as two `\u` escapes
/// (`\ud83d\ude00`), or a line break as `\u000d\u000a`. In a form: four bytes as `%F0%9F%98%80`.
pub const BYTES_PER_CHAR: usize = 12;
/// Room for everything except the text: names and ids of the other fields, of which each letter may
/// be a `\u` escape of six bytes, unknown fields, and white space.
const BESIDE_BODY_BYTES: usize = 4 * 1024;
/// Largest frame in either direction, in bytes: every text within [`MAX_BODY_CHARS`] fits, in any
/// escaping that a client's JSON library chooses.
pub const MAX_FRAME_BYTES: usize = MAX_BODY_CHARS * BYTES_PER_CHAR + BESIDE_BODY_BYTES;
/// Largest HTTP request body, in bytes: room for a message as in a frame, and for a form with every
/// other field at its longest.
pub const MAX_REQUEST_BYTES: usize = 64 * 1024;
const _: () = assert!(MAX_REQUEST_BYTES >= MAX_FRAME_BYTES);
/// Messages on one page of history.
pub const PAGE_MESSAGES: usize = 50;
/// Conversations on one page of the list.
pub const PAGE_CONVERSATIONS: usize = 50;
/// Conversations after the first page of the list that the server checks for unread messages.
pub const MAX_UNREAD_ELSEWHERE: usize = 1_000;
/// Users in one search result, and conversations.
pub const PAGE_PEOPLE: usize = 20;
/// As [`PAGE_PEOPLE`], when the client requests all results. There is no further page: the user
/// narrows the query instead.
pub const MOST_FOUND: usize = 100;
/// The bound of an unread count. The page shows "999+" beyond it, and counting stays bounded.
pub const MAX_UNREAD: u32 = 1_000;
/// The bound of the count of requests. The page shows "99+" beyond it.
pub const MAX_REQUESTS_COUNTED: u32 = 100;
/// Users in the list of blocked users: the most recently blocked.
pub const MOST_BLOCKED_LISTED: usize = 1_000;
/// Messages in a report to the operator.
pub const REPORT_MESSAGES: std::ops::RangeInclusive<usize> = 1..=20;
/// Longest reason of a report, in characters.
pub const MAX_REASON_CHARS: usize = 1_000;
/// Shortest and longest username, in characters.
pub const USERNAME_CHARS: std::ops::RangeInclusive<usize> = 3..=32;
/// Longest username as typed, in bytes. A name may be typed with white space around it and in another
/// Unicode form: sixteen bytes for each character are plenty.
pub const MAX_USERNAME_BYTES: usize = *USERNAME_CHARS.end() * 16;
/// Longest display name, in characters.
pub const MAX_DISPLAY_NAME_CHARS: usize = 64;
/// Longest display name as typed, in bytes.
pub const MAX_DISPLAY_NAME_BYTES: usize = MAX_DISPLAY_NAME_CHARS * 16;
/// Longest search text, in bytes. A longer one finds nobody.
pub const MAX_QUERY_BYTES: usize = 1024;
/// Shortest new password, in characters: the length for a password that is the only factor. Older
/// accounts may have shorter ones.
pub const MIN_PASSWORD_CHARS: usize = 15;
/// Longest password, in bytes; bounds the cost of hashing.
pub const MAX_PASSWORD_BYTES: usize = 256;

/// The limits that the server sends to a client in `hello`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// The value of [`MAX_BODY_CHARS`].
    pub body_chars: usize,
    /// The value of [`MAX_FRAME_BYTES`].
    pub frame_bytes: usize,
    /// The client sends a `ping` when it has sent nothing else for this many milliseconds.
    pub ping_every_ms: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { body_chars: MAX_BODY_CHARS, frame_bytes: MAX_FRAME_BYTES, ping_every_ms: 25_000 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Body, ClientFrame, ClientId, ConversationId};

    /// A text in JSON with every character as `\u` escapes.
    fn escaped(text: &str) -> String {
        text.encode_utf16().map(|unit| format!("\\u{unit:04x}")).collect()
    }

    /// The longest form encoding of a text.
    fn percent(text: &str) -> String {
        text.bytes().map(|byte| format!("%{byte:02X}")).collect()
    }

    #[test]
    fn the_longest_text_fits_a_frame_and_a_request_in_every_spelling() {
        for character in ["😀", "\u{10FFFF}", "\r\n", "字", "ü", "\"", "\\", "\n", "a"] {
            let body = format!("a{}", character.repeat(MAX_BODY_CHARS - 2)) + "z";
            assert!(Body::parse(&body).is_ok(), "{character:?} is within the limit");
            let (conversation, client_id) = (ConversationId::new(), ClientId::new());
            let frame = ClientFrame::Send { conversation, client_id, body: body.clone() };
            let plain = serde_json::to_string_pretty(&frame).expect("JSON");
            assert!(plain.len() <= MAX_FRAME_BYTES);
            let [conversation, client] = [conversation.to_string(), client_id.to_string()];
            let fields = [
                ("type", "send"),
                ("conversation", &conversation),
                ("client_id", &client),
                ("body", &body),
            ];
            let fields = fields.map(|(k, v)| format!("\"{}\" : \"{}\"", escaped(k), escaped(v)));
            let all = format!("{{\n  {}\n}}", fields.join(",\n  "));
            assert_eq!(serde_json::from_str::<ClientFrame>(&all).ok(), Some(frame));
            assert!(all.len() <= MAX_FRAME_BYTES, "{character:?}: {}", all.len());
            let form = format!(
                "conversation={conversation}&client_id={client}&sender={client}&seen=9&body="
            );
            assert!(form.len() + percent(&body).len() <= MAX_REQUEST_BYTES, "{character:?}");
        }
    }
}
