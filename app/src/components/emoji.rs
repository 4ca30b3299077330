//! The emoji button. The picker and the completion of `:names:` are separate scripts
//! (`public/emoji`), fetched on first use, because most users never need them.

use leptos::ev::MouseEvent;
use leptos::prelude::*;

use super::Icon;
use crate::browser::fetch_emoji;
use crate::language::use_texts;

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
