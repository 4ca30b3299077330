//! Sizes that both ends must know, each with its reason.

use serde::{Deserialize, Serialize};

/// Longest message text, in characters (Unicode scalar values).
pub const MAX_BODY_CHARS: usize = 4_000;
/// Longest message text, in bytes of UTF-8: 4,000 characters of four bytes each.
pub const MAX_BODY_BYTES: usize = 16_000;
/// Largest frame either way, in bytes: the longest body with every byte escaped in JSON would
/// not fit, but such a body holds only control characters, which are refused anyway.
pub const MAX_FRAME_BYTES: usize = 32 * 1024;
/// Largest HTTP request body, in bytes.
pub const MAX_REQUEST_BYTES: usize = 64 * 1024;
/// Messages on one page of history.
pub const PAGE_MESSAGES: usize = 50;
/// Conversations on one page of the list.
pub const PAGE_CONVERSATIONS: usize = 50;
/// People in one answer of a search.
pub const PAGE_PEOPLE: usize = 20;
/// An unread count stops here: the page says "999+" beyond, and counting stays bounded.
pub const MAX_UNREAD: u32 = 1_000;
/// Shortest and longest username, in characters.
pub const USERNAME_CHARS: std::ops::RangeInclusive<usize> = 3..=32;
/// Longest display name, in characters.
pub const MAX_DISPLAY_NAME_CHARS: usize = 64;
/// Shortest password, in characters.
pub const MIN_PASSWORD_CHARS: usize = 10;
/// Longest password, in bytes: bounds the work of hashing, and no one types more.
pub const MAX_PASSWORD_BYTES: usize = 256;

/// What the server tells a client of its limits in `hello`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// See [`MAX_BODY_CHARS`].
    pub body_chars: usize,
    /// See [`MAX_FRAME_BYTES`].
    pub frame_bytes: usize,
    /// The client sends a `ping` when it has sent nothing else for this long, in milliseconds.
    pub ping_every_ms: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { body_chars: MAX_BODY_CHARS, frame_bytes: MAX_FRAME_BYTES, ping_every_ms: 25_000 }
    }
}
