//! Browser APIs that Leptos does not cover. Browser only.
//!
//! This file has the clocks and the properties of page and browser; `clipboard`, `focus` and
//! `listener` have the rest.

mod clipboard;
mod focus;
mod listener;

use std::time::Duration;

use leptos::prelude::*;
use wasm_bindgen::prelude::wasm_bindgen;
use wasm_bindgen::{JsCast, JsValue};
use web_sys::{HtmlFormElement, HtmlInputElement, VisibilityState};

use crate::live::outbox::Moment;

pub use clipboard::{can_share, copy, copy_text, share};
pub use focus::{FocusBefore, all, element, elements, keeps_focus, walk, walk_menu};
pub use listener::{Listener, while_shown};

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(js_namespace = performance, js_name = now)]
    fn performance_now() -> f64;
}

/// Milliseconds since the page was loaded. Every wait uses this clock, because the system clock may
/// be wrong and may jump.
pub fn uptime_ms() -> i64 {
    #[expect(clippy::cast_possible_truncation, reason = "milliseconds of a page's life")]
    let now = performance_now() as i64;
    now
}

/// The present moment on both clocks.
pub fn moment() -> Moment {
    #[expect(clippy::cast_possible_truncation, reason = "milliseconds since 1970 fit for ever")]
    let wall_ms = js_sys::Date::now() as i64;
    Moment { uptime_ms: uptime_ms(), wall_ms }
}

/// Runs `act` after a delay.
pub fn after(delay: Duration, act: impl FnOnce() + 'static) {
    set_timeout(act, delay);
}

/// Whether the user sees this page: the page is visible and focused.
pub fn is_watched() -> bool {
    document().visibility_state() == VisibilityState::Visible
        && document().has_focus().unwrap_or(true)
}

/// Whether the browser reports a network. A server on the same machine is reachable without one.
pub fn is_online() -> bool {
    window().navigator().on_line()
}

/// Whether the page is hydrated.
pub fn is_live() -> bool {
    root_has("data-hydrated")
}

/// Whether an object has a property of this name.
pub fn has(target: &JsValue, name: &str) -> bool {
    js_sys::Reflect::has(target, &JsValue::from_str(name)).unwrap_or(false)
}

/// The build of this page, if the server sent it.
pub fn page_build() -> Option<String> {
    meta("meta[name=build]").filter(|build| !build.is_empty())
}

fn meta(selector: &str) -> Option<String> {
    element(selector)?.get_attribute("content")
}

/// The absolute address of a path of this site.
pub fn address_of(path: &str) -> String {
    window().location().origin().unwrap_or_default() + path
}

/// The public origin of the site, under which the server accepts requests.
pub fn right_address() -> String {
    let all = meta("meta[name=addresses]").unwrap_or_default();
    all.split(' ').next().unwrap_or_default().to_owned()
}

/// Whether the page was opened under a wrong address, where the server refuses every call.
pub fn is_wrong_address() -> bool {
    root_has("data-wrong-address")
}

fn root_has(attribute: &str) -> bool {
    document().document_element().is_some_and(|root| root.has_attribute(attribute))
}

/// Whether Enter should send: true unless the primary pointer is touch. A computer with a mouse has
/// a keyboard with Shift for line breaks.
pub fn has_keyboard() -> bool {
    let query = window().match_media("(hover: none) and (pointer: coarse)");
    !query.ok().flatten().is_some_and(|query| query.matches())
}

/// Whether the switch or checkbox of this name in a form is on.
pub fn is_checked(form: &HtmlFormElement, name: &str) -> bool {
    let element = form.elements().named_item(name);
    let input = element.and_then(|element| element.dyn_into::<HtmlInputElement>().ok());
    input.is_some_and(|input| input.checked())
}

/// Whether the shortcuts use Cmd in place of Ctrl.
pub fn is_mac() -> bool {
    window().navigator().platform().is_ok_and(|platform| platform.starts_with("Mac"))
}

/// A random number that identifies this tab; a collision is unlikely enough.
pub fn tab_number() -> u64 {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "53 random bits")]
    let number = (js_sys::Math::random() * 9_007_199_254_740_991.0) as u64;
    number
}
