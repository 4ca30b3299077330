//! `/c/{conversation}/about`: the peer of a conversation, with mute, block and report.

mod controls;
mod report;

use leptos::html;
use leptos::prelude::*;
use leptos::task::spawn_local;
use leptos_meta::Title;
use leptos_router::hooks::use_params_map;
use protocol::{Conversation, ConversationId, ErrorCode, Message, Retry, Timestamp};

use super::conversation::Unavailable;
use crate::browser::{copy, element, while_shown};
use crate::components::{Avatar, Icon};
use crate::error::AppError;
use crate::language::use_texts;
use crate::paths;
use crate::preload::{OpeningPosition, use_preloaded};
use crate::server_fns::get_conversation;
use crate::state::{ConversationSignals, use_state};
use crate::{text, time};
use controls::{BlockSection, MuteSection};
use report::ReportSection;

/// The page, beside the list. Another conversation builds another view.
#[component]
pub fn PersonPage() -> impl IntoView {
    let params = use_params_map();
    let requested = Memo::new(move |_| {
        params.with(|params| params.get("conversation")?.parse::<ConversationId>().ok())
    });
    move || match requested.get() {
        Some(id) => view! { <Found id=id /> }.into_any(),
        None => view! { <Unavailable error=ErrorCode::NotFound.into() /> }.into_any(),
    }
}

/// The person, from the conversation that the page holds or reads now.
#[component]
fn Found(id: ConversationId) -> impl IntoView {
    let state = use_state();
    let read = RwSignal::new(state.entry(id).is_some().then_some(Ok(())));
    let adopt = move |answer: Result<Conversation, AppError>| {
        // The answer may come after its reader has gone elsewhere.
        let outcome = answer.map(|conversation| state.adopt(conversation));
        _ = read.try_set(Some(outcome));
    };
    let ask = move || {
        read.set(None);
        spawn_local(async move { adopt(get_conversation(id).await) });
    };
    let messages = StoredValue::new(None);
    if let Some(first) = use_preloaded().conversation(id, OpeningPosition::Unread) {
        adopt(first.map(|first| {
            messages.set_value(Some(first.page.messages));
            first.conversation
        }));
    } else if read.with_untracked(Option::is_none) {
        ask();
    }
    let can_ask_again = |error: &AppError| error.retry() != Retry::Never;
    Effect::new(move |_| {
        let failed =
            || read.with_untracked(|read| matches!(read, Some(Err(error)) if can_ask_again(error)));
        if state.connection.get().brings_news() && failed() {
            ask();
        }
    });
    move || match read.get()? {
        Ok(()) => state.entry(id).map(|entry| {
            view! { <Person id=id entry=entry messages=messages.get_value() /> }.into_any()
        }),
        Err(error) => {
            let again = can_ask_again(&error).then(|| Callback::new(move |()| ask()));
            Some(view! { <Unavailable error=error again=again /> }.into_any())
        }
    }
}

/// The details of the person.
#[component]
fn Person(
    id: ConversationId,
    entry: ConversationSignals,
    /// The newest messages, if the page has them.
    messages: Option<Vec<Message>>,
) -> impl IntoView {
    let (t, local) = (use_texts(), use_state().time_context);
    let standing = {
        let summary = entry.summary.clone();
        Memo::new(move |_| summary.with(|summary| summary.standing))
    };
    let user = entry.summary.with_untracked(|summary| summary.peer.user.clone());
    let is_gone = user.username.is_empty();
    let name_now = t.name(&user).to_owned();
    // The server writes the title when the owner of the page's signals is gone.
    let title = {
        let summary = entry.summary.clone();
        move || summary.with(|summary| t.name(&summary.peer.user).to_owned())
    };
    let peer = Memo::new(move |_| entry.summary.with(|summary| summary.peer.clone()));
    let name = move || peer.with(|peer| t.name(&peer.user).to_owned());
    let presence = move || {
        let presence = peer.with(|peer| peer.presence);
        match presence.last_seen {
            _ if presence.online => t.online.to_owned(),
            Some(at) => time::last_seen(t, at, local.get()),
            None => String::new(),
        }
    };
    let since = move || t.in_touch_since.replace("{}", &time::date(begun(id), local.get()));
    let face = move || {
        let online = Signal::derive(move || peer.with(|peer| peer.presence.online));
        view! { <Avatar user=peer.get().user online=online class="avatar-huge" /> }
    };
    view! {
        <Title text=title />
        <main class="pane-conversation" id="content">
            <Header id=id />
            <div class="settings">
                <section class="settings-section person-page">
                    {face}
                    <h1 class="text-2xl font-semibold" dir="auto">{name}</h1>
                    {move || {
                        let username = peer.with(|peer| peer.user.username.clone());
                        (!username.is_empty()).then(|| view! { <Username username=username /> })
                    }}
                    <p class="text-muted empty:hidden" inner_html=move || text::as_html(&presence())></p>
                    <p class="text-muted" inner_html=move || text::as_html(&since())></p>
                </section>
                <section class="settings-section">
                    <p class="text-muted">{t.who_can_read}</p>
                </section>
                {(!is_gone).then(|| view! {
                    <MuteSection id=id standing=standing />
                    <BlockSection id=id standing=standing name=name_now />
                    <ReportSection id=id peer=user.id messages=messages />
                })}
            </div>
        </main>
    }
}

/// The time at which a conversation began, from its id (UUID version 7).
fn begun(id: ConversationId) -> Timestamp {
    let mut ms = [0; 8];
    ms[2..].copy_from_slice(&id.0.as_bytes()[..6]);
    Timestamp(i64::from_be_bytes(ms))
}

/// The link back to the conversation. Escape follows the link too.
#[component]
fn Header(id: ConversationId) -> impl IntoView {
    let t = use_texts();
    let back = NodeRef::<html::A>::new();
    while_shown(leptos::ev::keydown, move |event| {
        let wanted = event.key() == "Escape" && !event.default_prevented() && !is_elsewhere();
        if let Some(back) = back.get_untracked().filter(|_| wanted) {
            event.prevent_default();
            back.click();
        }
    });
    Effect::new(move |_| {
        if let Some(back) = back.get() {
            _ = back.focus();
        }
    });
    // `page.js` goes back in the history instead if the conversation is the entry before.
    view! {
        <header class="conversation-header">
            <a
                node_ref=back
                class="icon-button"
                href=paths::conversation(id)
                data-back=""
                aria-label=t.back_to_conversation
            >
                {Icon::Back.draw("size-6 flip")}
            </a>
        </header>
    }
}

/// Whether an element has the focus or is open that handles Escape itself.
fn is_elsewhere() -> bool {
    const ELSEWHERE: &str = "input:focus, dialog[open], :popover-open";
    element(ELSEWHERE).is_some()
}

/// The username. A press copies the username.
#[component]
fn Username(username: String) -> impl IntoView {
    let t = use_texts();
    let copied = RwSignal::new(false);
    let shown = text::handle(&username);
    view! {
        <button class="button-quiet is-edged" type="button" on:click=move |_| copy(&username, copied)>
            <span>{shown}</span>
            <span role="status" class="font-semibold text-accent" inner_html=move || if copied.get() { t.copied } else { t.copy }></span>
        </button>
    }
}
