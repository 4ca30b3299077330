//! `/c/{conversation}`: the conversation with one peer.
//!
//! Header and composer need only the conversation's entry in the list, so they render at once and
//! stay; only the rows are fetched. If fetching fails, the page shows cached rows and retries when
//! the connection is back.

use std::time::Duration;

use leptos::prelude::*;
use leptos::task::spawn_local;
use leptos_meta::Title;
use leptos_router::hooks::{use_params_map, use_query_map};
use protocol::{ConversationId, ErrorCode, Retry, Seq, Standing};

use crate::browser::{after, left_at, offline_copies};
use crate::components::{
    Bar, Composer, ConversationHeader, NotRead, Timeline, TimelineSkeleton, use_overlays,
};
use crate::error::AppError;
use crate::error_messages::error_message;
use crate::language::use_texts;
use crate::paths;
use crate::preload::{OpeningPosition, load_conversation, use_preloaded};
use crate::state::{ConversationSignals, FirstPage, OpenConversation, State, use_state};

/// The page of a conversation. Changing the conversation creates a new view.
#[component]
pub fn ConversationPage() -> impl IntoView {
    let params = use_params_map();
    let query = use_query_map();
    let requested = Memo::new(move |_| {
        let id = params.with(|params| params.get("conversation")?.parse::<ConversationId>().ok());
        (id, OpeningPosition::from_query(&|name| query.with(|query| query.get(name))))
    });
    move || match requested.get() {
        (Some(id), position) => view! { <OpenedConversation id=id position=position /> }.into_any(),
        (None, _) => view! { <Unavailable error=ErrorCode::NotFound.into() /> }.into_any(),
    }
}

/// The state of the rows.
#[derive(Clone)]
enum Rows {
    /// The rows are being fetched.
    Loading,
    /// The rows are loaded.
    Read(OpenConversation),
    /// Only unsent messages are loaded; the history is being fetched, or failed with an error.
    Lacking(OpenConversation, Option<AppError>),
    /// The conversation cannot be shown.
    Refused(AppError),
}

/// Fetching of one conversation.
#[derive(Clone, Copy)]
struct ConversationLoader {
    state: State,
    id: ConversationId,
    position: OpeningPosition,
    rows: RwSignal<Rows>,
    /// The number of the latest attempt; answers to earlier attempts are ignored.
    attempt: StoredValue<u32>,
}

impl ConversationLoader {
    /// Shows cached rows; false if there are none.
    fn show_cached(self) -> bool {
        let left_at = left_at(self.state, self.id);
        let held = self.state.first_page_from_memory(self.id, left_at);
        held.inspect(|first| self.show(first)).is_some()
    }

    /// Fetches the rows.
    fn begin(self) {
        let attempt = self.attempt.get_value() + 1;
        self.attempt.set_value(attempt);
        // False after a newer attempt, and once the view is disposed of because the user left.
        let is_wanted = move || self.attempt.try_get_value() == Some(attempt) && self.is_awaited();
        let fail = move |error| async move {
            offline_copies::bring(self.state, self.id).await;
            if is_wanted() {
                self.rows.set(self.without(error));
            }
        };
        after(patience(self.state), move || spawn_local(fail(AppError::Unreached)));
        spawn_local(async move {
            let position = match (self.position, left_at(self.state, self.id)) {
                (OpeningPosition::Unread, Some(left_at)) => OpeningPosition::Message(left_at),
                (position, _) => position,
            };
            match load_conversation(self.id, position).await {
                Ok(first) if is_wanted() => self.show(&first),
                Ok(_) => {}
                Err(error) => fail(error).await,
            }
        });
    }

    fn show(self, first: &FirstPage) {
        self.rows.set(Rows::Read(self.state.open(first)));
    }

    /// Whether an answer would still be used, even after the error was shown.
    fn is_awaited(self) -> bool {
        let rows = self.rows.try_get_untracked();
        matches!(rows, Some(Rows::Loading | Rows::Lacking(..) | Rows::Refused(_)))
    }

    /// What to show after a failed fetch.
    fn without(self, error: AppError) -> Rows {
        if error.retry() == Retry::Never {
            return Rows::Refused(error);
        }
        let position = match self.position {
            OpeningPosition::Message(seq) => Some(seq),
            _ => None,
        };
        match self.state.open_cached(self.id, position) {
            Some(held) => Rows::Read(held),
            None => self.lacking(Some(error)).unwrap_or(Rows::Refused(error)),
        }
    }

    fn lacking(self, error: Option<AppError>) -> Option<Rows> {
        Some(Rows::Lacking(self.state.open_without_rows(self.id)?, error))
    }

    fn again(self) {
        let rows = self.lacking(None).unwrap_or(Rows::Loading);
        self.rows.set(rows);
        self.begin();
    }

    /// Retries a failed fetch when the connection is back. Shows a message that the user sends
    /// before the rows are loaded.
    fn go_on(self) {
        let Self { state, rows, .. } = self;
        Effect::new(move |_| {
            if state.connection.get().brings_news() {
                match rows.get_untracked() {
                    Rows::Lacking(_, Some(_)) => self.again(),
                    Rows::Refused(error) if error.retry() != Retry::Never => self.again(),
                    _ => {}
                }
            }
        });
        Effect::new(move |before: Option<u32>| {
            let wrote = state.wrote.get();
            if before.is_some_and(|before| before != wrote)
                && matches!(rows.get_untracked(), Rows::Loading)
                && let Some(lacking) = self.lacking(None)
            {
                rows.set(lacking);
            }
            wrote
        });
    }
}

