//! The list of keyboard shortcuts, opened by Ctrl+/ or a button. [`sheet`], loaded lazily, is its
//! view.

pub(super) mod sheet;

use leptos::prelude::*;
use leptos_router::hooks::use_navigate;

use super::overlays::use_overlays;
use crate::browser::keyboard;
use crate::state::use_state;

/// Whether the shortcut list is open. `App` provides one instance.
#[derive(Clone, Copy, Debug)]
pub struct Shortcuts(RwSignal<bool>);

impl Shortcuts {
    /// A closed list.
    pub fn new() -> Self {
        Self(RwSignal::new(false))
    }

    pub fn open(self) {
        self.0.set(true);
    }
}

impl Default for Shortcuts {
    fn default() -> Self {
        Self::new()
    }
}

pub fn use_shortcuts() -> Shortcuts {
    expect_context::<Shortcuts>()
}

/// The dialog, initially closed. Rendered once, inside the router; it also starts the global
/// shortcuts.
#[component]
pub fn ShortcutsSheet() -> impl IntoView {
    let (shortcuts, overlays) = (use_shortcuts(), use_overlays());
    listen(shortcuts);
    move || {
        shortcuts
            .0
            .get()
            .then(|| overlays.when_loaded(|overlays| (overlays.shortcuts)(shortcuts.0)))
    }
}

fn listen(shortcuts: Shortcuts) {
    let state = use_state();
    if state.me().is_some() {
        keyboard::start(state, move || shortcuts.open(), use_navigate());
    }
}
