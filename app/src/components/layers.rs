//! What opens above the page, on demand: its code is not part of a conversation's.
//!
//! It is loaded a moment after the page came to life, so that a menu opens at once, also without
//! network; whoever is faster waits for it.

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

/// The views of what opens.
#[derive(Clone, Copy)]
pub struct Layers {
    /// The list of keys.
    pub shortcuts: fn(Shortcuts) -> AnyView,
    /// The entries of a message's menu.
    pub(super) items: fn(ConversationId, Parts, Row) -> AnyView,
    /// How far a message has come.
    pub(super) note: fn(OpenConversation, Parts) -> AnyView,
    /// The question at signing out.
    pub(super) leaving: fn(Leaving, Unsent) -> AnyView,
    /// What a search found.
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

/// Loads them before the page comes to life, if the server's page shows something of theirs.
///
/// # Errors
/// They could not be loaded.
#[cfg(feature = "hydrate")]
pub(crate) async fn load_what_is_shown() -> Result<(), NotLoaded> {
    if document().get_element_by_id("people").is_some() {
        AT_FIRST.set(Some(load_layers().await?));
    }
    Ok(())
}

/// What a search found, on the page that the server renders.
#[cfg(not(feature = "hydrate"))]
pub(super) fn found_at_first(search: Search) -> Option<AnyView> {
    search.shown.get_untracked().then(|| {
        #[cfg(feature = "ssr")]
        leptos::prefetch_lazy_fn_on_server("load_layers");
        search_results::found(search)
    })
}

/// Those of this page, provided by `App`.
#[derive(Clone, Copy)]
pub struct LayersOnDemand(RwSignal<Option<Layers>>);

impl LayersOnDemand {
    /// Not loaded yet.
    pub fn new() -> Self {
        #[cfg(feature = "hydrate")]
        let here = AT_FIRST.get();
        #[cfg(not(feature = "hydrate"))]
        let here = None;
        let on_demand = Self(RwSignal::new(here));
        // Runs in the browser alone.
        Effect::new(move |_| soon(async move { _ = on_demand.load().await }));
        on_demand
    }

    /// Loads them, if they are not here.
    ///
    /// # Errors
    /// They could not be loaded; the next time it is tried again.
    pub async fn load(self) -> Result<(), NotLoaded> {
        let layers = load_layers().await?;
        // Of several who wait one tells: what is shown is not shown anew.
        if self.0.with_untracked(Option::is_none) {
            self.0.set(Some(layers));
        }
        Ok(())
    }

    /// Loads them, because they will be wanted; nothing happens where they cannot be loaded.
    pub fn want(self) {
        spawn_local(async move { _ = self.load().await });
    }

    /// They, if they are here.
    #[cfg(feature = "hydrate")]
    pub fn loaded(self) -> Option<Layers> {
        self.0.get()
    }

    /// A view of theirs, as soon as they are here.
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

/// Those of this page.
pub fn use_layers() -> LayersOnDemand {
    expect_context::<LayersOnDemand>()
}
