//! The page's side of the service worker (`public/sw.js`). Browser only.

use leptos::prelude::*;
use leptos::task::spawn_local;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{MessageEvent, ServiceWorkerContainer, ServiceWorkerRegistration};

use super::Notifications;
use crate::browser::dom::{self, Listener};
use crate::paths;

const SCRIPT: &str = "/sw.js";

/// The service worker container; present in secure contexts only.
fn container() -> Option<ServiceWorkerContainer> {
    let navigator = window().navigator();
    dom::has(&navigator, "serviceWorker").then(|| navigator.service_worker())
}

/// Registers the worker, and listens for the notification clicks that it forwards.
pub fn start(notifications: Notifications) {
    let Some(container) = container() else { return };
    Listener::new(&container, "message", move |event| {
        let opened = event.dyn_into::<MessageEvent>().ok().and_then(|event| {
            let path = js_sys::Reflect::get(&event.data(), &"open".into()).ok()?.as_string()?;
            paths::opened(&path)
        });
        if opened.is_some() {
            notifications.wanted.set(opened);
        }
    })
    .forget();
    let registered = container.register(SCRIPT);
    // The page works without a worker, so a failed registration is ignored.
    spawn_local(async move { _ = JsFuture::from(registered).await });
}

/// Tells the worker to cache the user's page with the code at these addresses; no addresses delete
/// it.
pub fn keep_page(addresses: &[String]) {
    let Some(worker) = container().and_then(|container| container.controller()) else { return };
    let addresses: js_sys::Array =
        addresses.iter().map(|address| JsValue::from_str(address)).collect();
    // Fails only for values that cannot be cloned.
    _ = worker.post_message(&addresses);
}

/// The registration, if its worker is active.
pub async fn registration() -> Option<ServiceWorkerRegistration> {
    let found = JsFuture::from(container()?.get_registration()).await.ok()?;
    let registration = found.dyn_into::<ServiceWorkerRegistration>().ok()?;
    registration.active().map(|_| registration)
}
