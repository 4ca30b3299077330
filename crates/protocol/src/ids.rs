//! Names of things: people, conversations, messages, and places in a conversation.
//!
//! Every id is a UUID in its own type, so that one cannot be passed where another belongs. An id
//! is not a permission: whoever presents one is asked, each time, whether they may.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl $name {
            /// Makes a new id (`UUIDv7`: sortable by the moment of making, unguessable enough to
            /// be unique, not secret).
            pub fn new() -> Self {
                Self(Uuid::now_v7())
            }
        }

        impl Default for $name {
            fn default() -> Self {
                Self::new()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = uuid::Error;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                text.parse().map(Self)
            }
        }
    };
}

id! {
    /// A person with an account.
    UserId
}
id! {
    /// The thread of two people. Both use the same id for it.
    ConversationId
}
id! {
    /// A message's id, made by the sender's client when Enter is pressed and kept over every
    /// repeat. Unique together with the sender, for ever: that is what makes a send idempotent.
    ClientId
}

impl ClientId {
    /// A new id that sorts behind `last`, also when the clock was turned back since that was made.
    pub fn after(last: Option<Self>) -> Self {
        /// A `UUIDv7` begins with 48 bits of milliseconds.
        const BELOW_TIME: u32 = 80;
        let new = Self::new();
        match last {
            Some(last) if new <= last => {
                let next = (last.0.as_u128() >> BELOW_TIME) + 1;
                let below = new.0.as_u128() & ((1 << BELOW_TIME) - 1);
                Self(Uuid::from_u128((next << BELOW_TIME) | below))
            }
            _ => new,
        }
    }
}

id! {
    /// One sign-in. Its secret token is known to the browser alone.
    SessionId
}
id! {
    /// The life of a store. It changes when a backup was restored; whatever a client holds from
    /// another epoch must be forgotten and read again.
    Epoch
}

/// A place in a conversation: 1 for its first change, then one more for each, without a hole.
///
/// Zero means "before the first". Signed because that is what comes over the wire; a negative
/// one is refused as out of range, never used.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Seq(pub i64);

impl Seq {
    /// Before the first message.
    pub const ZERO: Self = Self(0);

    /// The place after this one.
    pub fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

impl fmt::Display for Seq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A moment by the server's clock, in milliseconds since the Unix epoch. To be shown, never to
/// be ordered by.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Timestamp(pub i64);
