//! The list of conversations. Entries are keyed by conversation; an event touches its own entry,
//! and the order only when it changed.

use leptos::prelude::*;
use leptos::task::spawn_local;
use leptos_router::hooks::use_location;
use protocol::{Conversation, ConversationId};

use super::Avatar;
#[cfg(feature = "hydrate")]
use crate::dom::Ends;
use crate::language::{Texts, use_texts};
use crate::paths;
use crate::server_fns::list_conversations;
use crate::session::use_session;
use crate::state::{Entry, State, use_state};
use crate::text;
use crate::time;

/// All conversations that are held, newest first.
#[component]
pub fn ConversationList() -> impl IntoView {
    let (t, state) = (use_texts(), use_state());
    let invitations_open = use_session().invitations_open;
    let loading = RwSignal::new(false);
    let load = move || {
        if !loading.get_untracked() {
            loading.set(true);
            spawn_local(async move {
                load_more(state).await;
                loading.set(false);
            });
        }
    };
    // One tab stop: where the focus is in the list, else the open conversation, else the first.
    let focused = RwSignal::new(None::<ConversationId>);
    let path = use_location().pathname;
    let stop = Memo::new(move |_| {
        let open = path.with(|path| paths::opened(path));
        state.list.with(|list| {
            let held = |id: &ConversationId| list.contains(id);
            focused.get().filter(held).or(open.filter(held)).or(list.first().copied())
        })
    });
    view! {
        <Show when=move || invitations_open && state.list.with(Vec::is_empty)>
            <div class="nobody-yet">
                <p class="font-semibold">{t.alone_here}</p>
                <p class="mt-1 text-sm text-muted">{t.invite_before}</p>
                <a class="button-primary mt-4 inline-flex" href=paths::INVITE>{t.invite}</a>
            </div>
        </Show>
        <ul
            class="conversation-list"
            on:keydown=move |event| {
                #[cfg(feature = "hydrate")]
                crate::dom::walk(&event, "a.list-entry", Ends::Reached);
                _ = event;
            }
            on:focusout=move |event| {
                #[cfg(feature = "hydrate")]
                if !crate::dom::keeps_focus(&event) {
                    focused.set(None);
                }
                _ = event;
            }
        >
            <For each=move || state.list.get() key=|id| *id let:id>
                {state.entry(id).map(|entry| view! { <ListEntry id=id entry=entry stop=stop focused=focused /> })}
            </For>
        </ul>
        <Show when=move || state.list_has_more.get()>
            <button class="button-quiet mx-auto my-2" type="button" on:click=move |_| load()>
                {move || if loading.get() { t.loading } else { t.older_conversations }}
            </button>
        </Show>
    }
}

async fn load_more(state: State) {
    if let Ok(page) = list_conversations(state.list_cursor()).await {
        state.adopt_list(page, false);
        #[cfg(feature = "hydrate")]
        crate::live::writing::show_drafts(state);
    }
}

/// One conversation in the list.
#[component]
fn ListEntry(
    /// Which.
    id: ConversationId,
    /// What is known of it.
    entry: Entry,
    /// The entry that Tab comes to.
    stop: Memo<Option<ConversationId>>,
    /// The entry that has the focus.
    focused: RwSignal<Option<ConversationId>>,
) -> impl IntoView {
    let (t, local) = (use_texts(), use_state().local_time);
    // Until the page is live nothing listens to the arrow keys, and Tab comes to each.
    let passed_over = Memo::new(move |_| local.get() && stop.get() != Some(id));
    let path = paths::conversation(id);
    let current = {
        let (path, location) = (path.clone(), use_location().pathname);
        Memo::new(move |_| location.with(|location| *location == path))
    };
    let user = {
        let summary = entry.summary.clone();
        Memo::new(move |_| summary.with(|summary| summary.peer.user.clone()))
    };
    let part = |read: fn(&Conversation) -> u32| {
        let summary = entry.summary.clone();
        Memo::new(move |_| summary.with(read))
    };
    let unread = part(|summary| summary.unread);
    let online = part(|summary| u32::from(summary.peer.presence.online));
    let at = {
        let summary = entry.summary.clone();
        Memo::new(move |_| summary.with(|summary| summary.last.as_ref().map(|_| summary.active_at)))
    };
    view! {
        <li>
            <a
                class="list-entry"
                href=path
                aria-current=move || current.get().then_some("page")
                tabindex=move || passed_over.get().then_some("-1")
                on:focus=move |_| focused.set(Some(id))
            >
                {move || view! { <Avatar user=user.get() online=Signal::derive(move || online.get() > 0) /> }}
                <span class="min-w-0 flex-1">
                    <span class="flex items-baseline gap-2">
                        <span class="min-w-0 flex-1 truncate font-semibold" dir="auto">{move || user.with(|user| t.name(user).to_owned())}</span>
                        <span class="shrink-0 text-xs text-muted">
                            {move || at.get().map(|at| time::short(t, at, local.get())).unwrap_or_default()}
                        </span>
                    </span>
                    <span class="mt-0.5 flex items-center gap-2">
                        <Preview entry=entry open=current />
                        <span class="badge" class:hidden=move || unread.get() == 0>
                            <span aria-hidden="true">{move || badge(unread.get())}</span>
                            <span class="sr-only">{move || format!(", {}", t.count(t.unread, unread.get()))}</span>
                        </span>
                    </span>
                </span>
            </a>
        </li>
    }
}

/// What stands under the name.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Under {
    Typing,
    Draft,
    LastMessage,
}

impl Under {
    fn words(self, t: &Texts) -> &'static str {
        match self {
            Self::Typing => t.typing,
            Self::Draft => t.draft,
            Self::LastMessage => "",
        }
    }
}

/// The line under the name: typing, a draft, or the last message.
#[component]
fn Preview(
    /// What is known of the conversation.
    entry: Entry,
    /// Whether it is open: then its draft is on the screen already.
    open: Memo<bool>,
) -> impl IntoView {
    let t = use_texts();
    let (summary, typing, draft) = (entry.summary, entry.typing, entry.draft);
    let kind = {
        let draft = draft.clone();
        Memo::new(move |_| {
            match (typing.get(), !open.get() && draft.with(|draft| !draft.is_empty())) {
                (true, _) => Under::Typing,
                (_, true) => Under::Draft,
                _ => Under::LastMessage,
            }
        })
    };
    let line = Memo::new(move |_| match kind.get() {
        Under::LastMessage => summary.with(|summary| last_line(t, summary)),
        Under::Draft => draft.with(|draft| text::preview(draft)),
        Under::Typing => String::new(),
    });
    view! {
        <span class="min-w-0 flex-1 truncate text-sm text-muted">
            <span class="preview-kind" class:is-draft=move || kind.get() == Under::Draft>{move || kind.get().words(t)}</span>
            <bdi>{line}</bdi>
        </span>
    }
}

fn last_line(t: &Texts, summary: &Conversation) -> String {
    match &summary.last {
        None => t.say_hello.to_owned(),
        Some(last) if last.sender == summary.peer.user.id => text::preview(&last.body),
        Some(last) => t.fill(t.you_said, &text::preview(&last.body)),
    }
}

fn badge(unread: u32) -> String {
    if unread >= protocol::limits::MAX_UNREAD { "999+".to_owned() } else { unread.to_string() }
}
