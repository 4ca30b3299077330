//! Event listeners with an owner.

use leptos::ev::EventDescriptor;
use leptos::prelude::*;
use wasm_bindgen::JsCast;
use wasm_bindgen::closure::Closure;
use web_sys::{Event, EventTarget};

/// An event listener. Dropping it removes the listener.
pub struct Listener {
    target: EventTarget,
    event: &'static str,
    capture: bool,
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
        capture: bool,
        react: impl FnMut(Event) + 'static,
    ) -> Self {
        let closure = Closure::<dyn FnMut(Event)>::new(react);
        let callback = closure.as_ref().unchecked_ref();
        // Fails only for an invalid closure.
        _ = target.add_event_listener_with_callback_and_bool(event, callback, capture);
        Self { target: target.clone(), event, capture, closure }
    }

    /// Keeps listening for the lifetime of the page.
    pub fn forget(self) {
        std::mem::forget(self);
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        let closure = self.closure.as_ref().unchecked_ref();
        _ = self.target.remove_event_listener_with_callback_and_bool(
            self.event,
            closure,
            self.capture,
        );
    }
}

/// Listens on the window until the calling component is removed.
pub fn while_shown<E: EventDescriptor + 'static>(event: E, react: impl Fn(E::EventType) + 'static)
where
    E::EventType: JsCast,
{
    let listener = window_event_listener(event, react);
    on_cleanup(move || listener.remove());
}
