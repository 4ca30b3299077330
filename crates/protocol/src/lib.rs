#![doc = include_str!("../README.md")]

mod body;
mod close;
mod conversation;
mod frame;
mod ids;
mod invitation;
pub mod limits;
mod refusal;
mod settings;

pub use body::{Body, BodyError};
pub use close::{CloseCode, Reconnect};
pub use conversation::{
    Conversation, ConversationPage, Cursor, HistoryPage, ListCursor, Marks, Message, Person,
    Presence, Sent, TickTime, TickTimes, User,
};
pub use frame::{ClientFrame, ServerFrame};
pub use ids::{ClientId, ConversationId, Epoch, Seq, SessionId, Timestamp, UserId};
pub use invitation::{Invitation, InvitationInfo};
pub use limits::Limits;
pub use refusal::{ErrorCode, Refusal, Retry};
pub use settings::{Privacy, SessionInfo, Settings};

/// The WebSocket subprotocol that names this contract and its major version.
pub const SUBPROTOCOL: &str = "duet.v1";
/// Where the WebSocket is.
pub const SOCKET_PATH: &str = "/ws";
