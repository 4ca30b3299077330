//! Starts the WebAssembly program on a page: hydrates if the page is unchanged, else renders it
//! from scratch. Browser only; `frontend` calls it once.
//!
//! `page.js`, which is inline in each page, chooses between the two, because a panic ends the
//! WebAssembly instance and with it every decision here. After a panic `page.js` reloads the page
//! and has it rendered from scratch. If that fails too, it leaves the plain page with its native
//! forms. The live client ([`crate::live::start()`]) waits for [`page_script::begun`], so a failed
//! start runs none of it.

use std::panic;
use std::sync::Arc;

use hydration_context::{HydrateSharedContext, SharedContext};
use leptos::mount::{hydrate_from, mount_to};
use leptos::prelude::*;
use wasm_bindgen::JsCast;
use wasm_bindgen_futures::spawn_local;
use web_sys::HtmlElement;

use crate::browser::page_script::{self, call};
use crate::language::Language;
use crate::lazy::NotLoaded;
use crate::pages::lazy_pages;
use crate::{App, ROOT_ID, components};

/// Starts the program.
pub fn start() {
    panic::set_hook(Box::new(|what| {
        console_error_panic_hook::hook(what);
        call("fail");
    }));
    let root = document().get_element_by_id(ROOT_ID).and_then(|element| element.dyn_into().ok());
    // Without the root element there is nothing to hydrate; native forms still work.
    let Some(root) = root else { return };
    spawn_local(async move {
        if load().await.is_err() {
            call("plain");
            return;
        }
        match call("prepare").and_then(|how| how.as_string()).as_deref() {
            Some("plain") => return,
            Some("hydrate") => hydrate_from(root, App).forget(),
            _ => render_anew(root).await,
        }
        call("started");
        page_script::begun().set(true);
    });
}

/// Loads all lazy code that the present page needs. Called before hydration, because hydration
/// cannot be suspended half-way.
///
/// # Errors
/// Some of the code could not be loaded.
async fn load() -> Result<(), NotLoaded> {
    let root = document().document_element();
    // Not `lang`, because translation tools change that attribute.
    let tag = root.and_then(|root| root.get_attribute("data-language")).unwrap_or_default();
    let path = window().location().pathname().unwrap_or_default();
    let language = Language::from_tag(&tag).unwrap_or_default();
    // The rendered page has prefetch links for this code, so the browser is fetching it already.
    lazy_pages::load(&path).await?;
    components::load_what_is_shown().await?;
    language.load().await
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
