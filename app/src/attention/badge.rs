//! The count of unread messages where the page is not seen: on the tab's icon and on the installed
//! app's. Browser only.

use leptos::prelude::*;
use leptos::task::spawn_local;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;

use crate::dom;

const PLAIN: &str = "/favicon.svg";
const WITH_DOT: &str = "/icons/favicon-unread.svg";

#[wasm_bindgen]
extern "C" {
    /// What the browser's description that we build from leaves out.
    type BadgeNavigator;
    #[wasm_bindgen(method, js_name = setAppBadge)]
    fn set_app_badge(this: &BadgeNavigator, count: u32) -> js_sys::Promise;
}

/// Shows it; zero takes it away.
pub fn show(unread: u32) {
    let address = if unread > 0 { WITH_DOT } else { PLAIN };
    // Set again, even to the same address, a browser asks for the picture again.
    if let Ok(Some(icon)) = document().query_selector("link[rel=icon]")
        && icon.get_attribute("href").as_deref() != Some(address)
    {
        _ = icon.set_attribute("href", address);
    }
    let navigator = window().navigator();
    if dom::has(&navigator, "setAppBadge") {
        let done = navigator.unchecked_into::<BadgeNavigator>().set_app_badge(unread);
        // Fails where no app is installed, and then there is no icon to put it on.
        spawn_local(async move { _ = JsFuture::from(done).await });
    }
}
