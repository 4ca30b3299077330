//! What the pages are made of. Components read [`crate::state`] and call [`crate::server_fns`];
//! none of them knows the socket.

mod announcer;
mod ask_notices;
mod avatar;
mod banner;
mod brand;
mod composer;
mod conversation_header;
mod conversation_list;
mod emoji;
mod field;
mod icons;
mod layers;
mod message_menu;
mod message_row;
mod notification_choices;
mod people_search;
mod profile_bar;
mod qr_code;
#[cfg(feature = "hydrate")]
mod scroll;
pub mod settings;
mod shortcuts;
mod skeleton;
mod timeline;

pub use ask_notices::AskNotices;
pub use avatar::Avatar;
pub use banner::Banner;
pub use brand::{DuetMark, Wordmark};
pub use composer::Composer;
pub use conversation_header::ConversationHeader;
pub use conversation_list::ConversationList;
pub use field::{FieldKind, FormAlert, TextField};
pub use icons::Icon;
pub use layers::LayersOnDemand;
pub use message_row::MessageRow;
pub use notification_choices::NotificationChoices;
pub use people_search::PeopleSearch;
pub use profile_bar::ProfileBar;
pub use qr_code::QrCode;
pub use shortcuts::{Shortcuts, ShortcutsSheet, use_shortcuts};
pub use skeleton::TimelineSkeleton;
pub use timeline::Timeline;
