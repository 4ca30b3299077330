//! The popovers of menu and note: opens them beside an element, positions them and closes
//! them. Also the actions of the entries that need the document. Browser only.

use std::cell::RefCell;

use gloo_timers::future::TimeoutFuture;
use leptos::prelude::*;
use leptos::task::spawn_local;
use wasm_bindgen::JsCast;
use web_sys::{Element, HtmlElement};

use super::MenuParts;
use crate::browser::dom::element;
use crate::server_fns::tick_times;

/// The gap around menu, note and menu button.
pub(super) const GAP_PX: f64 = 4.0;

thread_local! {
    /// The element that had the focus before the menu opened.
    static BEFORE: RefCell<Option<HtmlElement>> = const { RefCell::new(None) };
}

/// Shows the note on the message whose menu was open.
pub fn show_note(parts: MenuParts) {
    if let Some(article) = element(".is-chosen article") {
        note_beside(parts, article);
    }
}

/// Shows the note on the chosen message, first without the times, then with them once fetched.
pub(super) fn note_beside(parts: MenuParts, beside: Element) {
    parts.times.set(None);
    show(parts, parts.note, beside.clone());
    spawn_local(async move {
        let Ok(times) = tick_times(parts.conversation).await else { return };
        parts.times.try_set(Some(times));
        TimeoutFuture::new(0).await;
        if let Some(note) = parts.note.try_get_untracked().flatten() {
            place_beside(&note, &beside);
        }
    });
}

/// Opens a popover beside an element once its content is rendered, and focuses it.
pub(super) fn show(parts: MenuParts, part: NodeRef<leptos::html::Div>, beside: Element) {
    let Some(part) = part.get_untracked() else { return };
    let before =
        document().active_element().and_then(|element| element.dyn_into::<HtmlElement>().ok());
    BEFORE.set(before);
    spawn_local(async move {
        if parts.overlays.load().await.is_err() {
            parts.show_toast(parts.t.unreached);
            return;
        }
        TimeoutFuture::new(0).await;
        if part.show_popover().is_err() {
            return;
        }
        place_beside(&part, &beside);
        let first = part.query_selector("[role=menuitem]").ok().flatten();
        let first = first.and_then(|first| first.dyn_into::<HtmlElement>().ok());
        _ = first.as_ref().unwrap_or(&part).focus();
    });
}

/// Positions a popover below `beside`, or above it if there is no room: inside the window, and
/// clear of the message if the window is large enough.
fn place_beside(part: &HtmlElement, beside: &Element) {
    let style = part.style();
    // Reset first, because the previous position would limit the measured width.
    _ = style.set_property("left", "0");
    let (own, other) = (part.get_bounding_client_rect(), beside.get_bounding_client_rect());
    let message = element(".is-chosen article");
    let message = message.as_ref().unwrap_or(beside).get_bounding_client_rect();
    let size = |value: Result<wasm_bindgen::JsValue, _>| {
        value.ok().and_then(|value| value.as_f64()).unwrap_or_default()
    };
    let (width, height) = (size(window().inner_width()), size(window().inner_height()));
    let inside = |value: f64, most: f64| value.min(most).max(GAP_PX);
    // An element beside the message opens the popover away from the message. Otherwise the popover
    // aligns with the side of the element that is nearer to the window's edge.
    let is_before = other.right() <= message.left();
    let is_behind = other.left() >= message.right();
    let left = if is_before || (!is_behind && other.left() + other.right() > width) {
        other.right() - own.width()
    } else {
        other.left()
    };
    let left = inside(left, width - own.width() - GAP_PX);
    let is_clear = left >= message.right() || left + own.width() <= message.left();
    let kept = if is_clear { other } else { message };
    let below = kept.bottom() + GAP_PX;
    let fits = below + own.height() + GAP_PX <= height;
    let top = if fits { below } else { kept.top() - own.height() - GAP_PX };
    _ = style.set_property("left", &px(left));
    _ = style.set_property("top", &px(inside(top, height - own.height() - GAP_PX)));
}

/// A length in CSS pixels, rounded.
#[expect(clippy::cast_possible_truncation, reason = "no window is that large")]
pub(super) fn px(length: f64) -> String {
    format!("{}px", length.round() as i32)
}

/// Closes menu and note, and returns the focus.
pub fn close(parts: MenuParts) {
    let before = BEFORE.take();
    for part in
        [parts.menu, parts.note].iter().filter_map(GetUntracked::try_get_untracked).flatten()
    {
        _ = part.hide_popover();
    }
    if let Some(before) = before {
        _ = before.focus();
    }
}

/// Selects the text of the chosen message, because a long press opens the menu and selects nothing.
/// The user can then move the ends of the selection.
pub fn select_text() {
    let Some(row) = element(".is-chosen") else { return };
    _ = row.class_list().add_1("is-selectable");
    if let (Ok(Some(body)), Ok(Some(selection))) =
        (row.query_selector(".body"), window().get_selection())
    {
        _ = selection.select_all_children(&body);
    }
}
