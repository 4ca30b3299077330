//! `/` on a wide screen: nothing is open yet.

use leptos::prelude::*;
use leptos_meta::Title;

use crate::components::DuetMark;
use crate::language::use_texts;

/// What stands beside the list while no conversation is open.
#[component]
pub fn Welcome() -> impl IntoView {
    let t = use_texts();
    view! {
        <Title text="" />
        <main class="pane-conversation is-welcome">
            <div class="m-auto max-w-sm px-8 text-center">
                <DuetMark class="mx-auto size-20 opacity-90" />
                <h1 class="mt-6 text-xl font-semibold">{t.who_to_talk_to}</h1>
                <p class="mt-2 text-muted">{t.choose_or_find}</p>
            </div>
        </main>
    }
}
