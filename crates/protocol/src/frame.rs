//! The frames of the WebSocket: one JSON object in one text message, tagged by `type`.
//!
//! A receiver ignores fields it does not know. A client ignores frames whose `type` it does not
//! know, so that a newer server may speak to it; a server refuses them.

use serde::{Deserialize, Serialize};

use crate::{
    ClientId, ConversationId, Epoch, Limits, Message, Presence, Refusal, Sent, Seq, Timestamp,
    User, UserId,
};

/// What a client may say.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ClientFrame {
    /// Store this message and pass it on. Answered by `sent` or `refused`, each with the same
    /// `client_id`. Repeat it, unchanged, until one of them has come.
    Send {
        /// Where.
        conversation: ConversationId,
        /// Made once, kept over repeats.
        client_id: ClientId,
        /// See [`crate::Body`].
        body: String,
    },
    /// Everything up to this place has reached this client. Answered only if refused.
    Delivered {
        /// Where.
        conversation: ConversationId,
        /// Inclusive.
        up_to: Seq,
    },
    /// Everything up to this place was seen by the person. Implies `delivered`.
    Read {
        /// Where.
        conversation: ConversationId,
        /// Inclusive.
        up_to: Seq,
    },
    /// The person is typing, or has stopped. Said at most every 3 seconds while they type.
    Typing {
        /// Where.
        conversation: ConversationId,
        /// False as soon as they stop or send.
        active: bool,
    },
    /// Are you there? Answered by `pong`.
    Ping,
}

/// What a server says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ServerFrame {
    /// The first frame. From here on every event reaches this client, so history read after it
    /// leaves no gap. Said again when that was not so for a moment: then read again, as after the
    /// first.
    Hello {
        /// Whose session this is.
        user: User,
        /// See [`Epoch`].
        epoch: Epoch,
        /// The server's clock.
        time: Timestamp,
        /// What it accepts.
        limits: Limits,
        /// Which build of the page this server gives out. A page of another one is not the newest;
        /// other clients have no use for it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        build: Option<String>,
    },
    /// The message is on disk.
    Sent(Sent),
    /// What was asked was not done, and nothing changed.
    Refused {
        /// The `type` of the frame that is refused; absent if it could not be read.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        re: Option<String>,
        /// Where, if the refused frame said so.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        conversation: Option<ConversationId>,
        /// Which message, if a `send` is refused.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        client_id: Option<ClientId>,
        /// Why, and whether to come again.
        #[serde(flatten)]
        refusal: Refusal,
    },
    /// A message was stored: the peer's, or one of my own from another of my connections.
    Message(Message),
    /// Someone's marks moved, the peer's or mine.
    Receipt {
        /// Where.
        conversation: ConversationId,
        /// Whose.
        user: UserId,
        /// See [`crate::Marks`].
        delivered: Seq,
        /// See [`crate::Marks`].
        read: Seq,
    },
    /// A person one talks with came or went.
    Presence {
        /// Who.
        user: UserId,
        /// Now.
        #[serde(flatten)]
        presence: Presence,
    },
    /// A person one talks with, or oneself, has another name now, or none: then their account was
    /// deleted.
    User(User),
    /// The peer is typing. Forget it 6 seconds after the last one.
    Typing {
        /// Where.
        conversation: ConversationId,
        /// Who.
        user: UserId,
        /// False when they stopped.
        active: bool,
    },
    /// I am here.
    Pong,
}
