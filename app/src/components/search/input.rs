//! The search box, and the place of the results. The box is a plain form until hydration;
//! afterwards [`super::results`], loaded lazily, shows results while the user types.

use leptos::prelude::*;

use super::query::Search;
use crate::components::Icon;
use crate::components::overlays::use_overlays;
use crate::language::{Texts, use_texts};
use crate::paths;

/// The search box.
#[component]
pub fn PeopleSearch(search: Search) -> impl IntoView {
    let (t, overlays) = (use_texts(), use_overlays());
    let Search { query, has_focus, shown, active, .. } = search;
    view! {
        <div class="people-search">
            <form role="search" method="get" action=paths::HOME class="search-box">
                {Icon::Search.draw("size-5 shrink-0 text-muted")}
                <input
                    node_ref=search.input
                    type="search"
                    name="find"
                    value=query.get_untracked()
                    role="combobox"
                    aria-label=t.find_a_person
                    aria-controls="people"
                    aria-autocomplete="list"
                    aria-expanded=move || if shown.get() { "true" } else { "false" }
                    aria-activedescendant=move || Some(active.get()).filter(|id| !id.is_empty())
                    placeholder=t.find_a_person
                    autocomplete="off"
                    autocapitalize="none"
                    enterkeyhint="search"
                    spellcheck="false"
                    maxlength="64"
                    dir="auto"
                    on:input=move |event| {
                        has_focus.set(true);
                        query.set(event_target_value(&event));
                    }
                    on:focus=move |event| {
                        search.focus_entered(&event);
                        overlays.preload();
                    }
                />
                <noscript inner_html=find_button(t)></noscript>
            </form>
        </div>
    }
}

/// The submit button for pages without scripts. A string, because browsers that run scripts do not
/// parse `noscript`.
fn find_button(t: &Texts) -> String {
    format!("<button class=\"button-quiet\" type=\"submit\">{}</button>", t.find)
}

/// The results.
#[component]
pub fn Found(search: Search) -> impl IntoView {
    let overlays = use_overlays();
    move || overlays.found(search)
}
