//! The way to the emoji. The picker and the completion of `:names:` are scripts of their own
//! (`public/emoji`), which are fetched when somebody first asks for them: most people never do.

use leptos::ev::MouseEvent;
use leptos::prelude::*;

use super::Icon;
use crate::language::{EmojiTexts, use_texts};

/// Opens the picker.
#[component]
pub fn EmojiButton(
    /// Told when the picker cannot be fetched.
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

/// Fetches the scripts, if they are not here yet; then they listen by themselves. `open` opens the
/// picker as soon as they are.
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

    /// The element by which the scripts find their words.
    const ID: &str = "emoji-script";
    /// Whether the picker opens as soon as they are here.
    const OPEN: &str = "data-open";

    pub fn fetch(texts: &EmojiTexts, open: bool, on_failure: Callback<()>) {
        let page = document();
        if let Some(script) = page.get_element_by_id(ID) {
            // While they come nobody else listens to the button. Those that have come look no more.
            if open {
                _ = script.set_attribute(OPEN, "true");
            }
            return;
        }
        let (Ok(script), Some(body)) = (page.create_element("script"), page.body()) else { return };
        describe(&script, texts, open);
        let failed = script.clone();
        Listener::new(&script, "error", move |_| {
            // The next attempt fetches anew.
            failed.remove();
            on_failure.run(());
        })
        .forget();
        _ = body.append_child(&script);
    }

    fn describe(script: &Element, texts: &EmojiTexts, open: bool) {
        // A table of texts always becomes JSON.
        let texts = serde_json::to_string(texts).unwrap_or_default();
        let attributes = [
            ("id", ID),
            ("type", "module"),
            ("src", "/emoji/emoji.js"),
            ("data-texts", &texts),
            (OPEN, if open { "true" } else { "" }),
        ];
        for (name, value) in attributes {
            // Refused only for names that are none.
            _ = script.set_attribute(name, value);
        }
    }
}
