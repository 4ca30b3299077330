//! Why a server closes a WebSocket, and whether to come back.

/// A close code of the server's. The number is on the wire; what to do is decided from it, never
/// from the text beside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CloseCode {
    /// 1003: a binary frame came; Duet speaks text.
    Binary,
    /// 1009: a frame over [`crate::limits::MAX_FRAME_BYTES`].
    TooLarge,
    /// 1012: the server stops or restarts. The reason text is the number of milliseconds to wait,
    /// different for each connection, so that not all come back at once.
    Restart,
    /// 1013: the client read too slowly and its queue was full. Come back, read the gap, merge.
    Slow,
    /// 4400: too many frames that could not be understood.
    Malformed,
    /// 4401: the session ended: signed out, expired or revoked. Sign in first.
    SessionEnded,
    /// 4408: nothing was heard for too long.
    Silent,
    /// 4429: too many connections of this person. Come back when another tab was closed.
    TooMany,
}

/// What to do after a close.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reconnect {
    /// Come back, with the usual growing, jittered delay.
    Yes,
    /// Do not come back by oneself; only when the person asks or the tab is looked at again.
    WhenAsked,
    /// Sign in first.
    AfterSignIn,
    /// Never: the client itself is at fault and would only do it again.
    No,
}

impl CloseCode {
    /// All of them, for documentation and tests.
    pub const ALL: [Self; 8] = [
        Self::Binary,
        Self::TooLarge,
        Self::Restart,
        Self::Slow,
        Self::Malformed,
        Self::SessionEnded,
        Self::Silent,
        Self::TooMany,
    ];

    /// The number on the wire.
    pub const fn code(self) -> u16 {
        match self {
            Self::Binary => 1003,
            Self::TooLarge => 1009,
            Self::Restart => 1012,
            Self::Slow => 1013,
            Self::Malformed => 4400,
            Self::SessionEnded => 4401,
            Self::Silent => 4408,
            Self::TooMany => 4429,
        }
    }

    /// Reads a number from the wire; `None` for every other, which means: come back.
    pub fn from_code(code: u16) -> Option<Self> {
        Self::ALL.into_iter().find(|known| known.code() == code)
    }

    /// Whether to come back.
    pub const fn reconnect(self) -> Reconnect {
        match self {
            Self::Restart | Self::Slow | Self::Silent => Reconnect::Yes,
            Self::TooMany => Reconnect::WhenAsked,
            Self::SessionEnded => Reconnect::AfterSignIn,
            Self::Binary | Self::TooLarge | Self::Malformed => Reconnect::No,
        }
    }

    /// A few words for a person who debugs; under the 123 bytes a close frame holds.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Binary => "send text frames",
            Self::TooLarge => "frame too large",
            Self::Restart => "restart",
            Self::Slow => "too slow: reconnect and catch up",
            Self::Malformed => "too many malformed frames",
            Self::SessionEnded => "the session ended",
            Self::Silent => "nothing heard for too long",
            Self::TooMany => "too many connections",
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
