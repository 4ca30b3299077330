//! The list of conversations, keyed by conversation. An event updates its own entry, and the order
//! only if it changed. Older conversations load as the end of the list comes near.

use leptos::prelude::*;
use leptos::task::spawn_local;
use leptos_router::hooks::use_location;
use protocol::{Conversation, ConversationId};

use super::{Avatar, Icon, NoConversations};
use crate::browser::{element, keeps_focus, walk, writing};
use crate::language::{Texts, use_texts};
use crate::live::rows::Tick;
use crate::paths;
use crate::server_fns::list_conversations;
use crate::state::{ConversationSignals, State, use_state};
use crate::text;
use crate::time::{self, TimeContext};

/// All loaded conversations, newest first.
#[component]
pub fn ConversationList() -> impl IntoView {
    let (t, state) = (use_texts(), use_state());
    let loader = ListLoader { state, loading: RwSignal::new(false), failed: RwSignal::new(false) };
    loader.follow();
    let focused = RwSignal::new(None);
    let stop = tab_stop(state, focused);
    let shared = Memo::new(move |_| state.shared_names());
    view! {
        <Show when=move || !state.others.get_value() && state.list.with(Vec::is_empty)>
            <div class="no-conversations md:hidden">
                <p class="font-semibold">{t.no_conversations}</p>
                <NoConversations />
            </div>
        </Show>
        <ul
            class="conversation-list"
            on:scroll=move |_| loader.load_near_end()
            on:keydown=move |event| walk(&event, "a.list-entry")
            on:focusout=move |event| {
                if !keeps_focus(&event) {
                    focused.set(None);
                }
            }
        >
            <For each=move || state.list.get() key=|id| *id let:id>
                {state.entry(id).map(|entry| view! { <ListEntry id=id entry=entry stop=stop focused=focused shared=shared /> })}
            </For>
            <Show when=move || state.list_has_more.get()>
                <li class="older-conversations">
                    <button
                        class="button-quiet"
                        type="button"
                        on:click=move |_| loader.load()
                        inner_html=move || match (loader.loading.get(), loader.failed.get()) {
                            (true, _) => t.loading,
                            (_, true) => t.try_again,
                            _ => t.older_conversations,
                        }
                    ></button>
                </li>
            </Show>
        </ul>
    }
}

/// Returns the tab stop of the list: the focused entry, else the open conversation, else the first
/// entry.
fn tab_stop(
    state: State,
    focused: RwSignal<Option<ConversationId>>,
) -> Memo<Option<ConversationId>> {
    let path = use_location().pathname;
    Memo::new(move |_| {
        let open = path.with(|path| paths::opened(path));
        state.list.with(|list| {
            let listed = |id: &ConversationId| list.contains(id);
            focused.get().filter(listed).or(open.filter(listed)).or(list.first().copied())
        })
    })
}

/// Loading of older conversations.
#[derive(Clone, Copy)]
struct ListLoader {
    state: State,
    loading: RwSignal<bool>,
    /// Whether the last attempt failed. Loading then resumes on a click or on the next connection.
    failed: RwSignal<bool>,
}

impl ListLoader {
    fn load(self) {
        if !self.loading.get_untracked() {
            self.loading.set(true);
            spawn_local(async move {
                self.failed.set(!load_more(self.state).await);
                self.loading.set(false);
            });
        }
    }

    fn load_near_end(self) {
        let wanted = self.state.list_has_more.get_untracked() && !self.failed.get_untracked();
        if wanted && is_near_end() {
            self.load();
        }
    }

    /// Loads whenever the list or the connection changes and the end is near.
    fn follow(self) {
        let Self { state, loading, failed } = self;
        Effect::new(move |was_connected: Option<bool>| {
            let connected = state.connection.get().brings_news();
            if connected && was_connected == Some(false) {
                failed.set(false);
            }
            state.list.track();
            loading.track();
            self.load_near_end();
            connected
        });
    }
}

/// Loads the next page of the list; false if that failed.
async fn load_more(state: State) -> bool {
    let page = list_conversations(state.list_cursor()).await;
    let came = page.is_ok();
    if let Ok(page) = page {
        state.adopt_list(page, false);
        writing::show_drafts(state);
    }
    came
}

/// Whether the end of the list is less than `NEAR_PX` below the view. False while the list is
/// hidden.
fn is_near_end() -> bool {
    const NEAR_PX: i32 = 400;
    element(".conversation-list").is_some_and(|list| {
        let height = list.client_height();
        height > 0 && list.scroll_height() - list.scroll_top() - height < NEAR_PX
    })
}

