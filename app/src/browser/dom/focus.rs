//! Reads and moves the focus.

use leptos::ev::KeyboardEvent;
use leptos::prelude::*;
use wasm_bindgen::JsCast;
use web_sys::{Element, EventTarget, FocusEvent, HtmlElement};

/// The element that had the focus before the present one. Cheap to copy.
#[derive(Clone, Copy)]
pub struct FocusBefore(StoredValue<Option<HtmlElement>, LocalStorage>);

impl FocusBefore {
    pub fn new() -> Self {
        Self(StoredValue::new_local(None))
    }

    /// Stores the element from which a `focus` event took the focus.
    pub fn note(self, event: &FocusEvent) {
        self.0.set_value(event.related_target().and_then(|from| from.dyn_into().ok()));
    }

    pub fn get(self) -> Option<HtmlElement> {
        self.0.get_value()
    }
}

/// Whether the focus moves to an element inside the element that handles the event.
pub fn keeps_focus(event: &FocusEvent) -> bool {
    let element =
        |target: Option<EventTarget>| target.and_then(|target| target.dyn_into::<Element>().ok());
    let container = element(event.current_target());
    let next = element(event.related_target());
    match (container, next) {
        (Some(container), Some(next)) => container.contains(Some(&next)),
        _ => false,
    }
}

/// Arrow keys, Home and End move the focus through the elements that `stops` selects.
pub fn walk(event: &KeyboardEvent, stops: &str) {
    if event.alt_key() || event.ctrl_key() || event.meta_key() || event.shift_key() {
        return;
    }
    move_focus(event, stops, |key, here, count| match key {
        "ArrowDown" => here.map(|here| here + 1),
        "ArrowUp" => here.and_then(|here| here.checked_sub(1)),
        "Home" => Some(0),
        "End" => count.checked_sub(1),
        _ => None,
    });
}

/// Arrow keys, Home and End move through the entries of a menu, wrapping around.
pub fn walk_menu(event: &KeyboardEvent) {
    move_focus(event, "[role=menuitem]", |key, here, count| {
        let here = here.unwrap_or_default();
        match key {
            "ArrowDown" => Some(if here + 1 < count { here + 1 } else { 0 }),
            "ArrowUp" => here.checked_sub(1).or(count.checked_sub(1)),
            "Home" => Some(0),
            "End" => count.checked_sub(1),
            _ => None,
        }
    });
}

/// Moves the focus among the elements that `stops` selects, and prevents the key's default. `next`
/// takes the key, the index of the focused element and the number of elements, and returns the index
/// of the element to focus.
fn move_focus(
    event: &KeyboardEvent,
    stops: &str,
    next: fn(&str, Option<usize>, usize) -> Option<usize>,
) {
    let container = event.current_target().and_then(|target| target.dyn_into::<Element>().ok());
    let stops = container.map(|container| all(&container, stops)).unwrap_or_default();
    let focused = document().active_element();
    let here = stops
        .iter()
        .position(|stop| focused.as_ref().is_some_and(|focused| focused.is_same_node(Some(stop))));
    let next = next(&event.key(), here, stops.len());
    if let Some(stop) = next.and_then(|next| stops.get(next)) {
        event.prevent_default();
        _ = stop.focus();
    }
}

/// The first element of the page that matches a selector.
pub fn element(selector: &str) -> Option<Element> {
    document().query_selector(selector).ok().flatten()
}

/// All elements of the page that match a selector.
pub fn elements(selector: &str) -> Vec<HtmlElement> {
    document().document_element().map(|page| all(&page, selector)).unwrap_or_default()
}

/// All descendants of an element that match a selector.
pub fn all(container: &Element, selector: &str) -> Vec<HtmlElement> {
    let Ok(found) = container.query_selector_all(selector) else { return Vec::new() };
    (0..found.length()).filter_map(|index| found.item(index)?.dyn_into().ok()).collect()
}
