//! What opens above the page, on demand: its code is not part of a conversation's.
//!
//! It is loaded a moment after the page came to life, so that a menu opens at once, also without
//! network; whoever is faster waits for it.

use leptos::prelude::*;
use leptos::task::spawn_local;
use protocol::ConversationId;

use super::message_menu::{self, Parts};
use super::shortcuts::{self, Shortcuts};
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
}

on_demand! {
    fn load_layers() -> Layers {
        Layers {
            shortcuts: shortcuts::sheet,
            items: message_menu::items,
            note: message_menu::note,
        }
    }
}

/// Those of this page, provided by `App`.
#[derive(Clone, Copy)]
pub struct LayersOnDemand(RwSignal<Option<Layers>>);

impl LayersOnDemand {
    /// Not loaded yet.
    pub fn new() -> Self {
        let on_demand = Self(RwSignal::new(None));
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

    /// A view of theirs, as soon as they are here.
    pub fn when_loaded(self, view: impl FnOnce(Layers) -> AnyView) -> Option<AnyView> {
        let layers = self.0.get();
        if layers.is_none() {
            spawn_local(async move { _ = self.load().await });
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
