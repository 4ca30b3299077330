//! What stands where something is still being read, or could not be. Shown with a delay (see the style
//! sheet), so that a quick answer does not flicker.

use leptos::prelude::*;

use crate::error::AppError;
use crate::language::use_texts;
use crate::words;

/// The rows of a conversation, not yet there.
#[component]
pub fn TimelineSkeleton() -> impl IntoView {
    view! {
        <div class="skeletons flex flex-1 flex-col justify-end gap-3 p-6" aria-busy="true" role="status" aria-label=use_texts().loading_messages>
            <span class="skeleton h-10 w-1/2 rounded-2xl"></span>
            <span class="skeleton h-10 w-1/3 self-end rounded-2xl"></span>
            <span class="skeleton h-16 w-3/5 rounded-2xl"></span>
            <span class="skeleton h-10 w-2/5 self-end rounded-2xl"></span>
        </div>
    }
}

/// Why something could not be read, and another attempt. Whoever shows it reads again by itself when the
/// connection is back.
#[component]
pub fn NotRead(
    /// Why.
    error: AppError,
    /// Reads again.
    again: Callback<()>,
) -> impl IntoView {
    let t = use_texts();
    // That there is no connection is said by the banner.
    let why = match error {
        AppError::Unreached => t.not_loaded.to_owned(),
        AppError::Refused(_) => words::sentence(t, error),
    };
    view! {
        <div class="not-read" role="alert">
            <p>{why}</p>
            // Without scripts, and before the page is live, it loads the page again.
            <a
                class="button-quiet is-edged"
                role="button"
                rel="external"
                href=""
                on:click=move |event| {
                    event.prevent_default();
                    again.run(());
                }
            >
                {t.try_again}
            </a>
        </div>
    }
}
