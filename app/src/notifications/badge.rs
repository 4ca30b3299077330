//! The unread count outside the page: on the tab's icon and on the installed app's icon. Browser
//! only.

use leptos::prelude::*;
use leptos::task::spawn_local;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;

use crate::browser::dom;

const PLAIN: &str = "/favicon.svg";
const WITH_DOT: &str = "/icons/favicon-unread.svg";

#[wasm_bindgen]
extern "C" {
    /// `setAppBadge` is missing from the Web IDL that `web-sys` is built from.
    type BadgeNavigator;
    #[wasm_bindgen(method, js_name = setAppBadge)]
    fn set_app_badge(this: &BadgeNavigator, count: u32) -> js_sys::Promise;
}

/// Shows the count; zero removes the badge.
pub fn show(unread: u32) {
    let address = if unread > 0 { WITH_DOT } else { PLAIN };
    // Browsers fetch the icon again whenever `href` is set, even to the same address.
    if let Some(icon) = dom::element("link[rel=icon]")
        && icon.get_attribute("href").as_deref() != Some(address)
    {
        _ = icon.set_attribute("href", address);
    }
    let navigator = window().navigator();
    if dom::has(&navigator, "setAppBadge") {
        let done = navigator.unchecked_into::<BadgeNavigator>().set_app_badge(unread);
        // The promise rejects where no app is installed; there is no app icon to update then.
        spawn_local(async move { _ = JsFuture::from(done).await });
    }
}
