//! The emoji button. The picker and the completion of `:names:` are separate scripts
//! (`public/emoji`), fetched on first use, because most users never need them.

use leptos::ev::MouseEvent;
use leptos::prelude::*;

use super::Icon;
use crate::language::{EmojiTexts, use_texts};

/// Opens the picker.
#[component]
pub fn EmojiButton(
    /// Called when the scripts cannot be fetched.
    on_failure: Callback<()>,
) -> impl IntoView {
    let t = use_texts();
    view! {
        <button
            class="emoji-button"
            type="button"
            aria-label=t.emoji.title
            aria-haspopup="dialog"
            // The box keeps the focus and its caret.
            on:mousedown=|event: MouseEvent| event.prevent_default()
            on:click=move |_| fetch_emoji(&t.emoji, true, on_failure)
        >
            {Icon::Smile.draw("size-6")}
        </button>
    }
}

/// Fetches the scripts unless they are loaded or loading; they then attach their own listeners.
/// `open` opens the picker once they are loaded.
pub fn fetch_emoji(texts: &'static EmojiTexts, open: bool, on_failure: Callback<()>) {
    #[cfg(feature = "hydrate")]
    browser::fetch(texts, open, on_failure);
    #[cfg(not(feature = "hydrate"))]
    let _ = (texts, open, on_failure);
}

#[cfg(feature = "hydrate")]
mod browser {
    use leptos::prelude::*;
    use web_sys::Element;

    use crate::dom::Listener;
    use crate::language::EmojiTexts;

    /// Id of the script element, from which the scripts read their texts.
    const ID: &str = "emoji-script";
    /// Attribute: open the picker once the scripts are loaded.
    const OPEN: &str = "data-open";

    pub fn fetch(texts: &EmojiTexts, open: bool, on_failure: Callback<()>) {
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
}
