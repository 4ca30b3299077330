//! Scroll position of the open conversation: tracks what the user has seen, and keeps the view
//! stable.
//!
//! The log grows from its end upwards, so its scroll offset counts from the newest row: 0 at the
//! end, negative above. Rows prepended above do not move the view. Any change of size below the
//! view (rows added or removed, a narrower window, a taller composer) is compensated before the
//! next paint. The reference is the distance of the first message in view from the end. Scrolling
//! does not change that distance, so compensation never undoes the user's scrolling.
//!
//! `controller` does all of this in the browser. [`super::timeline`] calls [`start`].

#[cfg(feature = "hydrate")]
mod controller;

use leptos::html::{Div, Ol};
use leptos::prelude::*;
use protocol::{ConversationId, Seq, Timestamp};

use super::message_menu::MenuParts;
use crate::state::OpenConversation;

/// Signals that the controller derives from the scroll position.
#[derive(Clone, Copy)]
pub(super) struct ScrollSignals {
    /// Whether the newest message is more than a screen away.
    pub away: RwSignal<bool>,
    /// Whether the newest message is in view.
    pub at_end: RwSignal<bool>,
    /// A time within the day in view.
    pub day: RwSignal<Option<Timestamp>>,
    /// Whether the day chip is visible.
    pub day_shown: RwSignal<bool>,
    /// A text for the announcer.
    pub announce: RwSignal<Option<String>>,
    /// The message menu.
    pub menu: MenuParts,
}

impl ScrollSignals {
    pub(super) fn new(conversation: ConversationId) -> Self {
        Self {
            away: RwSignal::new(false),
            at_end: RwSignal::new(true),
            day: RwSignal::new(None),
            day_shown: RwSignal::new(false),
            announce: RwSignal::new(None),
            menu: MenuParts::new(conversation),
        }
    }
}

/// Starts the controller; returns the action of "jump to latest". The server has no controller, and
/// the log that it renders is at its end.
pub(super) fn start(
    open: &OpenConversation,
    scroller: NodeRef<Div>,
    list: NodeRef<Ol>,
    view: ScrollSignals,
    target: Option<Seq>,
) -> Callback<()> {
    #[cfg(feature = "hydrate")]
    return controller::start(crate::state::use_state(), open, scroller, list, view, target);
    #[cfg(not(feature = "hydrate"))]
    {
        _ = (open, scroller, list, view, target);
        Callback::new(|()| {})
    }
}
