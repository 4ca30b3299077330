//! Keyboard, focus and scroll handling of the search. Browser only.

use leptos::ev::KeyboardEvent;
use leptos::prelude::*;
use wasm_bindgen::JsCast;
use web_sys::{
    Element, Event, FocusEvent, HtmlElement, ScrollIntoViewOptions, ScrollLogicalPosition,
};

use super::search_results::Answers;
use crate::dom::{self, Listener};
use crate::history_layers;

/// More results load when the end is less than this far below the view.
const NEAR_PX: i32 = 300;

/// Attaches the listeners of the box while the results are mounted.
pub(super) fn listen(answers: Answers) {
    let search = answers.search;
    let listeners = StoredValue::new_local(Vec::new());
    Effect::new(move |_| {
        let Some(input) = search.input.get() else { return };
        let typed = input.value();
        if typed != search.asked.get_untracked() {
            // The user typed before hydration.
            let focused = document().active_element();
            search.is_here.set(focused.is_some_and(|focused| focused.is_same_node(Some(&input))));
            search.asked.set(typed);
        }
        let form = input.form();
        let key = Listener::new(&input, "keydown", move |event| {
            let event: KeyboardEvent = event.unchecked_into();
            if !event.is_composing() && act(answers, &event) {
                event.prevent_default();
            }
        });
        let go = Listener::new(&input, "blur", move |event| {
            let to = event.unchecked_into::<FocusEvent>().related_target();
            let to = to.and_then(|to| to.dyn_into::<Element>().ok());
            let stays =
                to.is_some_and(|to| to.closest(".people").is_ok_and(|people| people.is_some()));
            // When the window loses the focus, the box gets it back with the window.
            if !stays && document().has_focus().unwrap_or(true) {
                search.is_here.set(false);
            }
        });
        let sent = form.map(|form| {
            Listener::new(&form, "submit", move |event: Event| {
                event.prevent_default();
                if !choose(answers) {
                    answers.entered.set_value(true);
                }
            })
        });
        listeners.set_value(vec![Some(key), Some(go), sent]);
    });
    Effect::new(move |was_open: Option<bool>| {
        let is_open = answers.is_layer.get();
        if is_open != was_open.unwrap_or_default() {
            history_layers::changed(is_open);
        }
        is_open
    });
}

/// Closes the search on Back. The focus returns to where the search took it from, or leaves the box,
/// which on a phone closes the keyboard.
pub(super) fn cancel(answers: Answers) {
    answers.close();
    if !give_focus_back(answers) {
        leave(answers);
    }
}

/// Focuses the element that had the focus before the box; false if it is gone.
fn give_focus_back(answers: Answers) -> bool {
    let before = answers.search.before.get_value();
    let before = before.filter(|element| element.offset_parent().is_some());
    before.inspect(|element| _ = element.focus()).is_some()
}

fn options() -> Vec<HtmlElement> {
    let results = document().query_selector(".people").ok().flatten();
    results.map(|results| dom::all(&results, "[role=option]")).unwrap_or_default()
}

/// Opens the active option, or the first; false if there is none.
fn choose(answers: Answers) -> bool {
    let options = options();
    let active = answers.search.active.get_untracked();
    let is_active = |option: &&HtmlElement| option.id() == active;
    let chosen = options.iter().find(is_active).or_else(|| options.first());
    if let (Some(chosen), true) = (chosen, answers.search.shown.get_untracked()) {
        chosen.click();
        return true;
    }
    false
}

/// Handles what waited for results: Enter, and a view with room for more.
pub(super) fn after_response(answers: Answers) {
    match answers.entered.try_get_value() {
        Some(true) if choose(answers) => {}
        Some(_) => more_near_end(answers),
        None => {}
    }
}

/// Requests more results as the end of the list comes near.
pub(super) fn more_near_end(answers: Answers) {
    let results = document().query_selector(".people").ok().flatten();
    let is_near = |element: Element| {
        let height = element.client_height();
        height > 0 && element.scroll_height() - element.scroll_top() - height < NEAR_PX
    };
    if results.is_some_and(is_near) {
        answers.request_all();
    }
}

/// Blurs the box, because the opened page takes the focus.
pub(super) fn leave(answers: Answers) {
    if let Some(input) = answers.search.input.get_untracked() {
        _ = input.blur();
    }
}

/// Handles a key; false if the key has no function here.
fn act(answers: Answers, event: &KeyboardEvent) -> bool {
    let search = answers.search;
    let plain = !(event.alt_key() || event.ctrl_key() || event.meta_key() || event.shift_key());
    match event.key().as_str() {
        "ArrowDown" if plain => step(answers, true),
        "ArrowUp" if plain => step(answers, false),
        "Escape" if plain => {
            let was_empty = search.asked.with_untracked(String::is_empty);
            let Some(input) = search.input.get_untracked() else { return false };
            answers.close();
            match give_focus_back(answers) {
                true => {}
                false if was_empty => _ = input.blur(),
                false => search.is_here.set(true),
            }
            true
        }
        _ => false,
    }
}

/// Moves to the next or the previous option, wrapping around.
fn step(answers: Answers, down: bool) -> bool {
    let search = answers.search;
    search.is_here.set(true);
    let options = options();
    if options.is_empty() || !search.shown.get_untracked() {
        return false;
    }
    let active = search.active.get_untracked();
    let here = options.iter().position(|option| option.id() == active);
    let last = options.len() - 1;
    let next = match (here, down) {
        (Some(here), true) if here < last => here + 1,
        (None, false) | (Some(0), false) => last,
        (Some(here), false) => here - 1,
        _ => 0,
    };
    let how = ScrollIntoViewOptions::new();
    how.set_block(ScrollLogicalPosition::Nearest);
    options[next].scroll_into_view_with_scroll_into_view_options(&how);
    search.active.set(options[next].id());
    true
}
