//! The global shortcuts, handled by one listener on the document. The composer, the list and the
//! timeline handle their own keys. No shortcut replaces one of the browser's. Browser only;
//! `components::ShortcutsSheet` starts them and lists all shortcuts.

use leptos::ev::KeyboardEvent;
use leptos::prelude::*;
use leptos_router::NavigateOptions;
use protocol::ConversationId;
use wasm_bindgen::JsCast;
use web_sys::HtmlElement;

use crate::browser::dom::{self, Listener};
use crate::paths;
use crate::state::State;

/// Navigates to an address of this site.
pub trait Navigate: Fn(&str, NavigateOptions) + 'static {}
impl<T: Fn(&str, NavigateOptions) + 'static> Navigate for T {}

/// The parts of the page in tab order, each with the element to focus.
const PARTS: [(&str, &str); 5] = [
    (".people-search", ".people-search input[type=search]"),
    (".conversation-list", ".list-entry:not([tabindex='-1'])"),
    (".profile-bar", ".profile-bar :is(a, button)"),
    (".timeline-frame", ".timeline[tabindex='0'], .timeline [tabindex='0']"),
    (".composer-frame", ".composer textarea"),
];

/// Listens for the lifetime of the page. `list_shortcuts` opens the list of shortcuts.
pub fn start(state: State, list_shortcuts: impl Fn() + 'static, navigate: impl Navigate) {
    Listener::new(&document(), "keydown", move |event| {
        let Ok(event) = event.dyn_into::<KeyboardEvent>() else { return };
        // An open dialog handles its own keys.
        let covered = dom::element("dialog[open]").is_some();
        if event.default_prevented() || event.is_composing() || covered {
            return;
        }
        if act(state, &list_shortcuts, &navigate, &event) {
            event.prevent_default();
        }
    })
    .forget();
}

/// Handles a key; false for a key without a function here.
fn act(
    state: State,
    list_shortcuts: &impl Fn(),
    navigate: &impl Navigate,
    event: &KeyboardEvent,
) -> bool {
    let (ctrl, meta, shift) = (event.ctrl_key(), event.meta_key(), event.shift_key());
    let command = if dom::is_mac() { meta && !ctrl } else { ctrl && !meta };
    match (event.key().as_str(), event.alt_key()) {
        ("k" | "K", false) if command && !shift => find(navigate),
        // Some keyboard layouts need Shift for the slash.
        ("/", false) if command => list_shortcuts(),
        ("F6", false) if ctrl && !meta => next_part(shift),
        ("ArrowUp", true) if !ctrl && !meta => go(state, navigate, true, shift),
        ("ArrowDown", true) if !ctrl && !meta => go(state, navigate, false, shift),
        _ => return false,
    }
    true
}

fn shown(selector: &str) -> Option<HtmlElement> {
    let found = dom::element(selector)?.dyn_into::<HtmlElement>().ok()?;
    found.offset_parent().is_some().then_some(found)
}

/// Focuses the search box. On a narrow screen the box is on the home page.
fn find(navigate: &impl Navigate) {
    let focus = || shown(PARTS[0].1).is_some_and(|search| search.focus().is_ok());
    if !focus() {
        navigate(paths::HOME, NavigateOptions::default());
        request_animation_frame(move || _ = focus());
    }
}

/// Focuses the next visible part of the page, wrapping around.
fn next_part(back: bool) {
    let focused = document().active_element();
    let within = |part: &str| focused.as_ref().and_then(|focused| focused.closest(part).ok()?);
    let here = PARTS.iter().position(|(part, _)| within(part).is_some());
    let count = PARTS.len();
    for step in 1..=count {
        let next = match (here, back) {
            (Some(here), false) => (here + step) % count,
            (Some(here), true) => (here + count - step) % count,
            (None, false) => step - 1,
            (None, true) => count - step,
        };
        if let Some(target) = shown(PARTS[next].1) {
            _ = target.focus();
            return;
        }
    }
}

/// Opens the conversation above or below the open one in the list. Without an open conversation,
/// "below" is the first one and "above" has no target.
fn go(state: State, navigate: &impl Navigate, up: bool, unread_only: bool) {
    let open = window().location().pathname().ok().and_then(|path| paths::opened(&path));
    let waits = |id: ConversationId| state.summary(id).is_some_and(|known| known.unread > 0);
    let next = state.list.with_untracked(|list| {
        let here = list.iter().position(|id| Some(*id) == open);
        let (before, after) =
            here.map_or((&list[..0], &list[..]), |here| (&list[..here], &list[here + 1..]));
        let wanted = |id: &&ConversationId| !unread_only || waits(**id);
        if up { before.iter().rev().find(wanted) } else { after.iter().find(wanted) }.copied()
    });
    if let Some(next) = next {
        navigate(&paths::conversation(next), NavigateOptions::default());
    }
}
