//! Browser APIs that Leptos does not cover. Browser only.

use leptos::ev::KeyboardEvent;
use leptos::prelude::*;
use wasm_bindgen::closure::Closure;
use wasm_bindgen::prelude::wasm_bindgen;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{Element, Event, EventTarget, FocusEvent, HtmlElement, VisibilityState};

use crate::live::outbox::Moment;

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
    document().document_element().is_some_and(|root| root.has_attribute("data-hydrated"))
}

/// Whether an object has a property of this name.
pub fn has(target: &JsValue, name: &str) -> bool {
    js_sys::Reflect::has(target, &JsValue::from_str(name)).unwrap_or(false)
}

/// The build of this page, if the server sent it.
pub fn page_build() -> Option<String> {
    let meta = document().query_selector("meta[name=build]").ok()??;
    meta.get_attribute("content").filter(|build| !build.is_empty())
}

/// The public origin of the site.
pub fn right_address() -> String {
    let meta = document().query_selector("meta[name=addresses]").ok().flatten();
    let all = meta.and_then(|meta| meta.get_attribute("content")).unwrap_or_default();
    all.split(' ').next().unwrap_or_default().to_owned()
}

/// Whether the page was opened under a wrong address, where the server refuses every call.
pub fn is_wrong_address() -> bool {
    document().document_element().is_some_and(|root| root.has_attribute("data-wrong-address"))
}

/// Whether Enter should send: true unless the primary pointer is touch. A computer with a mouse has
/// a keyboard with Shift for line breaks.
pub fn has_keyboard() -> bool {
    let query = window().match_media("(hover: none) and (pointer: coarse)");
    !query.ok().flatten().is_some_and(|query| query.matches())
}

/// Whether the shortcuts use Cmd in place of Ctrl.
pub fn is_mac() -> bool {
    window().navigator().platform().is_ok_and(|platform| platform.starts_with("Mac"))
}

/// Copies a text to the clipboard; false on failure. Falls back to the `copy` command on a selected
/// field if the page came over plain HTTP or the browser refuses.
pub async fn copy_text(text: &str) -> bool {
    let navigator = window().navigator();
    if has(&navigator, "clipboard")
        && JsFuture::from(navigator.clipboard().write_text(text)).await.is_ok()
    {
        return true;
    }
    let document = document();
    let Ok(field) = document.create_element("textarea") else { return false };
    let field: web_sys::HtmlTextAreaElement = field.unchecked_into();
    let before =
        document.active_element().and_then(|element| element.dyn_into::<HtmlElement>().ok());
    field.set_value(text);
    let copied = document.body().is_some_and(|body| {
        _ = body.append_child(&field);
        field.select();
        let copied = document.unchecked_ref::<web_sys::HtmlDocument>().exec_command("copy");
        field.remove();
        copied.unwrap_or(false)
    });
    if let Some(before) = before {
        _ = before.focus();
    }
    copied
}

/// An event listener. Dropping it removes the listener.
pub struct Listener {
    target: EventTarget,
    event: &'static str,
    first: bool,
    closure: Closure<dyn FnMut(Event)>,
}

impl Listener {
    /// Listens in the bubbling phase.
    pub fn new(
        target: &EventTarget,
        event: &'static str,
        react: impl FnMut(Event) + 'static,
    ) -> Self {
        Self::on(target, event, false, react)
    }

    /// Listens in the capture phase, before any listener inside the target.
    pub fn before(
        target: &EventTarget,
        event: &'static str,
        react: impl FnMut(Event) + 'static,
    ) -> Self {
        Self::on(target, event, true, react)
    }

    fn on(
        target: &EventTarget,
        event: &'static str,
        first: bool,
        react: impl FnMut(Event) + 'static,
    ) -> Self {
        let closure = Closure::<dyn FnMut(Event)>::new(react);
        let callback = closure.as_ref().unchecked_ref();
        // Fails only for an invalid closure.
        _ = target.add_event_listener_with_callback_and_bool(event, callback, first);
        Self { target: target.clone(), event, first, closure }
    }

    /// Keeps listening for the lifetime of the page.
    pub fn forget(self) {
        std::mem::forget(self);
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        let closure = self.closure.as_ref().unchecked_ref();
        _ = self
            .target
            .remove_event_listener_with_callback_and_bool(self.event, closure, self.first);
    }
}

/// Whether the focus stays inside the element that lost it.
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
    let container = event.current_target().and_then(|target| target.dyn_into::<Element>().ok());
    let stops = container.map(|container| all(&container, stops)).unwrap_or_default();
    let focused = document().active_element();
    let here = stops
        .iter()
        .position(|stop| focused.as_ref().is_some_and(|focused| focused.is_same_node(Some(stop))));
    let next = match event.key().as_str() {
        "ArrowDown" => here.map(|here| here + 1),
        "ArrowUp" => here.and_then(|here| here.checked_sub(1)),
        "Home" => Some(0),
        "End" => stops.len().checked_sub(1),
        _ => None,
    };
    if let Some(stop) = next.and_then(|next| stops.get(next)) {
        event.prevent_default();
        _ = stop.focus();
    }
}

/// All descendants of an element that match a selector.
pub fn all(container: &Element, selector: &str) -> Vec<HtmlElement> {
    let Ok(found) = container.query_selector_all(selector) else { return Vec::new() };
    (0..found.length()).filter_map(|index| found.item(index)?.dyn_into().ok()).collect()
}

/// A random number that identifies this tab; a collision is unlikely enough.
pub fn tab_number() -> u64 {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "53 random bits")]
    let number = (js_sys::Math::random() * 9_007_199_254_740_991.0) as u64;
    number
}
