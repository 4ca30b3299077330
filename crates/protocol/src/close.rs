//! WebSocket close codes, and whether a client reconnects after each of them. The server sends the
//! codes; every client decides by them.

/// A close code that the server sends. Clients decide by the number, never by the reason text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CloseCode {
    /// 1002: the client broke the WebSocket protocol, or the bytes were damaged on the way: an
    /// unmasked frame, reserved bits, an unknown opcode, a wrong sequence of fragments.
    Protocol,
    /// 1003: the client sent a binary frame; Duet accepts text frames only.
    Binary,
    /// 1007: the client sent a text that is not UTF-8, or the bytes were damaged on the way.
    NotUtf8,
    /// 1009: the client sent a frame over [`crate::limits::MAX_FRAME_BYTES`].
    TooLarge,
    /// 1012: the server stops or restarts. The reason text is the number of milliseconds to wait.
    /// It differs per connection, so that clients do not all reconnect at once.
    Restart,
    /// 1013: the outbound queue was full because the client read too slowly. Reconnect, fetch the
    /// gap, merge.
    Slow,
    /// 4400: the client sent too many frames that could not be parsed.
    Malformed,
    /// 4401: the session was signed out, expired or was revoked. Sign in before reconnecting.
    SessionEnded,
    /// 4408: the server received nothing from the client for too long.
    Silent,
    /// 4420: the server refused too many of the user's frames in a short time. Reconnect with the
    /// growing delay, and wait `retry_after_ms` after a refusal.
    TooManyRefused,
    /// 4429: the user has too many connections. Reconnect after another tab is closed.
    TooMany,
    /// 4503: the server cannot take the connection at present: this node has too many connections,
    /// or the store failed. Reconnect.
    Unavailable,
}

/// What a client does after a close.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reconnect {
    /// Reconnect with the usual growing, jittered delay.
    Yes,
    /// Do not reconnect automatically. Reconnect when the user requests it or returns to the tab.
    WhenAsked,
    /// Sign in first.
    AfterSignIn,
    /// Never reconnect, because the client itself is at fault and would repeat the error.
    No,
}

impl CloseCode {
    /// Every close code, for documentation and tests.
    pub const ALL: [Self; 12] = [
        Self::Protocol,
        Self::Binary,
        Self::NotUtf8,
        Self::TooLarge,
        Self::Restart,
        Self::Slow,
        Self::Malformed,
        Self::SessionEnded,
        Self::Silent,
        Self::TooManyRefused,
        Self::TooMany,
        Self::Unavailable,
    ];

    /// Returns the number on the wire.
    pub const fn code(self) -> u16 {
        match self {
            Self::Protocol => 1002,
            Self::Binary => 1003,
            Self::NotUtf8 => 1007,
            Self::TooLarge => 1009,
            Self::Restart => 1012,
            Self::Slow => 1013,
            Self::Malformed => 4400,
            Self::SessionEnded => 4401,
            Self::Silent => 4408,
            Self::TooManyRefused => 4420,
            Self::TooMany => 4429,
            Self::Unavailable => 4503,
        }
    }

    /// Parses a number from the wire. `None` stands for every other number; the client then
    /// reconnects as after [`Reconnect::Yes`].
    pub fn from_code(code: u16) -> Option<Self> {
        Self::ALL.into_iter().find(|known| known.code() == code)
    }

    /// Returns whether a client reconnects after this code.
    pub const fn reconnect(self) -> Reconnect {
        match self {
            Self::Protocol
            | Self::NotUtf8
            | Self::Restart
            | Self::Slow
            | Self::Silent
            | Self::TooManyRefused
            | Self::Unavailable => Reconnect::Yes,
            Self::TooMany => Reconnect::WhenAsked,
            Self::SessionEnded => Reconnect::AfterSignIn,
            Self::Binary | Self::TooLarge | Self::Malformed => Reconnect::No,
        }
    }

    /// Returns a short reason for debugging, under the 123 bytes that fit in a close frame.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Protocol => "broken frame",
            Self::Binary => "send text frames",
            Self::NotUtf8 => "text that is not UTF-8",
            Self::TooLarge => "frame too large",
            Self::Restart => "restart",
            Self::Slow => "too slow: reconnect and resync",
            Self::Malformed => "too many malformed frames",
            Self::SessionEnded => "the session ended",
            Self::Silent => "nothing received for too long",
            Self::TooManyRefused => "too many refused frames: wait before the next one",
            Self::TooMany => "too many connections",
            Self::Unavailable => "unavailable: reconnect later",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_its_own_and_reads_back() {
        for close in CloseCode::ALL {
            assert_eq!(CloseCode::from_code(close.code()), Some(close));
            assert!(close.reason().len() <= 123);
        }
        assert_eq!(CloseCode::from_code(1006), None);
    }
}
