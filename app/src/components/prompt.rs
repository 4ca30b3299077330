//! The prompt above the list, shown until it is answered. [`crate::notifications`] provides the
//! prompts, whose code loads lazily.

use leptos::prelude::*;

use crate::state::use_state;

/// The current prompt, if any.
#[component]
pub fn Prompt() -> impl IntoView {
    let notifications = use_state().notifications;
    view! { <div role="status">{move || notifications.prompt.get().map(|prompt| prompt(notifications))}</div> }
}
