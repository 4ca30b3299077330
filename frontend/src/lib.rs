//! The browser's entry: starts the program on the page that the server rendered, and nothing else.

use wasm_bindgen::prelude::wasm_bindgen;

/// Called by the page's script when this module is loaded.
///
/// The application lives in its own element, because browser extensions add theirs to the body.
#[wasm_bindgen]
pub fn hydrate() {
    app::start::start();
}
