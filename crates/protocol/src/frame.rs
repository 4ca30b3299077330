//! The frames of the WebSocket: one JSON object per text message, tagged by `type`.
//!
//! A receiver ignores unknown fields. A client ignores frames with an unknown `type`, so that a
//! newer server can talk to it; a server refuses them.

use serde::{Deserialize, Serialize};

use crate::{
    ClientId, ConversationId, Epoch, Limits, Message, Presence, Refusal, Sent, Seq, Timestamp,
    User, UserId,
};

/// A frame from a client.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ClientFrame {
    /// Requests that a message be stored and delivered. The answer is `sent` or `refused`, each
    /// with the same `client_id`. Repeat the frame unchanged until one of them arrives.
    Send {
        /// The conversation.
        conversation: ConversationId,
        /// The message id, generated once and kept over repeats.
        client_id: ClientId,
        /// The text; see [`crate::Body`].
        body: String,
    },
    /// Reports that this client has applied every message up to `up_to`. Answered only if refused.
    Delivered {
        /// The conversation.
        conversation: ConversationId,
        /// The newest seq applied; inclusive.
        up_to: Seq,
    },
    /// Reports that the user has seen every message up to `up_to`. Implies `delivered`. Answered
    /// only if refused.
    Read {
        /// The conversation.
        conversation: ConversationId,
        /// The newest seq seen; inclusive.
        up_to: Seq,
    },
    /// Reports that the user is typing or has stopped. Sent at most every 3 seconds while they
    /// type.
    Typing {
        /// The conversation.
        conversation: ConversationId,
        /// False as soon as the user stops or sends.
        active: bool,
    },
    /// Keeps the connection alive. Answered by `pong`.
    Ping,
}

/// A frame from the server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ServerFrame {
    /// The first frame. Every event after it reaches this client, so history fetched after it
    /// leaves no gap. The server sends `hello` again when events may have been lost; the client
    /// then resyncs as after the first one.
    Hello {
        /// The user of the session.
        user: User,
        /// The epoch of the store; see [`Epoch`].
        epoch: Epoch,
        /// The server's clock.
        time: Timestamp,
        /// The limits that the server enforces.
        limits: Limits,
        /// The build of the page that this server serves. A page of another build is outdated;
        /// other clients ignore the field.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        build: Option<String>,
    },
    /// The message is on disk.
    Sent(Sent),
    /// The request was refused and changed nothing.
    Refused {
        /// The `type` of the refused frame; absent if the frame could not be parsed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        re: Option<String>,
        /// The conversation that the refused frame named, if any.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        conversation: Option<ConversationId>,
        /// The message id, if a `send` was refused.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        client_id: Option<ClientId>,
        /// The reason, and when a retry can succeed.
        #[serde(flatten)]
        refusal: Refusal,
    },
    /// A message was stored: from the peer, or from another connection of the same user.
    Message(Message),
    /// The marks of the peer or of the user moved.
    Receipt {
        /// The conversation.
        conversation: ConversationId,
        /// The user whose marks moved.
        user: UserId,
        /// The present delivered mark; see [`crate::Marks`].
        delivered: Seq,
        /// The present read mark; see [`crate::Marks`].
        read: Seq,
    },
    /// A peer came online or went offline.
    Presence {
        /// The peer.
        user: UserId,
        /// The peer's present presence.
        #[serde(flatten)]
        presence: Presence,
    },
    /// A peer, or the user on another connection, changed their name. Empty names mean that the
    /// account was deleted.
    User(User),
    /// The conversation changed beside its messages and marks: both users have answered from now
    /// on, or the user accepted, deleted, blocked or muted the conversation. Clients fetch the
    /// conversation.
    Changed {
        /// The conversation.
        conversation: ConversationId,
    },
    /// A new session of the user began elsewhere: somebody signed in. A hint, which may be lost; the
    /// list of sessions has every session.
    SignedIn {
        /// The browser or app that signed in; empty if unknown.
        device: String,
    },
    /// The peer is typing. Discard the state 6 seconds after the last such frame.
    Typing {
        /// The conversation.
        conversation: ConversationId,
        /// The peer.
        user: UserId,
        /// False when the peer has stopped.
        active: bool,
    },
    /// The answer to `ping`.
    Pong,
}
