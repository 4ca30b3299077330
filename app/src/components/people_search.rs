//! Finding someone to talk to. A plain form that asks the server, until the page is live; then
//! the answers come while one types. Each answer is itself a form that opens the conversation.

use std::time::Duration;

use leptos::ev::{KeyboardEvent, SubmitEvent};
use leptos::html::Input;
use leptos::prelude::*;
use leptos::task::spawn_local;
use leptos_router::NavigateOptions;
use leptos_router::hooks::use_navigate;
use protocol::{Person, UserId};

use super::{Avatar, Icon};
use crate::error::AppError;
use crate::language::{Texts, use_texts};
use crate::paths;
use crate::server_fns::{find_people, get_conversation, open_conversation};
use crate::state::use_state;
use crate::words;

/// Typing faster than this asks once.
const DEBOUNCE: Duration = Duration::from_millis(180);

/// The search box and what it finds.
#[component]
pub fn PeopleSearch(
    /// What was asked for when the page was rendered.
    typed: String,
    /// The answer to that.
    people: Vec<Person>,
) -> impl IntoView {
    let (t, state) = (use_texts(), use_state());
    let asked = RwSignal::new(typed.clone());
    // What the people shown are an answer to; behind what is asked while the server is.
    let answered = RwSignal::new(typed.clone());
    let found: RwSignal<Result<Vec<Person>, AppError>> = RwSignal::new(Ok(people));
    let active = RwSignal::new(!typed.is_empty());
    let find = move |typed: String| {
        spawn_local(async move {
            let answer = find_people(typed.clone()).await;
            // An answer to what is no longer asked is dropped.
            if asked.try_get_untracked().is_some_and(|asked| asked == typed) {
                answered.set(typed);
                found.set(answer);
            }
        });
    };
    let later = StoredValue::new(None::<TimeoutHandle>);
    let ask = move |typed: String| {
        active.set(true);
        asked.set(typed.clone());
        if let Some(handle) = later.get_value() {
            handle.clear();
        }
        let handle = set_timeout_with_handle(move || find(typed), DEBOUNCE);
        later.set_value(handle.ok());
    };
    let shown = Memo::new(move |_| active.get() || state.list.with(Vec::is_empty));
    let on_submit = move |event: SubmitEvent| {
        event.prevent_default();
        find(asked.get_untracked());
    };
    view! {
        <div
            class="people-search"
            on:focusout=move |event| {
                #[cfg(feature = "hydrate")]
                if !crate::dom::keeps_focus(&event) && asked.with_untracked(String::is_empty) {
                    active.set(false);
                }
                _ = event;
            }
            on:keydown=move |event: KeyboardEvent| {
                #[cfg(feature = "hydrate")]
                crate::dom::walk(&event, "input[type=search], [role=option]", crate::dom::Ends::Untouched);
                if event.key() == "Escape" {
                    active.set(false);
                }
            }
        >
            <SearchBox typed=typed asked=asked ask=Callback::new(ask) on_submit=Callback::new(on_submit) />
            // The box keeps the focus while one presses a result: losing it would hide the results.
            <div class="people" class:hidden=move || !shown.get() on:mousedown=|event| event.prevent_default()>
                <p class="people-caption" role="status">
                    {move || caption(t, &asked.get(), &answered.get(), &found.get())}
                </p>
                <div role="listbox" id="people" aria-label=t.people class:hidden=move || found.with(|found| found.as_ref().is_ok_and(Vec::is_empty))>
                    <For
                        each=move || found.get().unwrap_or_default()
                        key=|person| person.user.id
                        let:person
                    >
                        <PersonOption person=person on_chosen=Callback::new(move |()| {
                            active.set(false);
                            asked.set(String::new());
                        }) />
                    </For>
                </div>
            </div>
        </div>
    }
}

