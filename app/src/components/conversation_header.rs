//! The header of a conversation: the peer and their presence, as a link to the peer's page.

use leptos::prelude::*;

use super::{Avatar, Icon};
use crate::language::use_texts;
use crate::paths;
use crate::state::{ConversationSignals, use_state};
use crate::text;
use crate::time;

#[component]
pub fn ConversationHeader(
    /// The conversation's entry in the list, which holds the peer.
    entry: ConversationSignals,
) -> impl IntoView {
    let (t, state) = (use_texts(), use_state());
    let local = state.time_context;
    let user = {
        let summary = entry.summary.clone();
        Memo::new(move |_| summary.with(|summary| summary.peer.user.clone()))
    };
    let name = move || user.with(|user| t.name(user).to_owned());
    let presence = {
        let summary = entry.summary.clone();
        Memo::new(move |_| summary.with(|summary| summary.peer.presence))
    };
    let typing = entry.typing;
    // Several peers in the list may have one display name.
    let shared = Memo::new(move |_| state.shared_names());
    let handle = move || {
        user.with(|user| match shared.with(|shared| shared.contains(&user.display_name)) {
            true => text::handle(&user.username) + " · ",
            false => String::new(),
        })
    };
    // Never empty, so that the layout does not shift.
    let words = Memo::new(move |_| match (typing.get(), presence.get()) {
        (true, _) => t.typing.to_owned(),
        (_, presence) if presence.online => handle() + t.online,
        (_, presence) => match presence.last_seen {
            Some(at) => handle() + &time::last_seen(t, at, local.get()),
            None => user.with(|user| text::handle(&user.username)),
        },
    });
    let online = Signal::derive(move || presence.get().online);
    let about = paths::about(entry.summary.with_untracked(|summary| summary.id));
    view! {
        <header class="conversation-header">
            <a class="icon-button md:hidden" href=paths::HOME aria-label=t.back_to_conversations>
                {Icon::Back.draw("size-6 flip")}
            </a>
            <a class="header-person" href=about>
                {move || view! { <Avatar user=user.get() online=online /> }}
                <div class="min-w-0">
                    <h1 class="truncate font-semibold leading-tight" dir="auto">{name}</h1>
                    <p
                        class="truncate text-sm leading-tight text-muted"
                        class:text-accent-two=move || words.with(|words| words == t.typing)
                        inner_html=move || words.with(|words| text::as_html(words))
                    ></p>
                </div>
            </a>
        </header>
    }
}