#[component]
fn ListEntry(
    id: ConversationId,
    entry: ConversationSignals,
    /// The entry that is the tab stop.
    stop: Memo<Option<ConversationId>>,
    /// The focused entry.
    focused: RwSignal<Option<ConversationId>>,
    /// The display names of several peers.
    shared: Memo<Vec<String>>,
) -> impl IntoView {
    let (t, state) = (use_texts(), use_state());
    let (local, live) = (state.time_context, state.live);
    // Before hydration no handler listens to the arrow keys, so every entry is a tab stop.
    let passed_over = Memo::new(move |_| live.get() && stop.get() != Some(id));
    let path = paths::conversation(id);
    let location = use_location().pathname;
    let current = Memo::new(move |_| location.with(|path| paths::opened(path)) == Some(id));
    let user = {
        let summary = entry.summary.clone();
        Memo::new(move |_| summary.with(|summary| summary.peer.user.clone()))
    };
    let handle = Memo::new(move |_| {
        user.with(|user| match shared.with(|shared| shared.contains(&user.display_name)) {
            true => text::handle(&user.username),
            false => String::new(),
        })
    });
    let part = |read: fn(&Conversation) -> u32| {
        let summary = entry.summary.clone();
        Memo::new(move |_| summary.with(read))
    };
    let unread = part(|summary| summary.unread);
    let online = part(|summary| u32::from(summary.peer.presence.online));
    let muted = {
        let summary = entry.summary.clone();
        Memo::new(move |_| {
            let until = summary.with(|summary| summary.standing.muted_until);
            until.is_some_and(|until| until > local.with(TimeContext::now))
        })
    };
    let at = {
        let summary = entry.summary.clone();
        // Not `active_at`, which is a sort key and may differ from the time of the last message.
        Memo::new(move |_| summary.with(|summary| summary.last.as_ref().map(|last| last.sent_at)))
    };
    view! {
        <li>
            <a
                class="list-entry"
                class:is-muted=move || muted.get()
                href=path
                aria-current=move || current.get().then_some("page")
                tabindex=move || passed_over.get().then_some("-1")
                on:focus=move |_| focused.set(Some(id))
            >
                {move || view! { <Avatar user=user.get() online=Signal::derive(move || online.get() > 0) /> }}
                <span class="min-w-0 flex-1">
                    <span class="flex items-baseline gap-2">
                        <span class="min-w-0 flex-1 truncate font-semibold" dir="auto">{move || user.with(|user| t.name(user).to_owned())}</span>
                        <span
                            class="min-w-0 truncate text-xs text-muted"
                            class:hidden=move || handle.with(String::is_empty)
                            inner_html=move || handle.with(|handle| text::as_html(handle))
                        ></span>
                        <span class="sr-only" inner_html=move || if online.get() == 1 { aside(t.online) } else { String::new() }></span>
                        {move || muted.get().then(|| Icon::Muted.draw("size-3.5 shrink-0 self-center text-muted"))}
                        <span class="sr-only" inner_html=move || if muted.get() { aside(t.muted) } else { String::new() }></span>
                        <span
                            class="shrink-0 text-xs text-muted"
                            inner_html=move || at.get().map(|at| text::as_html(&time::short(t, at, local.get()))).unwrap_or_default()
                        ></span>
                    </span>
                    <span class="mt-0.5 flex items-center gap-2">
                        <Preview entry=entry open=current />
                        <span class="badge" class:hidden=move || unread.get() == 0>
                            <span aria-hidden="true" inner_html=move || badge(unread.get())></span>
                            <span class="sr-only" inner_html=move || aside(&t.count(t.unread, unread.get()))></span>
                        </span>
                    </span>
                </span>
            </a>
        </li>
    }
}

/// The kind of text under the name.
#[derive(Clone, Copy, PartialEq, Eq)]
enum SecondLine {
    Typing,
    Draft,
    LastMessage,
}

impl SecondLine {
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
    entry: ConversationSignals,
    /// Whether the conversation is open; its draft is then visible in the composer.
    open: Memo<bool>,
) -> impl IntoView {
    let (t, state) = (use_texts(), use_state());
    let (summary, typing, draft) = (entry.summary, entry.typing, entry.draft);
    let kind = {
        let draft = draft.clone();
        Memo::new(move |_| {
            match (typing.get(), !open.get() && draft.with(|draft| !draft.is_empty())) {
                (true, _) => SecondLine::Typing,
                (_, true) => SecondLine::Draft,
                _ => SecondLine::LastMessage,
            }
        })
    };
    let line = Memo::new(move |_| match kind.get() {
        SecondLine::LastMessage => summary.with(|summary| last_line(t, state, summary)),
        SecondLine::Draft => (None, draft.with(|draft| text::preview(draft))),
        SecondLine::Typing => (None, String::new()),
    });
    let tick = Memo::new(move |_| line.with(|line| line.0));
    view! {
        <span class="preview">
            {move || tick.get().map(Tick::draw)}
            <span class="sr-only" inner_html=move || tick.get().map(|_| t.fill(t.you_said, "")).unwrap_or_default()></span>
            <span
                class="preview-kind"
                class:is-draft=move || kind.get() == SecondLine::Draft
                inner_html=move || text::as_html(kind.get().words(t))
            ></span>
            <bdi inner_html=move || line.with(|line| text::as_html(&line.1))></bdi>
            <span class="sr-only" inner_html=move || tick.get().map(|tick| aside(tick.label(t))).unwrap_or_default()></span>
        </span>
    }
}

/// The last message, with its tick if it is the user's own.
fn last_line(t: &Texts, state: State, summary: &Conversation) -> (Option<Tick>, String) {
    let stored = summary.last.as_ref();
    let waiting = state.newest_waiting(summary.id, |entry| {
        // A message can be stored and still be in the outbox, if the answer was lost.
        let is_stored = stored.is_some_and(|last| last.client_id == entry.client_id);
        (!is_stored).then(|| (Some(Tick::of_unsent(entry)), text::preview(&entry.body)))
    });
    waiting.flatten().unwrap_or_else(|| match stored {
        None => (None, t.say_hello.to_owned()),
        Some(last) if last.is_withheld() => (None, t.withheld.to_owned()),
        Some(last) => {
            let mine = last.sender != summary.peer.user.id;
            (mine.then(|| Tick::of(last, summary.theirs)), text::preview(&last.body))
        }
    })
}

/// Text for screen readers in place of a visual sign.
fn aside(words: &str) -> String {
    format!(", {}", text::as_html(words))
}

fn badge(unread: u32) -> String {
    if unread >= protocol::limits::MAX_UNREAD { "999+".to_owned() } else { unread.to_string() }
}
