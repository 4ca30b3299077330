#![doc = include_str!("../README.md")]
#![warn(missing_docs)]

mod body;
mod close;
mod conversation;
mod frame;
mod identity;
mod ids;
mod invitation;
pub mod limits;
mod passkey;
mod refusal;
mod search;
mod settings;
mod standing;
pub mod words;

pub use body::{Body, BodyError};
pub use close::{CloseCode, Reconnect};
pub use conversation::{
    Conversation, ConversationPage, Cursor, HistoryPage, ListCursor, Marks, Message, Person,
    Presence, Sent, TickTime, TickTimes, Unread, User,
};
pub use frame::{ClientFrame, ServerFrame};
pub use identity::{IdentityInfo, MOST_IDENTITIES, ProviderState};
pub use ids::{
    ClientId, ConversationId, Epoch, IdentityId, PasskeyId, Seq, SessionId, Timestamp, UserId,
};
pub use invitation::{Invitation, InvitationInfo, WaitingInvitation};
pub use limits::Limits;
pub use passkey::{
    MOST_PASSKEYS, PasskeyAnswer, PasskeyCeremony, PasskeyInfo, PasskeyState, PasskeySupport,
};
pub use refusal::{ErrorCode, Refusal, Retry};
pub use search::{FoundConversation, SearchResults};
pub use settings::{
    DeviceLink, DeviceLinkState, Privacy, SecondFactorSetUp, SecondFactorState, SessionInfo,
    Settings,
};
pub use standing::{BlockedUser, Standing};

/// The WebSocket subprotocol, which names this protocol and its major version.
pub const SUBPROTOCOL: &str = "duet.v1";
/// The request header that names the user whom a request is for. The server refuses the request
/// with [`ErrorCode::OtherPerson`] if the session belongs to another user.
pub const FOR_HEADER: &str = "duet-for";
/// The prefix of a second WebSocket subprotocol, followed by a user id. It has the meaning of
/// [`FOR_HEADER`].
pub const FOR_SUBPROTOCOL: &str = "duet.for.";
/// The path of the WebSocket endpoint.
pub const SOCKET_PATH: &str = "/ws";
