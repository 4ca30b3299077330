//! Gives the open layers (menus, notes, dialogs, those of the emoji scripts, and the results of a
//! search) one history entry, so that Back closes them before it leaves the page. Browser only;
//! [`crate::App`] calls [`start`] once.
//!
//! Popovers and dialogs fire `toggle`, so they need no registration. In a browser that does not fire
//! `toggle`, Back leaves the page. The search calls [`changed`], because its results are no popover.

use std::cell::Cell;
use std::time::Duration;

use leptos::prelude::*;
use wasm_bindgen::{JsCast, JsValue};
use web_sys::{Element, Event, History, HtmlDialogElement, HtmlElement};

use crate::browser::dom::{Listener, elements};

/// The state of our history entry, which distinguishes the entry from those of pages.
const MARK: &str = "layer";
/// Selectors of all layers, and of the open ones.
const LAYERS: &str = "dialog, [popover]";
const OPEN: &str = "dialog[open], :popover-open, .people[data-layer]";
/// Delay before our entry is removed. A menu closes before its note opens, and both share the
/// entry.
const SUCCESSION: Duration = Duration::from_millis(100);

thread_local! {
    /// Whether `history.back()` was called and its `popstate` is still pending.
    static LEAVING: Cell<bool> = const { Cell::new(false) };
}

/// Listens for the lifetime of the page.
pub fn start() {
    let page = document();
    Listener::before(&page, "toggle", |event| {
        let layer = event.target().and_then(|target| target.dyn_into::<Element>().ok());
        let Some(layer) = layer.filter(|layer| layer.matches(LAYERS).unwrap_or(false)) else {
            return;
        };
        changed(layer.matches(OPEN).unwrap_or(false));
    })
    .forget();
    // A dialog that is removed from the page on closing fires only `close`.
    Listener::before(&page, "close", |_| set_timeout(closed, SUCCESSION)).forget();
    // In the capture phase, before the router, because the page's address has not changed.
    Listener::before(&window(), "popstate", |event| {
        let leaving = LEAVING.replace(false);
        let open = open_layers();
        if open.is_empty() {
            return;
        }
        event.stop_immediate_propagation();
        if leaving {
            // Our own `history.back()`: a layer opened meanwhile, so the entry is needed again.
            opened();
        } else {
            open.iter().for_each(close);
        }
    })
    .forget();
}

/// Notes that a layer without `toggle` has opened or closed. While open, the layer has the attribute
/// `data-layer`; it closes on `cancel`.
pub fn changed(is_open: bool) {
    if is_open {
        opened();
    } else {
        set_timeout(closed, SUCCESSION);
    }
}

fn open_layers() -> Vec<HtmlElement> {
    // Empty in a browser without popovers, where the query fails.
    elements(OPEN)
}

fn history() -> Option<History> {
    window().history().ok()
}

/// Whether the current history entry is ours.
fn is_ours(history: &History) -> bool {
    history.state().is_ok_and(|state| state.as_string().as_deref() == Some(MARK))
}

fn opened() {
    if let Some(history) = history().filter(|history| !is_ours(history)) {
        // Fails only if a page adds hundreds of entries a minute.
        _ = history.push_state(&JsValue::from_str(MARK), "");
    }
}

/// Removes our entry, unless another layer is open or the user has navigated on.
fn closed() {
    if let Some(history) = history().filter(is_ours)
        && open_layers().is_empty()
        && !LEAVING.replace(true)
    {
        _ = history.back();
    }
}

/// Closes a layer. One that is no dialog first gets `cancel`, because its listener returns the focus.
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
