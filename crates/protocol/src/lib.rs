#![doc = include_str!("../README.md")]

mod body;
mod close;
mod conversation;
mod frame;
mod ids;
mod invitation;
pub mod limits;
mod refusal;
mod search;
mod settings;
pub mod words;

pub use body::{Body, BodyError};
pub use close::{CloseCode, Reconnect};
pub use conversation::{
    Conversation, ConversationPage, Cursor, HistoryPage, ListCursor, Marks, Message, Person,
    Presence, Sent, TickTime, TickTimes, Unread, User,
};
pub use frame::{ClientFrame, ServerFrame};
pub use ids::{ClientId, ConversationId, Epoch, Seq, SessionId, Timestamp, UserId};
pub use invitation::{Invitation, InvitationInfo, WaitingInvitation};
pub use limits::Limits;
pub use refusal::{ErrorCode, Refusal, Retry};
pub use search::{FoundConversation, SearchResults};
pub use settings::{Privacy, SessionInfo, Settings};

/// The WebSocket subprotocol that names this contract and its major version.
pub const SUBPROTOCOL: &str = "duet.v1";
/// A request may say by this header which user it is for. It is refused with
/// [`ErrorCode::OtherPerson`] when the session is somebody else's.
pub const FOR_HEADER: &str = "duet-for";
/// The same for the WebSocket: a second subprotocol, this and the user's id.
pub const FOR_SUBPROTOCOL: &str = "duet.for.";
/// Where the WebSocket is.
pub const SOCKET_PATH: &str = "/ws";
