//! The parts that pages are built from. Components read [`crate::state`] and call
//! [`crate::server_fns`]; none of them uses the socket.

mod announcer;
mod avatar;
mod banner;
mod brand;
mod code_field;
mod composer;
mod conversation_header;
mod conversation_list;
mod emoji;
mod field;
mod greeting;
mod icons;
mod message_menu;
mod message_row;
mod no_conversations;
mod notification_choices;
mod overlays;
mod profile_bar;
mod prompt;
mod qr_code;
mod requests_link;
mod scroll;
mod search;
pub mod settings;
mod shortcuts;
mod sign_out_dialog;
mod skeleton;
mod standing_bar;
mod timeline;

pub use avatar::Avatar;
pub use banner::Banner;
pub use brand::{DuetMark, Wordmark};
pub use code_field::CodeField;
pub use composer::Composer;
#[cfg(feature = "ssr")]
pub(crate) use composer::escaped;
pub use conversation_header::ConversationHeader;
pub use conversation_list::ConversationList;
pub use field::{FieldKind, ForWhom, FormAlert, TextField, begin_in};
pub use greeting::Greeting;
pub use icons::Icon;
pub use message_row::MessageRow;
pub use no_conversations::NoConversations;
pub use notification_choices::NotificationChoices;
#[cfg(feature = "hydrate")]
pub(crate) use overlays::load_what_is_shown;
pub use overlays::{LazyOverlays, use_overlays};
pub use profile_bar::ProfileBar;
pub use prompt::Prompt;
pub use qr_code::QrCode;
pub use requests_link::RequestsLink;
pub use search::{Found, PeopleSearch, Search};
pub use shortcuts::{Shortcuts, ShortcutsSheet, use_shortcuts};
pub use skeleton::{NotRead, TimelineSkeleton};
pub use standing_bar::{Bar, BlockForm};
pub use timeline::Timeline;
