//! What stands where something is still being read. Shown with a delay (see the style sheet), so
//! that a quick answer does not flicker.

use leptos::prelude::*;

use crate::language::use_texts;

/// A conversation, not yet there.
#[component]
pub fn TimelineSkeleton() -> impl IntoView {
    view! {
        <main class="pane-conversation" id="content">
            <div class="skeletons flex flex-1 flex-col justify-end gap-3 p-6" aria-busy="true" role="status" aria-label=use_texts().loading_messages>
                <span class="skeleton h-10 w-1/2 rounded-2xl"></span>
                <span class="skeleton h-10 w-1/3 self-end rounded-2xl"></span>
                <span class="skeleton h-16 w-3/5 rounded-2xl"></span>
                <span class="skeleton h-10 w-2/5 self-end rounded-2xl"></span>
            </div>
        </main>
    }
}
