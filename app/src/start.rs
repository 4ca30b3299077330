//! Starts the program on a page: by hydration where the page is as the server sent it, else by
//! drawing the page anew. Browser only; `frontend` calls it once.
//!
//! `page.js`, which each page carries, decides which of the two, because a program that panicked
//! can decide nothing: a panic ends the WebAssembly instance. Then `page.js` loads the page again,
//! drawn, and if that fails as well it leaves the plain page with its native forms. The live part
//! ([`crate::live::start()`]) waits for [`begun`], so nothing of a failed start goes on.

use std::cell::OnceCell;
use std::panic;
use std::sync::Arc;

use hydration_context::{HydrateSharedContext, SharedContext};
use js_sys::{Function, Promise, Reflect};
use leptos::mount::{hydrate_from, mount_to};
use leptos::prelude::*;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::{JsFuture, spawn_local};
use web_sys::HtmlElement;

use crate::{App, ROOT_ID, load};

thread_local! {
    static BEGUN: OnceCell<ArcRwSignal<bool>> = const { OnceCell::new() };
}

/// Brings the page to life.
pub fn start() {
    panic::set_hook(Box::new(|what| {
        console_error_panic_hook::hook(what);
        tell_page("fail");
    }));
    let root = document().get_element_by_id(ROOT_ID).and_then(|it| it.dyn_into().ok());
    // Without the element there is no page of ours to bring to life; its plain forms still work.
    let Some(root) = root else { return };
    spawn_local(async move {
        if load().await.is_err() {
            tell_page("plain");
            return;
        }
        match tell_page("prepare").and_then(|how| how.as_string()).as_deref() {
            Some("plain") => return,
            Some("hydrate") => hydrate_from(root, App).forget(),
            _ => draw(root).await,
        }
        tell_page("started");
        begun().set(true);
    });
}

/// Whether the whole view is in place.
pub fn begun() -> ArcRwSignal<bool> {
    BEGUN.with(|begun| begun.get_or_init(|| ArcRwSignal::new(false)).clone())
}

/// Draws the page anew, with what the server put into the page.
async fn draw(root: HtmlElement) {
    let shared = Arc::new(HydrateSharedContext::new());
    let owner = Owner::new_root(Some(shared.clone()));
    owner.with(|| {
        root.set_text_content(None);
        mount_to(root, App).forget();
    });
    // The page lives as long as the document.
    std::mem::forget(owner);
    shared.hydration_complete();
    // The router builds routes in tasks; one turn later all of them have run.
    gloo_timers::future::TimeoutFuture::new(0).await;
}

/// Waits until it is known whether the server answers a page under this address.
pub async fn address_is_known() {
    let asked = tell_page("address").and_then(|asked| asked.dyn_into::<Promise>().ok());
    if let Some(asked) = asked {
        // It ends in any case.
        _ = JsFuture::from(asked).await;
    }
}

/// Says that all handlers are in place: for tests and for styles that need scripts.
pub fn mark_live() {
    tell_page("live");
}

/// Calls a function of `page.js`; nothing where the script did not run.
fn tell_page(name: &str) -> Option<JsValue> {
    let page = Reflect::get(&window(), &"duetPage".into()).ok()?;
    let function = Reflect::get(&page, &name.into()).ok()?.dyn_into::<Function>().ok()?;
    function.call0(&page).ok()
}