/// A conversation that is fetched and shown.
#[component]
fn OpenedConversation(
    id: ConversationId,
    /// The position at which the conversation opens.
    position: OpeningPosition,
) -> impl IntoView {
    let state = use_state();
    on_cleanup(move || state.close(id));
    let (rows, attempt) = (RwSignal::new(Rows::Loading), StoredValue::new(0));
    let loader = ConversationLoader { state, id, position, rows, attempt };
    match use_preloaded().conversation(id, position) {
        Some(Ok(first)) => loader.show(&first),
        Some(Err(error)) => {
            #[cfg(feature = "ssr")]
            crate::response::set_error_status(error);
            loader.rows.set(loader.without(error));
        }
        // Navigation within the application, so the server did not load this page ahead.
        None if position == OpeningPosition::Unread && loader.show_cached() => {}
        None => loader.begin(),
    }
    loader.go_on();
    let entry = Memo::new_with_compare(
        move |_| match loader.rows.get() {
            Rows::Refused(error) => Err(error),
            _ => Ok(state.entry(id)),
        },
        |before, now| match (before, now) {
            (Some(Ok(before)), Some(Ok(now))) => before.is_some() != now.is_some(),
            (Some(Err(before)), Some(Err(now))) => before != now,
            _ => true,
        },
    );
    move || match entry.get() {
        Ok(Some(entry)) => view! { <Conversation loader=loader entry=entry /> }.into_any(),
        Ok(None) => {
            view! { <main class="pane-conversation" id="content"><TimelineSkeleton /></main> }
                .into_any()
        }
        Err(error) => {
            let again =
                (error.retry() != Retry::Never).then(|| Callback::new(move |()| loader.again()));
            view! { <Unavailable error=error again=again /> }.into_any()
        }
    }
}

/// How long to wait for the rows before showing cached ones. On a connection that is dead without a
/// reset, a call takes minutes to fail.
fn patience(state: State) -> Duration {
    let is_away = !state.connection.get_untracked().brings_news();
    Duration::from_secs(if is_away { 4 } else { 10 })
}

#[component]
fn Conversation(
    loader: ConversationLoader,
    /// The conversation's entry in the list, which holds the peer.
    entry: ConversationSignals,
) -> impl IntoView {
    let t = use_texts();
    let ConversationLoader { id, position, rows, .. } = loader;
    let user = entry.summary.with_untracked(|summary| summary.peer.user.clone());
    let name = t.name(&user).to_owned();
    let target = match position {
        OpeningPosition::Message(seq) => Some(seq),
        _ => None,
    };
    let seen = match rows.get_untracked() {
        Rows::Read(open) => open.last_seq(),
        _ => Seq::ZERO,
    };
    let peer = name.clone();
    let bar_name = StoredValue::new(name.clone());
    let standing = |read: fn(&Standing) -> bool| {
        let summary = entry.summary.clone();
        Memo::new(move |_| summary.with(|summary| read(&summary.standing)))
    };
    let request = standing(|it| it.request && !it.blocked);
    let blocked = standing(|it| it.blocked);
    let overlays = use_overlays();
    let bar = move |bar| overlays.bar(bar, id, bar_name.get_value());
    let log = move || {
        let again = Callback::new(move |()| loader.again());
        let (open, instead) = match rows.get() {
            Rows::Read(open) => (open, None),
            Rows::Lacking(open, None) => (open, Some(view! { <TimelineSkeleton /> }.into_any())),
            Rows::Lacking(open, Some(error)) => {
                (open, Some(view! { <NotRead error=error again=again /> }.into_any()))
            }
            Rows::Loading | Rows::Refused(_) => return view! { <TimelineSkeleton /> }.into_any(),
        };
        view! { <Timeline open=open name=peer.clone() target=target instead=instead /> }.into_any()
    };
    view! {
        <Title text=name.clone() />
        <main class="pane-conversation" id="content">
            <ConversationHeader entry=entry />
            {log}
            <div class="conversation-foot">
                {move || request.get().then(|| bar(Bar::Request))}
                {move || match (user.username.is_empty(), blocked.get()) {
                    (true, _) => view! { <p class="composer-gone">{t.peer_deleted}</p> }.into_any(),
                    (_, true) => bar(Bar::Blocked).into_any(),
                    _ => view! { <Composer conversation=id name=bar_name.get_value() seen=seen /> }.into_any(),
                }}
            </div>
        </main>
    }
}

/// The page of a conversation that cannot be shown.
#[component]
pub fn Unavailable(
    error: AppError,
    /// Retries, if a retry may succeed.
    #[prop(optional_no_strip)]
    again: Option<Callback<()>>,
) -> impl IntoView {
    #[cfg(feature = "ssr")]
    crate::response::set_error_status(error);
    let t = use_texts();
    view! {
        <Title text=t.not_available />
        <main class="pane-conversation" id="content">
            <div class="m-auto max-w-sm px-8 text-center">
                <h1 class="text-xl font-semibold">{t.cannot_be_shown}</h1>
                {match again {
                    Some(again) => view! { <NotRead error=error again=again /> }.into_any(),
                    None => view! { <p class="mt-2 text-muted">{error_message(t, error)}</p> }.into_any(),
                }}
                <a class="button-quiet mt-6 inline-flex" href=paths::HOME>{t.back_to_your_conversations}</a>
            </div>
        </main>
    }
}
