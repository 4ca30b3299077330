//! Where the person is asked something, over the list: a bar that comes at its moment and goes with
//! the answer. The questions are those of [`crate::attention`], whose code comes later.

use leptos::prelude::*;

use crate::state::use_state;

/// The place; empty unless something is asked.
#[component]
pub fn Question() -> impl IntoView {
    let attention = use_state().attention;
    view! { <div role="status">{move || attention.asking.get().map(|question| question(attention))}</div> }
}
