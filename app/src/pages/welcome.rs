//! `/` on a wide screen, while no conversation is open.

use leptos::prelude::*;
use leptos_meta::Title;

use crate::components::{DuetMark, NoConversations};
use crate::language::use_texts;
use crate::state::use_state;

/// The pane beside the list while no conversation is open.
#[component]
pub fn Welcome() -> impl IntoView {
    let (t, state) = (use_texts(), use_state());
    let is_empty = Memo::new(move |_| state.list.with(Vec::is_empty));
    let title = move || if is_empty.get() { t.no_conversations } else { t.choose_conversation };
    view! {
        <Title text="" />
        <main class="pane-conversation is-welcome" id="content">
            <div class="m-auto max-w-sm px-8 text-center">
                <DuetMark class="mx-auto size-20 opacity-90" />
                <h1 class="mt-6 text-xl font-semibold" inner_html=title></h1>
                {move || is_empty.get().then(|| view! { <div class="max-md:hidden"><NoConversations /></div> })}
            </div>
        </main>
    }
}
