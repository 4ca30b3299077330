//! The browser's entry: hydrates the page that the server rendered, and nothing else.
//!
//! The page's own live part starts inside [`app::App`], which also marks the document as live.

use leptos::wasm_bindgen::JsCast;
use leptos::web_sys::HtmlElement;
use wasm_bindgen::prelude::wasm_bindgen;
use wasm_bindgen_futures::spawn_local;

/// Called by the page's script when this module is loaded.
///
/// The application lives in its own element, because browser extensions add theirs to the body
/// and hydration bears no foreign neighbours.
#[wasm_bindgen]
pub fn hydrate() {
    console_error_panic_hook::set_once();
    let root = leptos::prelude::document()
        .get_element_by_id(app::ROOT_ID)
        .and_then(|element| element.dyn_into::<HtmlElement>().ok());
    // Without the element there is no page of ours to bring to life; its plain forms still work.
    if let Some(root) = root {
        spawn_local(async move {
            // Of a page whose code does not come the plain forms work, as before.
            if app::load().await.is_ok() {
                leptos::mount::hydrate_from(root, app::App).forget();
            }
        });
    }
}
