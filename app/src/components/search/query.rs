//! The state of a search.

use leptos::ev::FocusEvent;
use leptos::html::Input;
use leptos::prelude::*;
use protocol::SearchResults;

use crate::browser::FocusBefore;
use crate::state::use_state;

/// A search: the query, and whether its results are shown.
#[derive(Clone, Copy)]
pub struct Search {
    /// The text in the box.
    pub(super) query: RwSignal<String>,
    /// Whether the focus is in the box or in the results.
    pub(super) has_focus: RwSignal<bool>,
    /// Whether the results cover the list.
    pub(in crate::components) shown: Memo<bool>,
    /// The id of the option that Enter opens; empty for the first option.
    pub(super) active: RwSignal<String>,
    pub(super) input: NodeRef<Input>,
    /// The query of the page's address with its results. Without a query, the people offered to a
    /// user without conversations.
    pub(super) first: StoredValue<(String, SearchResults)>,
    /// The element that had the focus before the box.
    pub(super) before: FocusBefore,
}

impl Search {
    /// A search with the query of the page's address and its results.
    pub fn new(typed: String, found: SearchResults) -> Self {
        let list = use_state().list;
        let (query, has_focus) = (RwSignal::new(typed.clone()), RwSignal::new(!typed.is_empty()));
        let has_people = !found.people.is_empty();
        let shown = Memo::new(move |_| {
            if query.with(String::is_empty) {
                has_people && list.with(Vec::is_empty)
            } else {
                has_focus.get()
            }
        });
        Self {
            query,
            has_focus,
            shown,
            active: RwSignal::default(),
            input: NodeRef::new(),
            first: StoredValue::new((typed, found)),
            before: FocusBefore::new(),
        }
    }

    /// Handles the focus entering the box.
    pub(super) fn focus_entered(self, event: &FocusEvent) {
        self.has_focus.set(true);
        self.before.note(event);
    }
}
