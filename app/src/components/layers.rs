//! The lazily loaded views that open above the page, so that a conversation loads without their code.
//!
//! They are loaded a moment after hydration, so that a menu opens at once and without a network. A
//! view that is needed earlier waits for its code.

#[cfg(feature = "hydrate")]
use std::cell::Cell;

use leptos::prelude::*;
use leptos::task::spawn_local;
use protocol::ConversationId;

use super::leaving::{self, Leaving};
use super::message_menu::{self, Parts};
use super::people_search::Search;
use super::search_results;
use super::shortcuts::{self, Shortcuts};
use crate::live::Unsent;
use crate::live::rows::Row;
use crate::on_demand::{NotLoaded, on_demand, soon};
use crate::state::OpenConversation;

/// The views.
#[derive(Clone, Copy)]
pub struct Layers {
    /// The list of keys.
    pub shortcuts: fn(Shortcuts) -> AnyView,
    /// The entries of a message's menu.
    pub(super) items: fn(ConversationId, Parts, Row) -> AnyView,
    /// The delivery details of a message.
    pub(super) note: fn(OpenConversation, Parts) -> AnyView,
    /// The dialog at sign-out.
    pub(super) leaving: fn(Leaving, Unsent) -> AnyView,
    /// The search results.
    #[cfg_attr(not(feature = "hydrate"), expect(dead_code, reason = "see `found_at_first`"))]
    pub(super) found: fn(Search) -> AnyView,
}

on_demand! {
    fn load_layers() -> Layers {
        Layers {
            shortcuts: shortcuts::sheet,
            items: message_menu::items,
            note: message_menu::note,
            leaving: leaving::dialog,
            found: search_results::found,
        }
    }
}

#[cfg(feature = "hydrate")]
thread_local! {
    static AT_FIRST: Cell<Option<Layers>> = const { Cell::new(None) };
}

/// Loads the views before hydration if the server's page shows search results.
///
/// # Errors
/// The code could not be loaded.
#[cfg(feature = "hydrate")]
pub(crate) async fn load_what_is_shown() -> Result<(), NotLoaded> {
    if document().get_element_by_id("people").is_some() {
        AT_FIRST.set(Some(load_layers().await?));
    }
    Ok(())
}

/// The search results on a page that the server renders.
#[cfg(not(feature = "hydrate"))]
pub(super) fn found_at_first(search: Search) -> Option<AnyView> {
    search.shown.get_untracked().then(|| {
        #[cfg(feature = "ssr")]
        leptos::prefetch_lazy_fn_on_server("load_layers");
        search_results::found(search)
    })
}

/// The loading state of the views. `App` provides one for the page.
#[derive(Clone, Copy)]
pub struct LayersOnDemand(RwSignal<Option<Layers>>);

impl LayersOnDemand {
    /// Loads the views a moment after hydration.
    pub fn new() -> Self {
        #[cfg(feature = "hydrate")]
        let here = AT_FIRST.get();
        #[cfg(not(feature = "hydrate"))]
        let here = None;
        let on_demand = Self(RwSignal::new(here));
        // Effects run in the browser only.
        Effect::new(move |_| soon(async move { _ = on_demand.load().await }));
        on_demand
    }

    /// Loads the views once.
    ///
    /// # Errors
    /// The code could not be loaded; the next call retries.
    pub async fn load(self) -> Result<(), NotLoaded> {
        let layers = load_layers().await?;
        // Only the first of several waiting calls sets the signal, so open views are not rebuilt.
        if self.0.with_untracked(Option::is_none) {
            self.0.set(Some(layers));
        }
        Ok(())
    }

    /// Starts loading the views and ignores a failure.
    pub fn want(self) {
        spawn_local(async move { _ = self.load().await });
    }

    /// The views, if they are loaded.
    #[cfg(feature = "hydrate")]
    pub fn loaded(self) -> Option<Layers> {
        self.0.get()
    }

    /// Builds a view once the code is loaded.
    pub fn when_loaded(self, view: impl FnOnce(Layers) -> AnyView) -> Option<AnyView> {
        let layers = self.0.get();
        if layers.is_none() {
            self.want();
        }
        layers.map(view)
    }
}

impl Default for LayersOnDemand {
    fn default() -> Self {
        Self::new()
    }
}

/// The loading state of this page.
pub fn use_layers() -> LayersOnDemand {
    expect_context::<LayersOnDemand>()
}