fn caption(
    t: &Texts,
    asked: &str,
    answered: &str,
    found: &Result<Vec<Person>, AppError>,
) -> String {
    match found {
        Err(error) => words::sentence(t, *error),
        Ok(people) if people.is_empty() && asked != answered => t.searching.to_owned(),
        Ok(people) if people.is_empty() && asked.is_empty() => t.type_a_name.to_owned(),
        Ok(people) if people.is_empty() => t.fill(t.nobody_called, asked),
        Ok(_) if asked.is_empty() => t.people_to_talk_to.to_owned(),
        Ok(people) => t.count(t.people_found, u32::try_from(people.len()).unwrap_or(0)),
    }
}

/// The box one types into.
#[component]
fn SearchBox(
    /// What stands in it at first.
    typed: String,
    /// What is asked for now; emptied when a person was chosen.
    asked: RwSignal<String>,
    /// Asks, after a pause.
    ask: Callback<String>,
    /// Asks at once.
    on_submit: Callback<SubmitEvent>,
) -> impl IntoView {
    let t = use_texts();
    let input = NodeRef::<Input>::new();
    Effect::new(move |_| {
        if let (true, Some(input)) = (asked.with(String::is_empty), input.get_untracked()) {
            input.set_value("");
        }
    });
    view! {
        <form role="search" method="get" action=paths::HOME class="search-box" on:submit=move |event| on_submit.run(event)>
            {Icon::Search.draw("size-5 shrink-0 text-muted")}
            <input
                node_ref=input
                type="search"
                name="find"
                value=typed
                aria-label=t.find_a_person
                placeholder=t.find_a_person
                autocomplete="off"
                autocapitalize="none"
                spellcheck="false"
                maxlength="64"
                dir="auto"
                aria-controls="people"
                on:input=move |event| ask.run(event_target_value(&event))
                on:focus=move |_| if asked.with_untracked(String::is_empty) { ask.run(String::new()) }
            />
            <noscript inner_html=find_button(t)></noscript>
        </form>
    }
}

/// For pages without scripts (as text, since `noscript` is not parsed where scripts run).
fn find_button(t: &Texts) -> String {
    format!("<button class=\"button-quiet\" type=\"submit\">{}</button>", t.find)
}

/// One person that was found.
#[component]
fn PersonOption(
    /// Who.
    person: Person,
    /// Told when they were chosen.
    on_chosen: Callback<()>,
) -> impl IntoView {
    let (t, state) = (use_texts(), use_state());
    let navigate = use_navigate();
    let refused = RwSignal::new(None::<AppError>);
    let open = move |peer: UserId| {
        let navigate = navigate.clone();
        spawn_local(async move {
            match open_and_read(state, peer).await {
                Ok(path) => {
                    on_chosen.run(());
                    navigate(&path, NavigateOptions::default());
                }
                Err(error) => refused.set(Some(error)),
            }
        });
    };
    let user = person.user;
    let peer = user.id;
    let online = person.presence.online;
    view! {
        <form
            role="none"
            method="post"
            action=paths::OPEN
            on:submit=move |event: SubmitEvent| {
                event.prevent_default();
                open(peer);
            }
        >
            <input type="hidden" name="peer" value=peer.to_string() />
            <button class="person" role="option" aria-selected="false" type="submit">
                <Avatar user=user.clone() online=Signal::derive(move || online) />
                <span class="min-w-0">
                    <span class="block truncate font-semibold" dir="auto">{user.display_name}</span>
                    <span class="block truncate text-sm text-muted">
                        {move || refused.get().map_or_else(|| format!("\u{2066}@{}\u{2069}", user.username), |error| words::sentence(t, error))}
                    </span>
                </span>
            </button>
        </form>
    }
}

async fn open_and_read(state: crate::state::State, peer: UserId) -> Result<String, AppError> {
    let id = open_conversation(peer).await?;
    if state.entry(id).is_none() {
        state.adopt(get_conversation(id).await?);
    }
    Ok(paths::conversation(id))
}
