//! The overlays of the page (menus, notes, dialogs, search results) and the bars of requests and
//! blocks, whose code is loaded lazily.
//!
//! The code is preloaded a moment after hydration, so that a menu opens at once, also without a
//! network. An overlay that is opened earlier waits for its code.

use std::cell::Cell;

use leptos::prelude::*;
use leptos::task::spawn_local;
use protocol::ConversationId;

use super::message_menu::{MenuParts, views};
use super::search::{Search, results};
use super::shortcuts::sheet;
use super::sign_out_dialog::{self, SignOutState};
use super::standing_bar::{self, Bar};
use crate::lazy::{NotLoaded, lazy_functions, soon};
use crate::live::Unsent;
use crate::live::rows::Row;
use crate::state::{OpenConversation, use_state};

/// The views of the overlays.
#[derive(Clone, Copy)]
pub struct Overlays {
    /// The list of keys.
    pub shortcuts: fn(RwSignal<bool>) -> AnyView,
    /// The entries of the message menu.
    pub(super) items: fn(MenuParts, Row) -> AnyView,
    /// The note on a message's tick.
    pub(super) note: fn(OpenConversation, MenuParts) -> AnyView,
    /// The dialog at signing out.
    pub(super) sign_out: fn(SignOutState, Unsent) -> AnyView,
    /// What a search found.
    #[cfg_attr(not(feature = "hydrate"), expect(dead_code, reason = "see `LazyOverlays::found`"))]
    pub(super) found: fn(Search) -> AnyView,
    /// The answers to a request, or the end of a block.
    #[cfg_attr(not(feature = "hydrate"), expect(dead_code, reason = "see `LazyOverlays::bar`"))]
    pub(super) bar: fn(Bar, ConversationId, String) -> AnyView,
}

lazy_functions! {
    fn load_overlays() -> Overlays {
        Overlays {
            shortcuts: sheet::sheet,
            items: views::items,
            note: views::note,
            sign_out: sign_out_dialog::dialog,
            found: results::found,
            bar: standing_bar::draw,
        }
    }
}

thread_local! {
    /// The overlays that were loaded before hydration; none on the server.
    static AT_FIRST: Cell<Option<Overlays>> = const { Cell::new(None) };
}

/// Loads the code before hydration if the rendered page shows an overlay.
///
/// # Errors
/// The code could not be loaded.
#[cfg(feature = "hydrate")]
pub(crate) async fn load_what_is_shown() -> Result<(), NotLoaded> {
    let is_shown = |id| document().get_element_by_id(id).is_some();
    if is_shown("people") || is_shown(standing_bar::ID) {
        AT_FIRST.set(Some(load_overlays().await?));
    }
    Ok(())
}

/// The overlays of this page, as soon as their code is loaded. `App` provides this context.
#[derive(Clone, Copy)]
pub struct LazyOverlays(RwSignal<Option<Overlays>>);

impl LazyOverlays {
    /// Creates the context and schedules the preload of the code.
    pub fn new() -> Self {
        let overlays = Self(RwSignal::new(AT_FIRST.get()));
        // Effects run in the browser only.
        Effect::new(move |_| soon(async move { _ = overlays.load().await }));
        overlays
    }

    /// Loads the code, unless it is loaded.
    ///
    /// # Errors
    /// The code could not be loaded; the next call tries again.
    pub async fn load(self) -> Result<(), NotLoaded> {
        let overlays = load_overlays().await?;
        // Only the first of several waiting calls sets the signal, so no view is rendered twice.
        if self.0.with_untracked(Option::is_none) {
            self.0.set(Some(overlays));
        }
        Ok(())
    }

    /// Preloads the code. Ignores errors.
    pub fn preload(self) {
        spawn_local(async move { _ = self.load().await });
    }

    /// Returns the results of a search if their code is loaded; on the server, the results that the
    /// rendered page shows.
    pub(super) fn found(self, search: Search) -> Option<AnyView> {
        // Hydration must find what the server rendered, although a bar may have loaded the code.
        #[cfg(feature = "hydrate")]
        return (search.shown.get_untracked() || use_state().live.get())
            .then(|| self.0.get().map(|overlays| (overlays.found)(search)))
            .flatten();
        #[cfg(not(feature = "hydrate"))]
        search.shown.get_untracked().then(|| {
            #[cfg(feature = "ssr")]
            leptos::prefetch_lazy_fn_on_server("load_overlays");
            results::found(search)
        })
    }

    /// Returns a bar of a conversation's page; loads the code if needed. The server renders the bar.
    pub fn bar(self, bar: Bar, id: ConversationId, name: String) -> Option<AnyView> {
        #[cfg(feature = "hydrate")]
        return self.when_loaded(|overlays| (overlays.bar)(bar, id, name));
        #[cfg(not(feature = "hydrate"))]
        {
            #[cfg(feature = "ssr")]
            leptos::prefetch_lazy_fn_on_server("load_overlays");
            Some(standing_bar::draw(bar, id, name))
        }
    }

    /// Returns a view of an overlay; loads the code if needed. A failed load is repeated when the
    /// connection is back.
    pub fn when_loaded(self, view: impl FnOnce(Overlays) -> AnyView) -> Option<AnyView> {
        let overlays = self.0.get();
        if overlays.is_none() {
            use_state().connection.track();
            self.preload();
        }
        overlays.map(view)
    }
}

impl Default for LazyOverlays {
    fn default() -> Self {
        Self::new()
    }
}

/// Returns the overlays of this page.
pub fn use_overlays() -> LazyOverlays {
    expect_context::<LazyOverlays>()
}
