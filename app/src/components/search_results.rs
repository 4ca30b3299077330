//! The search results, which cover the list: conversations, then people. Each query is answered at
//! once from the page's memory and then by the server. Loaded lazily, because the list does not need
//! the results.
//!
//! The box keeps the focus. Arrow keys move through the options, which the box names as its active
//! descendant. Enter opens an option; Escape and Back close the results.

use std::time::Duration;

use leptos::prelude::*;
use leptos::task::spawn_local;
use protocol::limits::MOST_FOUND;
use protocol::{ConversationId, Person, Presence, SearchResults, User, UserId};

use super::people_search::Search;
use super::search_option::{LinkOption, PersonOption};
use crate::error::AppError;
use crate::language::{Texts, use_texts};
use crate::paths;
use crate::server_fns::search;
use crate::state::{State, use_state};
use crate::text;
use crate::words;

/// Keys that follow each other faster than this send one request.
const DEBOUNCE: Duration = Duration::from_millis(150);

/// The page that a result opens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Leads {
    Conversation(ConversationId),
    NewConversation,
    /// The result is the user of this page.
    Settings,
}

/// A result.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Row {
    person: Person,
    leads: Leads,
}

/// The groups of results. A group of messages will follow these two.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Groups {
    conversations: Vec<Row>,
    /// The user of this page comes last.
    people: Vec<Row>,
}

impl Groups {
    fn len(&self) -> usize {
        self.conversations.len() + self.people.len()
    }

    fn has_oneself(&self) -> bool {
        self.people.last().is_some_and(|last| last.leads == Leads::Settings)
    }

    fn has(&self, user: UserId) -> bool {
        self.conversations.iter().any(|row| row.person.user.id == user)
    }
}

fn new_people<'a>(people: impl Iterator<Item = &'a Person>) -> Vec<Row> {
    let row = |person: &Person| Row { person: person.clone(), leads: Leads::NewConversation };
    people.map(row).collect()
}

/// The results of the current query.
#[derive(Clone, Copy)]
pub(super) struct Answers {
    pub(super) search: Search,
    pub(super) state: State,
    /// The last answer of the server, with its query.
    found: RwSignal<(String, SearchResults)>,
    /// The error of the last request.
    problem: RwSignal<Option<AppError>>,
    /// Whether the complete results were requested.
    all: StoredValue<bool>,
    /// Whether Enter was pressed before the first result.
    pub(super) entered: StoredValue<bool>,
    /// Whether the results of a query cover the list, so that Back closes them.
    pub(super) is_layer: Memo<bool>,
    groups: Memo<Groups>,
}

impl Answers {
    fn new(search: Search) -> Self {
        let state = use_state();
        let found = RwSignal::new(search.first.get_value());
        let groups = Memo::new(move |_| {
            let asked = search.asked.get();
            // Until hydration the results must equal those of the server.
            let live = state.live.get();
            if !search.shown.get() {
                return Groups::default();
            }
            if asked.is_empty() {
                let people = search.first.with_value(|(_, first)| new_people(first.people.iter()));
                return Groups { people, ..Groups::default() };
            }
            state.list.track();
            found.with(|(answered, found)| groups(state, &asked, answered, found, live))
        });
        let (problem, all) = (RwSignal::new(None), StoredValue::new(false));
        let entered = StoredValue::new(false);
        let is_layer =
            Memo::new(move |_| search.shown.get() && !search.asked.with(String::is_empty));
        Self { search, state, found, problem, all, entered, is_layer, groups }
    }

    /// Sends the current query to the server.
    fn ask(self, all: bool) {
        let typed = self.search.asked.get_untracked();
        if typed.trim().is_empty() {
            return;
        }
        self.all.set_value(all);
        spawn_local(async move {
            let answer = search(typed.clone(), all).await;
            // An answer to an earlier query is dropped.
            if self.search.asked.try_get_untracked().as_ref() != Some(&typed) {
                return;
            }
            self.problem.set(answer.as_ref().err().copied());
            if let Ok(found) = answer {
                self.found.set((typed, found));
            }
            #[cfg(feature = "hydrate")]
            request_animation_frame(move || super::search_keys::after_an_answer(self));
        });
    }

    /// Requests the complete results if the server has more than it sent.
    #[cfg(feature = "hydrate")]
    pub(super) fn ask_for_more(self) {
        let is_more = self.found.with_untracked(|(answered, found)| {
            let named = found.conversations.len() + found.people.len();
            found.total as usize > named && self.search.asked.with_untracked(|it| it == answered)
        });
        if is_more && !self.all.get_value() {
            self.ask(true);
        }
    }

    /// Whether the request of the current query has ended.
    fn is_settled(self) -> bool {
        self.problem.with(Option::is_some)
            || self.found.with(|(answered, _)| self.search.asked.with(|asked| asked == answered))
    }

    /// Resets the search.
    pub(super) fn close(self) {
        self.search.asked.set(String::new());
        self.search.is_here.set(false);
        self.search.active.set(String::new());
        if let Some(input) = self.search.input.get_untracked() {
            input.set_value("");
        }
    }

