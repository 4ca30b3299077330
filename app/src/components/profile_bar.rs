//! Who is signed in, and the way out.

use leptos::ev::SubmitEvent;
use leptos::prelude::*;
use leptos::task::spawn_local;

use super::{Avatar, Icon};
use crate::language::use_texts;
use crate::paths;
use crate::server_fns::sign_out;
use crate::state::use_state;

/// The foot of the list.
#[component]
pub fn ProfileBar() -> impl IntoView {
    let (t, state) = (use_texts(), use_state());
    let on_submit = move |event: SubmitEvent| {
        event.prevent_default();
        spawn_local(async {
            if sign_out().await.is_ok() {
                // A new page: nothing of this person stays in memory.
                _ = window().location().assign(paths::SIGN_IN);
            }
        });
    };
    move || {
        state.watch_me().map(|me| view! {
        <footer class="profile-bar">
            <a class="profile-link" href=paths::SETTINGS aria-label=t.settings>
            <Avatar user=me.clone() class="avatar-small" />
            <span class="min-w-0 flex-1">
                <span class="block truncate text-sm font-semibold" dir="auto">{me.display_name.clone()}</span>
                <span class="block truncate text-xs text-muted"><bdi dir="ltr">"@" {me.username.clone()}</bdi></span>
            </span>
            {Icon::Settings.draw("size-5 shrink-0 text-muted")}
            </a>
            <form method="post" action=paths::SIGN_OUT on:submit=on_submit>
                <button class="button-quiet" type="submit">
                    {Icon::Leave.draw("size-4")}
                    {t.sign_out}
                </button>
            </form>
        </footer>
    })
    }
}
