//! The prompts above the list, one at a time. Browser only.

use leptos::prelude::*;

use super::install::{self, Installation};
use super::{Notifications, PromptView, stored_choices};
use crate::language::use_texts;

/// Offers notifications.
pub fn notices(notifications: Notifications) -> AnyView {
    let t = use_texts();
    bar(notifications, t.ask_notices, (t.not_now, Some(t.turn_on)), stored_choices::choose_notices)
}

/// The prompt for an installation.
pub fn installation(how: Installation) -> PromptView {
    match how {
        Installation::ByBrowser => by_browser,
        Installation::ByHand => by_hand,
    }
}

/// Offers the installation, which the browser then performs.
fn by_browser(notifications: Notifications) -> AnyView {
    let t = use_texts();
    bar(notifications, t.ask_install, (t.not_now, Some(t.install)), install::answer)
}

/// Explains how to add the page to the home screen where only the user can do so.
fn by_hand(notifications: Notifications) -> AnyView {
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
        <div class="prompt-bar">
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
