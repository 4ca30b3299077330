//! The message menu, the note on a message's tick, and the toast. One menu and one note serve
//! the whole log. Both are native popovers in the top layer.
//!
//! This module renders the elements. In the browser, `controls` reacts to the user and `popovers`
//! opens, positions and closes them; `views` is their content, whose code is loaded lazily.

#[cfg(feature = "hydrate")]
pub(super) mod controls;
#[cfg(feature = "hydrate")]
mod popovers;
pub(super) mod views;

use std::time::Duration;

use leptos::ev::KeyboardEvent;
use leptos::html::{Button, Div};
use leptos::prelude::*;
use protocol::{ConversationId, TickTimes};

use super::Icon;
use super::overlays::{LazyOverlays, use_overlays};
use crate::browser::walk_menu;
use crate::language::{Texts, use_texts};
use crate::live::rows::Row;
use crate::state::OpenConversation;

/// How long a toast such as "Copied" is shown.
const TOAST_FOR: Duration = Duration::from_secs(2);

/// The elements and signals that `popovers` opens and positions.
#[derive(Clone, Copy)]
pub(super) struct MenuParts {
    pub conversation: ConversationId,
    /// The menu button beside the message under the pointer.
    pub button: NodeRef<Button>,
    pub menu: NodeRef<Div>,
    /// The note on a message's tick.
    pub note: NodeRef<Div>,
    /// The message that menu and note are about.
    pub chosen: RwSignal<Option<Row>>,
    /// When the peer's marks last moved, once fetched.
    pub times: RwSignal<Option<TickTimes>>,
    /// The toast, which screen readers announce as well.
    pub toast: RwSignal<&'static str>,
    /// The lazily loaded views of menu and note.
    pub overlays: LazyOverlays,
    pub t: &'static Texts,
}

impl MenuParts {
    pub(super) fn new(conversation: ConversationId) -> Self {
        Self {
            conversation,
            button: NodeRef::new(),
            menu: NodeRef::new(),
            note: NodeRef::new(),
            chosen: RwSignal::new(None),
            times: RwSignal::new(None),
            toast: RwSignal::new(""),
            overlays: use_overlays(),
            t: use_texts(),
        }
    }

    /// Shows a toast.
    pub(super) fn show_toast(self, words: &'static str) {
        _ = self.toast.try_set(words);
        set_timeout(move || _ = self.toast.try_set(""), TOAST_FOR);
    }

    /// Closes menu and note, and returns the focus.
    fn close(self) {
        #[cfg(feature = "hydrate")]
        popovers::close(self);
    }

    /// Shows the note on the message whose menu was open.
    fn show_note(self) {
        #[cfg(feature = "hydrate")]
        popovers::show_note(self);
    }

    /// Selects the text of the chosen message.
    fn select_text(self) {
        #[cfg(feature = "hydrate")]
        popovers::select_text();
    }
}

/// The menu button, the menu, the note and the toast.
#[component]
pub(super) fn MessageMenu(open: OpenConversation, parts: MenuParts) -> impl IntoView {
    let (t, overlays) = (parts.t, parts.overlays);
    let chosen = move |row| overlays.when_loaded(|overlays| (overlays.items)(parts, row));
    let is_chosen = Memo::new(move |_| parts.chosen.with(Option::is_some));
    let note = move || {
        is_chosen
            .get()
            .then(|| overlays.when_loaded(|overlays| (overlays.note)(open.clone(), parts)))
    };
    view! {
        <button
            node_ref=parts.button
            class="message-button hidden"
            type="button"
            aria-haspopup="menu"
            aria-label=t.message_actions
        >
            {Icon::More.draw("size-5")}
        </button>
        <div
            node_ref=parts.menu
            class="message-menu"
            popover="manual"
            role="menu"
            tabindex="-1"
            aria-label=t.message_actions
            on:keydown=|event: KeyboardEvent| walk_menu(&event)
        >
            {move || parts.chosen.get().map(chosen)}
        </div>
        <div node_ref=parts.note class="message-note" popover="manual" role="dialog" aria-label=t.details tabindex="-1">
            {note}
        </div>
        <p class="toast" role="status" inner_html=move || parts.toast.get()></p>
    }
}
