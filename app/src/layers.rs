//! What is opened above the page (menus, notes, dialogs, also those of the emoji scripts) takes one
//! entry of the history, so that Back closes it before it leaves the page. Browser only; started
//! once by [`crate::App`].
//!
//! Whatever opens is a popover or a dialog of the platform, and the platform tells of each by
//! `toggle`: nobody registers anything here. A browser that does not tell loses only this.

use std::cell::Cell;
use std::time::Duration;

use leptos::prelude::*;
use wasm_bindgen::{JsCast, JsValue};
use web_sys::{Element, Event, History, HtmlDialogElement, HtmlElement};

use crate::dom::{Listener, all};

/// The state of our entry, by which it is known from those of the pages.
const MARK: &str = "layer";
/// All that can lie above the page, and what of it does.
const LAYERS: &str = "dialog, [popover]";
const OPEN: &str = "dialog[open], :popover-open";
/// A menu that opens a note is closed first: our entry stays for what opens within this.
const SUCCESSION: Duration = Duration::from_millis(100);

thread_local! {
    /// The entry is being taken away: the browser does so a moment after it was asked to.
    static LEAVING: Cell<bool> = const { Cell::new(false) };
}

/// Listens for as long as the page lives.
pub fn start() {
    let page = document();
    Listener::before(&page, "toggle", |event| {
        let layer = event.target().and_then(|target| target.dyn_into::<Element>().ok());
        let Some(layer) = layer.filter(|layer| layer.matches(LAYERS).unwrap_or(false)) else {
            return;
        };
        if layer.matches(OPEN).unwrap_or(false) {
            opened();
        } else {
            set_timeout(closed, SUCCESSION);
        }
    })
    .forget();
    // A dialog that is taken off the page when it closes has no more to tell of that than this.
    Listener::before(&page, "close", |_| set_timeout(closed, SUCCESSION)).forget();
    // Before the router hears of it: for the router nothing has changed.
    Listener::before(&window(), "popstate", |event| {
        let leaving = LEAVING.replace(false);
        let open = open_layers();
        if open.is_empty() {
            return;
        }
        event.stop_immediate_propagation();
        if leaving {
            // Nobody pressed Back: something opened while the entry was being taken away.
            opened();
        } else {
            open.iter().for_each(close);
        }
    })
    .forget();
}

fn open_layers() -> Vec<HtmlElement> {
    // A browser that does not know the selector has no popovers.
    document().document_element().map(|page| all(&page, OPEN)).unwrap_or_default()
}

fn history() -> Option<History> {
    window().history().ok()
}

/// Whether the present entry is ours.
fn is_ours(history: &History) -> bool {
    history.state().is_ok_and(|state| state.as_string().as_deref() == Some(MARK))
}

fn opened() {
    if let Some(history) = history().filter(|history| !is_ours(history)) {
        // Refused only to a page that does so hundreds of times a minute.
        _ = history.push_state(&JsValue::from_str(MARK), "");
    }
}

/// Takes our entry away again, unless something else is open or a page was gone to.
fn closed() {
    if let Some(history) = history().filter(is_ours)
        && open_layers().is_empty()
        && !LEAVING.replace(true)
    {
        _ = history.back();
    }
}

/// Closes one, or lets it close itself: a popover that gives the focus back listens for `cancel`.
fn close(layer: &HtmlElement) {
    if let Some(dialog) = layer.dyn_ref::<HtmlDialogElement>() {
        dialog.close();
        return;
    }
    if let Ok(cancel) = Event::new("cancel") {
        _ = layer.dispatch_event(&cancel);
    }
    _ = layer.hide_popover();
}
