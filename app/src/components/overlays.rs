//! The overlays of the page (menus, notes, dialogs, search results), whose code is loaded lazily.
//!
//! The code is preloaded a moment after hydration, so that a menu opens at once, also without a
//! network. An overlay that is opened earlier waits for its code.

use std::cell::Cell;

use leptos::prelude::*;
use leptos::task::spawn_local;

use super::message_menu::{MenuParts, views};
use super::search::{Search, results};
use super::shortcuts::sheet;
use super::sign_out_dialog::{self, SignOutState};
use crate::lazy::{NotLoaded, lazy_functions, soon};
use crate::live::Unsent;
use crate::live::rows::Row;
use crate::state::OpenConversation;

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
}

lazy_functions! {
    fn load_overlays() -> Overlays {
        Overlays {
            shortcuts: sheet::sheet,
            items: views::items,
            note: views::note,
            sign_out: sign_out_dialog::dialog,
            found: results::found,
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
    if document().get_element_by_id("people").is_some() {
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
        #[cfg(feature = "hydrate")]
        return self.0.get().map(|overlays| (overlays.found)(search));
        #[cfg(not(feature = "hydrate"))]
        search.shown.get_untracked().then(|| {
            #[cfg(feature = "ssr")]
            leptos::prefetch_lazy_fn_on_server("load_overlays");
            results::found(search)
        })
    }

    /// Returns a view of an overlay; loads the code if needed.
    pub fn when_loaded(self, view: impl FnOnce(Overlays) -> AnyView) -> Option<AnyView> {
        let overlays = self.0.get();
        if overlays.is_none() {
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
