//! The entry above the list that leads to the requests, while there are any.

use leptos::prelude::*;
use leptos_router::hooks::use_location;

use super::Icon;
use crate::language::use_texts;
use crate::paths;
use crate::state::use_state;

#[component]
pub fn RequestsLink() -> impl IntoView {
    let (t, state) = (use_texts(), use_state());
    let path = use_location().pathname;
    let count = state.requests_count;
    view! {
        <a
            class="requests-link"
            href=paths::REQUESTS
            hidden=move || count.get() == 0
            aria-current=move || path.with(|path| path == paths::REQUESTS).then_some("page")
        >
            {Icon::Invite.draw("size-5")}
            <span class="min-w-0 flex-1 font-semibold" aria-hidden="true">{t.requests}</span>
            <span class="badge" aria-hidden="true">{move || shown(count.get())}</span>
            <span class="sr-only">{move || t.count(t.requests_count, count.get())}</span>
        </a>
    }
}

/// The count as far as the server counts.
fn shown(count: u32) -> String {
    match count {
        protocol::limits::MAX_REQUESTS_COUNTED.. => "99+".to_owned(),
        count => count.to_string(),
    }
}
