//! The results of the search, shown over the list: conversations, then people. Each query is
//! answered at once from cached users, then by the server. Loaded lazily.
//!
//! The search field keeps the focus. Arrow keys move through the options, of which the field names
//! the current one as its active descendant; Enter opens the option, Escape closes the search.

use std::time::Duration;

use leptos::prelude::*;

use super::answers::{Answers, LeadsTo, ResultRow};
use super::option::{LinkOption, PersonOption};
use super::query::Search;
use crate::language::use_texts;
use crate::paths;
use crate::text;

/// Pause in typing after which a query is sent.
const DEBOUNCE: Duration = Duration::from_millis(150);

/// The results, as a view.
pub(in crate::components) fn found(search: Search) -> AnyView {
    let t = use_texts();
    let answers = Answers::new(search);
    send_queries(answers);
    #[cfg(feature = "hydrate")]
    super::keys::listen(answers);
    let is_empty = Memo::new(move |_| answers.groups.with(|groups| groups.len() == 0));
    view! {
        <div
            class="people"
            class:hidden=move || !search.shown.get()
            class:is-first=move || search.query.with(String::is_empty)
            data-layer=move || answers.is_layer.get().then_some("")
            on:cancel=move |_: leptos::ev::Event| answers.cancel()
            // The field keeps the focus while a result is pressed, because losing the focus would
            // hide the results.
            on:mousedown=|event| event.prevent_default()
            on:scroll=move |_| answers.request_more_near_end()
        >
            <p class="people-caption">
                <span role="status" inner_html=move || text::as_html(&answers.caption(t))></span>
                <span class="people-waiting" aria-hidden="true" class:hidden=move || answers.is_settled() || search.query.with(String::is_empty)>
                    {t.searching}
                </span>
                <button
                    class="button-quiet"
                    type="button"
                    class:hidden=move || answers.problem.with(Option::is_none)
                    on:click=move |_| answers.send_query(false)
                >
                    {t.try_again}
                </button>
            </p>
            <div role="listbox" id="people" aria-label=t.people class:hidden=move || is_empty.get()>
                <Group title=t.in_your_conversations answers=answers rows=Memo::new(move |_| answers.groups.with(|groups| groups.conversations.clone())) />
                <Group title=t.people answers=answers rows=Memo::new(move |_| answers.groups.with(|groups| groups.people.clone())) />
            </div>
        </div>
    }
    .into_any()
}

/// Sends the query after each pause in typing, and again after a failure once the page is connected.
fn send_queries(answers: Answers) {
    let search = answers.search;
    // The results for the query in the page's address came with the page.
    let last_query = StoredValue::new(search.first.with_value(|(typed, _)| typed.clone()));
    let later = StoredValue::new(None::<TimeoutHandle>);
    Effect::new(move |_| {
        let query = search.query.get();
        search.active.set(String::new());
        answers.entered.set_value(false);
        if let Some(handle) = later.get_value() {
            handle.clear();
        }
        if last_query.get_value() != query {
            last_query.set_value(query);
            answers.problem.set(None);
            later.set_value(
                set_timeout_with_handle(move || answers.send_query(false), DEBOUNCE).ok(),
            );
        }
    });
    Effect::new(move |_| {
        if answers.state.connection.get().brings_news()
            && answers.problem.with_untracked(Option::is_some)
        {
            answers.send_query(false);
        }
    });
}

/// One group of results. Hidden while it is empty.
#[component]
fn Group(title: &'static str, answers: Answers, rows: Memo<Vec<ResultRow>>) -> impl IntoView {
    let t = use_texts();
    view! {
        <div role="group" aria-label=title class:hidden=move || rows.with(Vec::is_empty)>
            <div class="people-title" aria-hidden="true">{title}</div>
            <For each=move || rows.get() key=|row| (row.person.user.id, row.person.presence.online) let:row>
                {match row.leads {
                    LeadsTo::Conversation(id) => view! { <LinkOption answers=answers person=row.person to=paths::conversation(id) note="" /> }.into_any(),
                    LeadsTo::Settings => view! { <LinkOption answers=answers person=row.person to=paths::SETTINGS.to_owned() note=t.you /> }.into_any(),
                    LeadsTo::NewConversation => view! { <PersonOption answers=answers person=row.person /> }.into_any(),
                }}
            </For>
        </div>
    }
}
