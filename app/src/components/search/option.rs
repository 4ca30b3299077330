//! A person in the search results: a link if their page exists, else a form that opens a
//! conversation. Both work without scripts.

use leptos::ev::SubmitEvent;
use leptos::prelude::*;
use leptos::task::spawn_local;
use leptos_router::NavigateOptions;
use leptos_router::hooks::use_navigate;
use protocol::{Person, User, UserId};

use super::answers::Answers;
use super::query::Search;
use crate::components::{Avatar, ForWhom};
use crate::error::AppError;
use crate::error_messages::error_message;
use crate::language::use_texts;
use crate::paths;
use crate::server_fns::{get_conversation, open_conversation};
use crate::state::State;
use crate::text;

/// The element id of a user's option.
fn option_id(user: UserId) -> String {
    "found-".to_owned() + &user.to_string()
}

fn selected(search: Search, id: &str) -> &'static str {
    if search.active.with(|active| active == id) { "true" } else { "false" }
}

/// A person with a known page: a conversation, or the user's own settings.
#[component]
pub(super) fn LinkOption(
    answers: Answers,
    person: Person,
    /// The address of the page.
    to: String,
    /// A description, such as "You".
    note: &'static str,
) -> impl IntoView {
    let Person { user, presence } = person;
    let (id, live) = (option_id(user.id), answers.state.live);
    view! {
        <a
            class="person"
            role="option"
            id=id.clone()
            href=to
            tabindex=move || live.get().then_some("-1")
            aria-selected=move || selected(answers.search, &id)
            on:click=move |_| {
                answers.close();
                answers.leave_box();
            }
        >
            <Face user=user online=presence.online note=note refused=RwSignal::new(None) />
        </a>
    }
}

/// A person without a conversation.
#[component]
pub(super) fn PersonOption(answers: Answers, person: Person) -> impl IntoView {
    let navigate = use_navigate();
    let refused = RwSignal::new(None::<AppError>);
    let Person { user, presence } = person;
    let (peer, id, live) = (user.id, option_id(user.id), answers.state.live);
    let open = move |event: SubmitEvent| {
        event.prevent_default();
        let navigate = navigate.clone();
        spawn_local(async move {
            match open_and_read(answers.state, peer).await {
                Ok(path) => {
                    answers.close();
                    answers.leave_box();
                    navigate(&path, NavigateOptions::default());
                }
                Err(error) => refused.set(Some(error)),
            }
        });
    };
    view! {
        <form role="none" method="post" action=paths::OPEN on:submit=open>
            <input type="hidden" name="peer" value=peer.to_string() />
            <ForWhom />
            <button
                class="person"
                role="option"
                id=id.clone()
                type="submit"
                tabindex=move || live.get().then_some("-1")
                aria-selected=move || selected(answers.search, &id)
            >
                <Face user=user online=presence.online note="" refused=refused />
            </button>
        </form>
    }
}

/// The content of an option.
#[component]
fn Face(
    user: User,
    online: bool,
    /// A description; empty for none.
    note: &'static str,
    /// Why the conversation could not be opened.
    refused: RwSignal<Option<AppError>>,
) -> impl IntoView {
    let t = use_texts();
    let username = format!("\u{2066}@{}\u{2069}", user.username);
    let about = if note.is_empty() { username } else { format!("{note} · {username}") };
    view! {
        <Avatar user=user.clone() online=Signal::derive(move || online) />
        <span class="min-w-0">
            <span class="block truncate font-semibold" dir="auto">{t.name(&user).to_owned()}</span>
            {online.then(|| view! { <span class="sr-only">", "{t.online}", "</span> })}
            <span
                class="block truncate text-sm text-muted"
                inner_html=move || text::as_html(&refused.get().map_or_else(|| about.clone(), |error| error_message(t, error)))
            ></span>
        </span>
    }
}

async fn open_and_read(state: State, peer: UserId) -> Result<String, AppError> {
    let id = open_conversation(peer).await?;
    if state.entry(id).is_none() {
        state.adopt(get_conversation(id).await?);
    }
    Ok(paths::conversation(id))
}
