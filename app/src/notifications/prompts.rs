//! The prompts above the list, one at a time. Browser only.

use leptos::prelude::*;

use super::{Notifications, choices, install};
use crate::language::use_texts;

/// Offers notifications.
pub fn notices(notifications: Notifications) -> AnyView {
    let t = use_texts();
    bar(notifications, t.ask_notices, (t.not_now, Some(t.turn_on)), choices::choose_notices)
}

/// Offers the installation, which the browser then performs.
pub fn install(notifications: Notifications) -> AnyView {
    let t = use_texts();
    bar(notifications, t.ask_install, (t.not_now, Some(t.install)), install::answer)
}

/// Explains how to add the page to the home screen where only the user can do so.
pub fn home_screen(notifications: Notifications) -> AnyView {
    let t = use_texts();
    bar(notifications, t.add_to_home_screen, (t.got_it, None), install::answer)
}

fn bar(
    notifications: Notifications,
    words: &'static str,
    (no, yes): (&'static str, Option<&'static str>),
    answer: fn(Notifications, bool),
) -> AnyView {
    view! {
        <div class="question-bar">
            <p class="min-w-0 flex-1 font-medium">{words}</p>
            <button class="button-quiet" type="button" on:click=move |_| answer(notifications, false)>
                {no}
            </button>
            {yes.map(|yes| view! {
                <button class="button-quiet is-wanted" type="button" on:click=move |_| answer(notifications, true)>
                    {yes}
                </button>
            })}
        </div>
    }
    .into_any()
}
