//! The search box for people and conversations. A plain form until hydration; afterwards
//! `search_results`, loaded lazily, shows results while the user types.

use leptos::ev::FocusEvent;
use leptos::html::Input;
use leptos::prelude::*;
use protocol::SearchResults;
#[cfg(feature = "hydrate")]
use wasm_bindgen::JsCast;
#[cfg(feature = "hydrate")]
use web_sys::HtmlElement;

use super::Icon;
use super::overlays::use_overlays;
use crate::language::{Texts, use_texts};
use crate::paths;
use crate::state::use_state;

/// A search: the query, and whether its results are shown.
#[derive(Clone, Copy)]
pub struct Search {
    /// The text in the box.
    pub(super) asked: RwSignal<String>,
    /// Whether the focus is in the box or in the results.
    pub(super) is_here: RwSignal<bool>,
    /// Whether the results cover the list.
    pub(super) shown: Memo<bool>,
    /// The id of the option that Enter opens; empty for the first option.
    pub(super) active: RwSignal<String>,
    pub(super) input: NodeRef<Input>,
    /// The query of the page's address with its results. Without a query, the people offered to a
    /// user without conversations.
    pub(super) first: StoredValue<(String, SearchResults)>,
    /// The element that had the focus before the box.
    #[cfg(feature = "hydrate")]
    pub(super) before: StoredValue<Option<HtmlElement>, LocalStorage>,
}

impl Search {
    /// A search with the query of the page's address and its results.
    pub fn new(typed: String, found: SearchResults) -> Self {
        let list = use_state().list;
        let (asked, is_here) = (RwSignal::new(typed.clone()), RwSignal::new(!typed.is_empty()));
        let has_people = !found.people.is_empty();
        let shown = Memo::new(move |_| {
            if asked.with(String::is_empty) {
                has_people && list.with(Vec::is_empty)
            } else {
                is_here.get()
            }
        });
        Self {
            asked,
            is_here,
            shown,
            active: RwSignal::default(),
            input: NodeRef::new(),
            first: StoredValue::new((typed, found)),
            #[cfg(feature = "hydrate")]
            before: StoredValue::new_local(None),
        }
    }

    /// Handles the focus entering the box.
    fn come(self, event: &FocusEvent) {
        self.is_here.set(true);
        #[cfg(feature = "hydrate")]
        self.before.set_value(event.related_target().and_then(|from| from.dyn_into().ok()));
        _ = event;
    }
}

/// The search box.
#[component]
pub fn PeopleSearch(search: Search) -> impl IntoView {
    let (t, overlays) = (use_texts(), use_overlays());
    let Search { asked, is_here, shown, active, .. } = search;
    view! {
        <div class="people-search">
            <form role="search" method="get" action=paths::HOME class="search-box">
                {Icon::Search.draw("size-5 shrink-0 text-muted")}
                <input
                    node_ref=search.input
                    type="search"
                    name="find"
                    value=asked.get_untracked()
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
                        is_here.set(true);
                        asked.set(event_target_value(&event));
                    }
                    on:focus=move |event| {
                        search.come(&event);
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
    #[cfg(feature = "hydrate")]
    {
        let overlays = use_overlays();
        move || overlays.loaded().map(|overlays| (overlays.found)(search))
    }
    #[cfg(not(feature = "hydrate"))]
    move || super::overlays::found_at_first(search)
}
