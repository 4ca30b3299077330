//! `/requests`: conversations of people with whom the user has not talked. The server loads the
//! first page before rendering; after navigation from another page it is fetched here.

use leptos::prelude::*;
use leptos::task::spawn_local;
use leptos_meta::Title;
use protocol::{ConversationId, ConversationPage, ListCursor};

use crate::components::{Avatar, Icon, NotRead};
use crate::error::AppError;
use crate::language::use_texts;
use crate::paths;
use crate::preload::use_preloaded;
use crate::server_fns::list_requests;
use crate::state::{ConversationSignals, use_state};
use crate::text;

/// The page in the right pane.
#[component]
pub fn RequestsPage() -> impl IntoView {
    let t = use_texts();
    let texts = t.language.people();
    view! {
        <Title text=t.requests />
        <main class="pane-conversation" id="content">
            <header class="conversation-header">
                <a class="icon-button md:hidden" href=paths::HOME aria-label=t.back_to_conversations>
                    {Icon::Back.draw("size-6 flip")}
                </a>
                <h1 class="text-lg font-semibold">{t.requests}</h1>
            </header>
            <div class="settings">
                <section class="settings-section">
                    <p class="text-muted">{texts.requests_help}</p>
                    <Requests />
                </section>
            </div>
        </main>
    }
}

/// The requests, or the error.
#[component]
fn Requests() -> impl IntoView {
    let (t, state) = (use_texts(), use_state());
    let texts = t.language.people();
    // The cursor of the next page, if there is one.
    let more = RwSignal::new(None::<ListCursor>);
    let outcome = RwSignal::new(None::<Result<(), AppError>>);
    let adopt = move |answer: Result<ConversationPage, AppError>| {
        let read = answer.map(|page| {
            let last = page.conversations.last().filter(|_| page.has_more);
            let next = last.map(|last| ListCursor { active_at: last.active_at, id: last.id });
            state.adopt_requests(page);
            // The page may have been left meanwhile.
            _ = more.try_set(next);
        });
        _ = outcome.try_set(Some(read));
    };
    let fetch = Callback::new(move |after: Option<ListCursor>| {
        spawn_local(async move { adopt(list_requests(after).await) });
    });
    let first = use_preloaded().lazy_page();
    if let Some(first) = first {
        #[cfg(feature = "ssr")]
        if let Err(error) = &first {
            crate::response::set_error_status(*error);
        }
        adopt(first);
    }
    Effect::new(move |_| {
        let is_back = state.connection.get().brings_news();
        match outcome.get_untracked() {
            Some(Ok(())) => {}
            Some(Err(_)) if !is_back => {}
            _ => fetch.run(None),
        }
    });
    let again = Callback::new(move |()| fetch.run(None));
    view! {
        {move || match outcome.get() {
            Some(Err(error)) => Some(view! { <NotRead error=error again=again /> }.into_any()),
            Some(Ok(())) if state.requests.with(Vec::is_empty) => {
                Some(view! { <p class="text-muted">{texts.no_requests}</p> }.into_any())
            }
            _ => None,
        }}
        <ul class="requests">
            <For each=move || state.requests.get() key=|id| *id let:id>
                {state.entry(id).map(|entry| view! { <Request id=id entry=entry /> })}
            </For>
        </ul>
        {move || more.get().map(|cursor| view! {
            <button class="button-quiet is-edged" type="button" on:click=move |_| fetch.run(Some(cursor))>
                {t.older_conversations}
            </button>
        })}
    }
}

/// A request: who writes, and the beginning of the message. Opening it tells its sender nothing.
#[component]
fn Request(id: ConversationId, entry: ConversationSignals) -> impl IntoView {
    let t = use_texts();
    let user = {
        let summary = entry.summary.clone();
        Memo::new(move |_| summary.with(|summary| summary.peer.user.clone()))
    };
    let body = Memo::new(move |_| {
        let last = |summary: &protocol::Conversation| {
            summary.last.as_ref().map(|last| match last.is_withheld() {
                true => t.withheld.to_owned(),
                false => text::preview(&last.body),
            })
        };
        entry.summary.with(last).unwrap_or_default()
    });
    view! {
        <li>
            <a class="request-entry" href=paths::conversation(id)>
                {move || view! { <Avatar user=user.get() online=Signal::stored(false) /> }}
                <span class="min-w-0 flex-1">
                    <span class="flex items-baseline gap-2">
                        <span class="min-w-0 truncate font-semibold" dir="auto">
                            {move || user.with(|user| t.name(user).to_owned())}
                        </span>
                        <span class="min-w-0 truncate text-xs text-muted">
                            {move || user.with(|user| text::handle(&user.username))}
                        </span>
                    </span>
                    <bdi class="block truncate text-muted" inner_html=move || body.with(|body| text::as_html(body))></bdi>
                </span>
            </a>
        </li>
    }
}
