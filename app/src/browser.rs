//! Functions that only a browser can carry out, for code that the server compiles as well.
//!
//! Each function has one signature. The browser's build takes each function from `dom`, the live
//! client or another browser-only module. The server's build takes a counterpart from `inert`, which
//! does nothing, because the server renders a page that nobody uses yet. Leptos runs
//! neither effects nor event handlers on the server, so most counterparts are never called. Code
//! that only the browser compiles calls the browser's modules directly.
//!
//! # What stays elsewhere
//! - `text::browser` and `language`: each build has its own implementation of one rule, so neither
//!   build needs an inert counterpart.
//! - `components`: the handlers of a component's own, private types (`scroll`, the message menu,
//!   the keys of the search), because this module must not depend on components.
//! - Effects and handlers that need only what Leptos itself offers on both sides, such as
//!   `document`.
//! - Modules with parts that only the server compiles (`bootstrap`, `preload`, `json`, `server_fns`):
//!   the browser needs no counterpart.

#[cfg(feature = "hydrate")]
pub mod dom;
#[cfg(feature = "hydrate")]
mod emoji;
#[cfg(not(feature = "hydrate"))]
mod inert;
#[cfg(feature = "hydrate")]
pub mod page_script;
#[cfg(feature = "hydrate")]
mod passkeys;
#[cfg(feature = "hydrate")]
mod preferences;

#[cfg(not(feature = "hydrate"))]
pub use inert::*;

#[cfg(feature = "hydrate")]
pub(crate) use {
    crate::live::{
        connection::down_since, offline_copies, saving, sender, start as start_live_client,
        storage::left_at, writing,
    },
    crate::notifications::stored_choices,
    crate::time::provide_time_context,
    crate::{history_layers, keyboard},
    dom::{
        FocusBefore, address_of, after, can_share, copy, copy_text, element, elements,
        has_keyboard, is_checked, is_mac, is_online, keeps_focus, right_address, share, uptime_ms,
        walk, walk_menu, while_shown,
    },
    emoji::fetch_emoji,
    passkeys::{call_authenticator, can_fill_passkeys, has_passkeys},
    preferences::choose_preferences,
};