    /// The count, for screen readers too. Empty while a request is running.
    fn caption(self, t: &Texts) -> String {
        let asked = self.search.asked.get();
        if !self.search.shown.get() {
            return String::new();
        }
        if asked.is_empty() {
            return t.people_to_talk_to.to_owned();
        }
        if let Some(error) = self.problem.get() {
            return words::sentence(t, error);
        }
        if !self.is_settled() {
            return String::new();
        }
        let (shown, yourself) =
            self.groups.with(|groups| (groups.len(), usize::from(groups.has_oneself())));
        let total = self.found.with(|(_, found)| found.total as usize) + yourself;
        match total.max(shown) {
            0 => t.fill(t.nobody_called, asked.trim()),
            many if many > MOST_FOUND => {
                t.people_found.other.replace("{}", "100+") + ". " + t.type_more
            }
            some => t.count(t.people_found, u32::try_from(some).unwrap_or(0)),
        }
    }
}

/// Selects the results of a query from the page's memory and from the server's last answer.
fn groups(state: State, asked: &str, answered: &str, found: &SearchResults, live: bool) -> Groups {
    let question = if live { text::Question::new(asked) } else { text::Question::default() };
    // The answer to an earlier query is filtered; the answer to this one is complete.
    let fits = |user: &User| asked == answered || (live && question.finds(user));
    let mut groups = Groups::default();
    if live {
        for id in state.list.get_untracked() {
            let Some(entry) = state.entry(id) else { continue };
            let person = entry.summary.with_untracked(|summary| summary.peer.clone());
            if question.finds(&person.user) {
                groups.conversations.push(Row { person, leads: Leads::Conversation(id) });
            }
        }
    }
    for one in &found.conversations {
        if fits(&one.peer.user) && !groups.has(one.peer.user.id) {
            let leads = Leads::Conversation(one.id);
            groups.conversations.push(Row { person: one.peer.clone(), leads });
        }
    }
    let is_other = |one: &&Person| fits(&one.user) && !groups.has(one.user.id);
    groups.people = new_people(found.people.iter().filter(is_other));
    let is_meant =
        |me: &User| if asked == answered { found.yourself } else { live && question.finds(me) };
    if let Some(user) = state.me().filter(is_meant) {
        let person = Person { user, presence: Presence::default() };
        groups.people.push(Row { person, leads: Leads::Settings });
    }
    groups
}

/// The view of the results.
pub(super) fn found(search: Search) -> AnyView {
    let t = use_texts();
    let answers = Answers::new(search);
    // The server rendered the answer to the query of the page's address.
    let asked_last = StoredValue::new(search.first.with_value(|(typed, _)| typed.clone()));
    let later = StoredValue::new(None::<TimeoutHandle>);
    Effect::new(move |_| {
        let asked = search.asked.get();
        search.active.set(String::new());
        answers.entered.set_value(false);
        if let Some(handle) = later.get_value() {
            handle.clear();
        }
        if asked_last.get_value() != asked {
            asked_last.set_value(asked);
            answers.problem.set(None);
            later.set_value(set_timeout_with_handle(move || answers.ask(false), DEBOUNCE).ok());
        }
    });
    Effect::new(move |_| {
        if answers.state.connection.get().brings_news()
            && answers.problem.with_untracked(Option::is_some)
        {
            answers.ask(false);
        }
    });
    #[cfg(feature = "hydrate")]
    super::search_keys::listen(answers);
    let is_empty = Memo::new(move |_| answers.groups.with(|groups| groups.len() == 0));
    view! {
        <div
            class="people"
            class:hidden=move || !search.shown.get()
            class:is-first=move || search.asked.with(String::is_empty)
            data-layer=move || answers.is_layer.get().then_some("")
            on:cancel=move |_: leptos::ev::Event| {
                #[cfg(feature = "hydrate")]
                super::search_keys::cancel(answers);
            }
            // A press on a result must not take the focus from the box, because that hides the results.
            on:mousedown=|event| event.prevent_default()
            on:scroll=move |_| {
                #[cfg(feature = "hydrate")]
                super::search_keys::more_near_end(answers);
            }
        >
            <p class="people-caption">
                <span role="status" inner_html=move || text::as_html(&answers.caption(t))></span>
                <span class="people-waiting" aria-hidden="true" class:hidden=move || answers.is_settled() || search.asked.with(String::is_empty)>
                    {t.searching}
                </span>
                <button
                    class="button-quiet"
                    type="button"
                    class:hidden=move || answers.problem.with(Option::is_none)
                    on:click=move |_| answers.ask(false)
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

/// What is of one kind.
#[component]
fn Group(
    /// Which kind.
    title: &'static str,
    /// Whose answers.
    answers: Answers,
    /// They. Nothing is shown of none.
    rows: Memo<Vec<Row>>,
) -> impl IntoView {
    let t = use_texts();
    view! {
        <div role="group" aria-label=title class:hidden=move || rows.with(Vec::is_empty)>
            <div class="people-title" aria-hidden="true">{title}</div>
            <For each=move || rows.get() key=|row| (row.person.user.id, row.person.presence.online) let:row>
                {match row.leads {
                    Leads::Conversation(id) => view! { <LinkOption answers=answers person=row.person to=paths::conversation(id) note="" /> }.into_any(),
                    Leads::Settings => view! { <LinkOption answers=answers person=row.person to=paths::SETTINGS.to_owned() note=t.you /> }.into_any(),
                    Leads::NewConversation => view! { <PersonOption answers=answers person=row.person /> }.into_any(),
                }}
            </For>
        </div>
    }
}
