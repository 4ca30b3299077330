//! Starts the WebAssembly program on a page: hydrates if the page is unchanged, else renders it
//! from scratch. Browser only; `frontend` calls it once.
//!
//! `page.js`, which is inline in each page, chooses between the two, because a panic ends the
//! WebAssembly instance and with it every decision here. After a panic `page.js` reloads the page
//! and has it rendered from scratch. If that fails too, it leaves the plain page with its native
//! forms. The live client ([`crate::live::start()`]) waits for [`begun`], so a failed start runs
//! none of it.

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

/// Starts the program.
pub fn start() {
    panic::set_hook(Box::new(|what| {
        console_error_panic_hook::hook(what);
        call_page_script("fail");
    }));
    let root = document().get_element_by_id(ROOT_ID).and_then(|element| element.dyn_into().ok());
    // Without the root element there is nothing to hydrate; native forms still work.
    let Some(root) = root else { return };
    spawn_local(async move {
        if load().await.is_err() {
            call_page_script("plain");
            return;
        }
        match call_page_script("prepare").and_then(|how| how.as_string()).as_deref() {
            Some("plain") => return,
            Some("hydrate") => hydrate_from(root, App).forget(),
            _ => render_anew(root).await,
        }
        call_page_script("started");
        begun().set(true);
    });
}

/// Returns a signal that is true once the whole view is in place.
pub fn begun() -> ArcRwSignal<bool> {
    BEGUN.with(|begun| begun.get_or_init(|| ArcRwSignal::new(false)).clone())
}

/// Renders the page from scratch, with the data embedded in it.
async fn render_anew(root: HtmlElement) {
    let shared = Arc::new(HydrateSharedContext::new());
    let owner = Owner::new_root(Some(shared.clone()));
    owner.with(|| {
        root.set_text_content(None);
        mount_to(root, App).forget();
    });
    // The owner must live as long as the document.
    std::mem::forget(owner);
    shared.hydration_complete();
    // The router builds routes in tasks; one turn later all of them have run.
    gloo_timers::future::TimeoutFuture::new(0).await;
}

/// Waits until `page.js` has found out whether the server accepts this address.
pub async fn address_is_known() {
    let asked = call_page_script("address").and_then(|asked| asked.dyn_into::<Promise>().ok());
    if let Some(asked) = asked {
        // The promise never rejects and always settles.
        _ = JsFuture::from(asked).await;
    }
}

/// Marks the page as live, for tests and for styles that depend on scripts.
pub fn mark_live() {
    call_page_script("live");
}

/// Calls a function of `page.js`; does nothing if the script did not run.
fn call_page_script(name: &str) -> Option<JsValue> {
    let page = Reflect::get(&window(), &"duetPage".into()).ok()?;
    let function = Reflect::get(&page, &name.into()).ok()?.dyn_into::<Function>().ok()?;
    function.call0(&page).ok()
}
