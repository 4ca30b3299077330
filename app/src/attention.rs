//! What reaches a person who is not looking: the count on the tab and the app's icon,
//! notifications, a sound; and the service worker that carries clicks on notifications.
//!
//! # Layout
//! [`choices`] what the person wants, in this browser; [`due`] what a message calls for (pure). In
//! the browser only: `badge`, `notices`, `tone`, `claim` (one tab tells, not all), `worker`,
//! `questions` (what the person is asked, and when Duet is offered for `install`), and `arrival`, which
//! brings them together.
//!
//! Nothing is asked or shown on load, and nothing is told of the conversation that one looks at.
//! The live client reports messages, `live::start` begins it, components read [`Attention`]. A page
//! that has just come has somebody who looks at it: the code comes a moment later, or with the
//! first message.

pub mod choices;
pub mod due;

#[cfg(feature = "hydrate")]
mod arrival;
#[cfg(feature = "hydrate")]
mod badge;
#[cfg(feature = "hydrate")]
mod claim;
#[cfg(feature = "hydrate")]
mod install;
#[cfg(feature = "hydrate")]
mod notices;
#[cfg(feature = "hydrate")]
mod on_demand;
#[cfg(feature = "hydrate")]
mod questions;
#[cfg(feature = "hydrate")]
mod tone;
#[cfg(feature = "hydrate")]
pub(crate) mod worker;

use leptos::prelude::*;
use protocol::ConversationId;

#[cfg(feature = "hydrate")]
pub use on_demand::{arrived, start};

use choices::{Choices, Permission};

/// The view of a question to the person.
pub type Ask = fn(Attention) -> AnyView;

/// What is known of this browser's notifications. A cheap copy of handles; part of the store.
#[derive(Clone, Copy)]
pub struct Attention {
    /// What the person wants.
    pub choices: RwSignal<Choices>,
    /// What the browser allows.
    pub permission: RwSignal<Permission>,
    /// What the person is asked now.
    pub asking: RwSignal<Option<Ask>>,
    /// The conversation that a click on a notification wants opened.
    pub wanted: RwSignal<Option<ConversationId>>,
    /// Whether a message came while nobody looked at this page.
    #[cfg(feature = "hydrate")]
    missed: StoredValue<bool>,
    /// What a notification says that does not tell the words, in the page's language.
    #[cfg(feature = "hydrate")]
    wordless: StoredValue<&'static str>,
}

impl Attention {
    /// Before the browser was asked.
    pub fn new() -> Self {
        Self {
            choices: RwSignal::new(Choices::default()),
            permission: RwSignal::new(Permission::default()),
            asking: RwSignal::new(None),
            wanted: RwSignal::new(None),
            #[cfg(feature = "hydrate")]
            missed: StoredValue::new(false),
            #[cfg(feature = "hydrate")]
            wordless: StoredValue::new(""),
        }
    }
}

impl Default for Attention {
    fn default() -> Self {
        Self::new()
    }
}
