//! Notifications for a user who is not looking at the page: the unread count on the tab and on the
//! app's icon, browser notifications, a sound, and the service worker that handles notification
//! clicks.
//!
//! # Layout
//! [`choices`] the user's settings in this browser; [`due`] which signals a message triggers
//! (pure). In the browser only: `stored_choices`, `badge`, `notices`, `sound`, `claim` (one tab
//! notifies, not all of them), `worker`, `prompts` (the prompts for notifications and for
//! `install`), and `arrival`, which connects them.
//!
//! No prompt and no notification appears on load, and messages of the conversation in view trigger
//! none. The live client reports messages, `live::start` calls `start`, and components read
//! [`Notifications`]. The code loads a moment after the page is live or with the first message,
//! because the user is looking at a page that has just loaded.

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
mod loader;
#[cfg(feature = "hydrate")]
mod notices;
#[cfg(feature = "hydrate")]
mod prompts;
#[cfg(feature = "hydrate")]
mod sound;
#[cfg(feature = "hydrate")]
pub(crate) mod stored_choices;
#[cfg(feature = "hydrate")]
pub(crate) mod worker;

use leptos::prelude::*;
use protocol::ConversationId;

#[cfg(feature = "hydrate")]
pub use loader::{arrived, start};

use choices::{Choices, Permission};

/// The view of a prompt.
pub type PromptView = fn(Notifications) -> AnyView;

/// The notification state of this browser. A cheap copy of handles; part of
/// [`crate::state::State`].
#[derive(Clone, Copy)]
pub struct Notifications {
    /// The user's settings.
    pub choices: RwSignal<Choices>,
    /// The browser's permission for notifications.
    pub permission: RwSignal<Permission>,
    /// The prompt that is shown, if any.
    pub prompt: RwSignal<Option<PromptView>>,
    /// The conversation to open after a click on its notification.
    pub wanted: RwSignal<Option<ConversationId>>,
    /// Whether a message arrived while the page was out of view.
    #[cfg(feature = "hydrate")]
    missed: StoredValue<bool>,
    /// The notification body in the page's language when message text is turned off.
    #[cfg(feature = "hydrate")]
    wordless: StoredValue<&'static str>,
}

impl Notifications {
    /// The state before the browser's settings and permission are read.
    pub fn new() -> Self {
        Self {
            choices: RwSignal::new(Choices::default()),
            permission: RwSignal::new(Permission::default()),
            prompt: RwSignal::new(None),
            wanted: RwSignal::new(None),
            #[cfg(feature = "hydrate")]
            missed: StoredValue::new(false),
            #[cfg(feature = "hydrate")]
            wordless: StoredValue::new(""),
        }
    }
}

impl Default for Notifications {
    fn default() -> Self {
        Self::new()
    }
}
