//! The browser's own things that Leptos does not cover. Browser only.

use leptos::ev::KeyboardEvent;
use leptos::prelude::*;
use leptos::task::spawn_local;
use wasm_bindgen::closure::Closure;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{Element, Event, EventTarget, FocusEvent, HtmlElement, VisibilityState};

/// This computer's clock, in milliseconds since 1970.
pub fn now_ms() -> i64 {
    #[expect(clippy::cast_possible_truncation, reason = "milliseconds since 1970 fit for ever")]
    let now = js_sys::Date::now() as i64;
    now
}

/// Whether the person sees this page: in front, and focused.
pub fn is_watched() -> bool {
    document().visibility_state() == VisibilityState::Visible
        && document().has_focus().unwrap_or(true)
}

/// Whether the browser has something of this name.
pub fn has(target: &JsValue, name: &str) -> bool {
    js_sys::Reflect::has(target, &JsValue::from_str(name)).unwrap_or(false)
}

/// Which build of the page this is, if the server knew.
pub fn page_build() -> Option<String> {
    let meta = document().query_selector("meta[name=build]").ok()??;
    meta.get_attribute("content").filter(|build| !build.is_empty())
}

/// Whether Enter should send: there is a fine pointer, so there is a keyboard with Shift.
pub fn has_keyboard() -> bool {
    let query = window().match_media("(hover: none) and (pointer: coarse)");
    !query.ok().flatten().is_some_and(|query| query.matches())
}

/// Whether Cmd is what Ctrl is elsewhere.
pub fn is_mac() -> bool {
    window().navigator().platform().is_ok_and(|platform| platform.starts_with("Mac"))
}

/// Marks the document as live, for tests and for styles that need scripts.
pub fn mark_live() {
    if let Some(root) =
        document().document_element().and_then(|root| root.dyn_into::<HtmlElement>().ok())
    {
        _ = root.dataset().set("hydrated", "true");
    }
}

/// Puts a text into the clipboard. Where the page came without encryption there is no such thing
/// but the old way: to copy what is selected.
pub fn copy_text(text: &str) {
    let navigator = window().navigator();
    if js_sys::Reflect::has(&navigator, &"clipboard".into()).unwrap_or(false) {
        let written = JsFuture::from(navigator.clipboard().write_text(text));
        // A refusal leaves the clipboard as it was; there is nothing to add.
        spawn_local(async move { _ = written.await });
        return;
    }
    let document = document();
    let Ok(field) = document.create_element("textarea") else { return };
    let field: web_sys::HtmlTextAreaElement = field.unchecked_into();
    let before = document.active_element().and_then(|it| it.dyn_into::<HtmlElement>().ok());
    field.set_value(text);
    if let Some(body) = document.body()
        && body.append_child(&field).is_ok()
    {
        field.select();
        _ = document.unchecked_ref::<web_sys::HtmlDocument>().exec_command("copy");
        field.remove();
    }
    if let Some(before) = before {
        _ = before.focus();
    }
}

/// An event listener that is taken off when dropped.
pub struct Listener {
    target: EventTarget,
    event: &'static str,
    first: bool,
    closure: Closure<dyn FnMut(Event)>,
}

impl Listener {
    /// Listens.
    pub fn new(
        target: &EventTarget,
        event: &'static str,
        react: impl FnMut(Event) + 'static,
    ) -> Self {
        Self::on(target, event, false, react)
    }

    /// Listens, and is told before any element inside the target is.
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
        // Fails only for a closure that is none.
        _ = target.add_event_listener_with_callback_and_bool(event, callback, first);
        Self { target: target.clone(), event, first, closure }
    }

    /// Listens for as long as the page lives.
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
    let whole = element(event.current_target());
    let next = element(event.related_target());
    match (whole, next) {
        (Some(whole), Some(next)) => whole.contains(Some(&next)),
        _ => false,
    }
}

/// What Home and End do in a list that arrow keys walk through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ends {
    /// They go to its first and last element.
    Reached,
    /// They belong to the text in one of its elements.
    Untouched,
}

/// Arrow keys walk through the elements of a list; `stops` selects them.
pub fn walk(event: &KeyboardEvent, stops: &str, ends: Ends) {
    if event.alt_key() || event.ctrl_key() || event.meta_key() || event.shift_key() {
        return;
    }
    let whole = event.current_target().and_then(|target| target.dyn_into::<Element>().ok());
    let stops = whole.map(|whole| all(&whole, stops)).unwrap_or_default();
    let focused = document().active_element();
    let here = stops
        .iter()
        .position(|stop| focused.as_ref().is_some_and(|focused| focused.is_same_node(Some(stop))));
    let next = match event.key().as_str() {
        "ArrowDown" => here.map(|here| here + 1),
        "ArrowUp" => here.and_then(|here| here.checked_sub(1)),
        "Home" if ends == Ends::Reached => Some(0),
        "End" if ends == Ends::Reached => stops.len().checked_sub(1),
        _ => None,
    };
    if let Some(stop) = next.and_then(|next| stops.get(next)) {
        event.prevent_default();
        _ = stop.focus();
    }
}

/// All elements below another one that a selector names.
pub fn all(whole: &Element, selector: &str) -> Vec<HtmlElement> {
    let Ok(found) = whole.query_selector_all(selector) else { return Vec::new() };
    (0..found.length()).filter_map(|index| found.item(index)?.dyn_into().ok()).collect()
}

/// A number that tells this tab from others: chance is enough.
pub fn tab_number() -> u64 {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "53 random bits")]
    let number = (js_sys::Math::random() * 9_007_199_254_740_991.0) as u64;
    number
}
