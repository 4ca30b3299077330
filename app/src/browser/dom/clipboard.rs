//! The clipboard, and sharing with other applications.

use std::time::Duration;

use leptos::prelude::*;
use leptos::task::spawn_local;
use wasm_bindgen::JsCast;
use wasm_bindgen_futures::JsFuture;
use web_sys::{HtmlDocument, HtmlElement, HtmlTextAreaElement, ShareData};

use super::has;

/// How long the page shows that a text was copied.
const COPIED_FOR: Duration = Duration::from_secs(2);

/// Copies a text to the clipboard; false on failure. Falls back to the `copy` command on a selected
/// field if the page was loaded over plain HTTP or the browser refuses.
pub async fn copy_text(text: &str) -> bool {
    let navigator = window().navigator();
    if has(&navigator, "clipboard")
        && JsFuture::from(navigator.clipboard().write_text(text)).await.is_ok()
    {
        return true;
    }
    let document = document();
    let Ok(field) = document.create_element("textarea") else { return false };
    let field: HtmlTextAreaElement = field.unchecked_into();
    let before =
        document.active_element().and_then(|element| element.dyn_into::<HtmlElement>().ok());
    field.set_value(text);
    let copied = document.body().is_some_and(|body| {
        _ = body.append_child(&field);
        field.select();
        let copied = document.unchecked_ref::<HtmlDocument>().exec_command("copy");
        field.remove();
        copied.unwrap_or(false)
    });
    if let Some(before) = before {
        _ = before.focus();
    }
    copied
}

/// Copies a text and sets `copied` for [`COPIED_FOR`]. Does nothing on failure, because the text is
/// visible and the user can select it.
pub fn copy(text: &str, copied: RwSignal<bool>) {
    let text = text.to_owned();
    spawn_local(async move {
        if copy_text(&text).await {
            _ = copied.try_set(true);
            set_timeout(move || _ = copied.try_set(false), COPIED_FOR);
        }
    });
}

/// Whether the browser can share a link.
pub fn can_share() -> bool {
    has(&window().navigator(), "share")
}

/// Lets the user share a link.
pub fn share(address: &str) {
    let data = ShareData::new();
    data.set_url(address);
    let shared = JsFuture::from(window().navigator().share_with_data(&data));
    // Rejected if the user cancels.
    spawn_local(async move { _ = shared.await });
}
