//! `/` on a wide screen: nothing is open yet.

use leptos::prelude::*;
use leptos_meta::Title;

use crate::components::{DuetMark, Icon};
use crate::language::use_texts;
use crate::paths;
use crate::session::use_session;

/// What stands beside the list while no conversation is open.
#[component]
pub fn Welcome() -> impl IntoView {
    let (t, invitations_open) = (use_texts(), use_session().invitations_open);
    view! {
        <Title text="" />
        <main class="pane-conversation is-welcome" id="content">
            <div class="m-auto max-w-sm px-8 text-center">
                <DuetMark class="mx-auto size-20 opacity-90" />
                <h1 class="mt-6 text-xl font-semibold">{t.who_to_talk_to}</h1>
                <p class="mt-2 text-muted">{t.choose_or_find}</p>
                {invitations_open.then(|| view! {
                    <a class="button-quiet is-edged mt-6 inline-flex" href=paths::INVITE>
                        {Icon::Invite.draw("size-5")}
                        {t.invite}
                    </a>
                })}
            </div>
        </main>
    }
}
