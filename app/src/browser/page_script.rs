//! The functions of the page's inline script (`page.js`), and the signal that ends the start of the
//! page. Browser only; [`crate::start`] and the live client call it.

use std::cell::OnceCell;

use js_sys::{Function, Promise, Reflect};
use leptos::prelude::*;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;

thread_local! {
    static BEGUN: OnceCell<ArcRwSignal<bool>> = const { OnceCell::new() };
}

/// Returns a signal that is true once the whole view is in place.
pub fn begun() -> ArcRwSignal<bool> {
    BEGUN.with(|begun| begun.get_or_init(|| ArcRwSignal::new(false)).clone())
}

/// Waits until `page.js` has checked whether the server accepts this address.
pub async fn address_is_known() {
    let checked = call("address").and_then(|checked| checked.dyn_into::<Promise>().ok());
    if let Some(checked) = checked {
        // The promise never rejects and always settles.
        _ = JsFuture::from(checked).await;
    }
}

/// Marks the page as live, for tests and for styles that depend on scripts.
pub fn mark_live() {
    call("live");
}

/// Calls a function of `page.js`; does nothing if the script did not run.
pub fn call(name: &str) -> Option<JsValue> {
    let page = Reflect::get(&window(), &"duetPage".into()).ok()?;
    let function = Reflect::get(&page, &name.into()).ok()?.dyn_into::<Function>().ok()?;
    function.call0(&page).ok()
}
