//! The logo and the word mark.

use leptos::prelude::*;

use crate::language::use_texts;
use crate::paths;

/// The logo.
#[component]
pub fn DuetMark(
    /// CSS classes for its size and position.
    #[prop(default = "size-7")]
    class: &'static str,
) -> impl IntoView {
    view! {
        <svg class=class viewBox="0 0 64 64" aria-hidden="true" focusable="false">
            <path class="mark-one" d="M25 9a19 19 0 1 1-9.3 35.6L7 47l2.6-8.4A19 19 0 0 1 25 9z" />
            <path class="mark-two" d="M39 17a19 19 0 0 1 15.4 30.1L57 55.5l-8.7-2.4A19 19 0 1 1 39 17z" />
            <path class="mark-both" d="M40.54 17.06A19 19 0 0 1 23.46 46.94A19 19 0 0 1 40.54 17.06z" />
        </svg>
    }
}

/// The logo with the name, as a link to the home page.
#[component]
pub fn Wordmark() -> impl IntoView {
    view! {
        <a class="wordmark" href=paths::HOME aria-label=use_texts().home_link>
            <DuetMark />
            <span aria-hidden="true">"duet"</span>
        </a>
    }
}
