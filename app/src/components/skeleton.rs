//! Placeholders for content that is loading or could not be loaded. The style sheet delays the
//! skeleton, so that it does not flicker when the answer is quick.

use leptos::prelude::*;

use crate::error::AppError;
use crate::error_messages::error_message;
use crate::language::use_texts;

/// The placeholder for the rows of a conversation.
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

/// The error of a failed load, with a retry button. The caller retries by itself when the
/// connection is back.
#[component]
pub fn NotRead(
    error: AppError,
    /// Retries the load.
    again: Callback<()>,
) -> impl IntoView {
    let t = use_texts();
    // The banner already reports a lost connection.
    let why = match error {
        AppError::Unreached => t.not_loaded.to_owned(),
        AppError::Refused(_) => error_message(t, error),
    };
    view! {
        <div class="not-read" role="alert">
            <p>{why}</p>
            // Without scripts and before hydration the link reloads the page.
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
