//! The prompt above the list, shown until it is answered. [`crate::attention`] provides the
//! prompts, whose code loads lazily.

use leptos::prelude::*;

use crate::state::use_state;

/// The current prompt, if any.
#[component]
pub fn Question() -> impl IntoView {
    let attention = use_state().attention;
    view! { <div role="status">{move || attention.asking.get().map(|question| question(attention))}</div> }
}
