//! Fetches the scripts of the emoji picker and of the completion of `:names:`. Browser only.

use leptos::prelude::*;
use web_sys::Element;

use super::dom::Listener;
use crate::language::EmojiTexts;

/// Id of the script element, from which the scripts read their texts.
const ID: &str = "emoji-script";
/// Attribute: open the picker once the scripts are loaded.
const OPEN: &str = "data-open";

/// Fetches the scripts unless they are loaded or loading; they then attach their own listeners.
/// `open` opens the picker once they are loaded.
pub fn fetch_emoji(texts: &EmojiTexts, open: bool, on_failure: Callback<()>) {
    let page = document();
    if let Some(script) = page.get_element_by_id(ID) {
        // While the scripts load, the button has no other listener. Loaded scripts ignore the
        // attribute.
        if open {
            _ = script.set_attribute(OPEN, "true");
        }
        return;
    }
    let (Ok(script), Some(body)) = (page.create_element("script"), page.body()) else { return };
    describe(&script, texts, open);
    let failed = script.clone();
    Listener::new(&script, "error", move |_| {
        // The next call fetches again.
        failed.remove();
        on_failure.run(());
    })
    .forget();
    _ = body.append_child(&script);
}

fn describe(script: &Element, texts: &EmojiTexts, open: bool) {
    // Serialising a struct of strings cannot fail.
    let texts = serde_json::to_string(texts).unwrap_or_default();
    let attributes = [
        ("id", ID),
        ("type", "module"),
        ("src", "/emoji/emoji.js"),
        ("data-texts", &texts),
        (OPEN, if open { "true" } else { "" }),
    ];
    for (name, value) in attributes {
        // Fails only for invalid attribute names.
        _ = script.set_attribute(name, value);
    }
}
