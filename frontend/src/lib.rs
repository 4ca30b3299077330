//! The entry point of the WebAssembly: starts the application on the page that the server rendered.

use wasm_bindgen::prelude::wasm_bindgen;

/// Called by the page's script after loading this module.
///
/// The application has its own root element, because browser extensions add elements to the body.
#[wasm_bindgen]
pub fn hydrate() {
    app::start::start();
}
