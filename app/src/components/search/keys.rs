//! Keyboard and focus of the search. Browser only.

use leptos::ev::KeyboardEvent;
use leptos::prelude::*;
use wasm_bindgen::JsCast;
use web_sys::{Element, Event, FocusEvent, ScrollIntoViewOptions, ScrollLogicalPosition};

use super::answers::{Answers, OPTIONS};
use crate::browser::dom::{Listener, elements};
use crate::history_layers;

/// Attaches the listeners of the box while the results are mounted.
pub(super) fn listen(answers: Answers) {
    let search = answers.search;
    let listeners = StoredValue::new_local(Vec::new());
    Effect::new(move |_| {
        let Some(input) = search.input.get() else { return };
        let typed = input.value();
        if typed != search.query.get_untracked() {
            // The user typed before hydration.
            let focused = document().active_element();
            search.has_focus.set(focused.is_some_and(|focused| focused.is_same_node(Some(&input))));
            search.query.set(typed);
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
                search.has_focus.set(false);
            }
        });
        let sent = form.map(|form| {
            Listener::new(&form, "submit", move |event: Event| {
                event.prevent_default();
                if !answers.open_active() {
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

/// Handles a key; false if the key has no function here.
fn act(answers: Answers, event: &KeyboardEvent) -> bool {
    let search = answers.search;
    let plain = !(event.alt_key() || event.ctrl_key() || event.meta_key() || event.shift_key());
    match event.key().as_str() {
        "ArrowDown" if plain => step(answers, true),
        "ArrowUp" if plain => step(answers, false),
        "Escape" if plain => {
            let was_empty = search.query.with_untracked(String::is_empty);
            let Some(input) = search.input.get_untracked() else { return false };
            answers.close();
            match answers.return_focus() {
                true => {}
                false if was_empty => _ = input.blur(),
                false => search.has_focus.set(true),
            }
            true
        }
        _ => false,
    }
}

/// Moves to the next or the previous option, wrapping around.
fn step(answers: Answers, down: bool) -> bool {
    let search = answers.search;
    search.has_focus.set(true);
    let options = elements(OPTIONS);
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
