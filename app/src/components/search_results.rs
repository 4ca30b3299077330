//! The results of the search, shown over the list: conversations, then people. Each query is
//! answered at once from cached users, then by the server. Loaded lazily.
//!
//! The search field keeps the focus. Arrow keys move through the options, of which the field names
//! the current one as its active descendant; Enter opens the option, Escape closes the search.

use std::time::Duration;

use leptos::prelude::*;
use leptos::task::spawn_local;
use protocol::limits::MOST_FOUND;
use protocol::{ConversationId, Person, Presence, SearchResults, User, UserId};

use super::people_search::Search;
use super::search_option::{LinkOption, PersonOption};
use crate::error::AppError;
use crate::error_messages::error_message;
use crate::language::{Texts, use_texts};
use crate::paths;
use crate::server_fns::search;
use crate::state::{State, use_state};
use crate::text;

/// Pause in typing after which a query is sent.
const DEBOUNCE: Duration = Duration::from_millis(150);

/// The page that a result opens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum LeadsTo {
    Conversation(ConversationId),
    NewConversation,
    /// The result is the page's own user.
    Settings,
}

/// A user in the results.
#[derive(Clone, Debug, PartialEq, Eq)]
struct ResultRow {
    person: Person,
    leads: LeadsTo,
}

/// The results by group. Messages can become a third group.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Groups {
    conversations: Vec<ResultRow>,
    /// The page's own user comes last.
    people: Vec<ResultRow>,
}

impl Groups {
    fn len(&self) -> usize {
        self.conversations.len() + self.people.len()
    }

    fn has_oneself(&self) -> bool {
        self.people.last().is_some_and(|last| last.leads == LeadsTo::Settings)
    }

    fn has(&self, user: UserId) -> bool {
        self.conversations.iter().any(|row| row.person.user.id == user)
    }
}

fn people_rows<'a>(people: impl Iterator<Item = &'a Person>) -> Vec<ResultRow> {
    let row =
        |person: &Person| ResultRow { person: person.clone(), leads: LeadsTo::NewConversation };
    people.map(row).collect()
}

/// The results for the current query.
#[derive(Clone, Copy)]
pub(super) struct Answers {
    pub(super) search: Search,
    pub(super) state: State,
    /// The server's last response, with its query.
    found: RwSignal<(String, SearchResults)>,
    /// The error of the last request.
    problem: RwSignal<Option<AppError>>,
    /// Whether the last request was for all results.
    all: StoredValue<bool>,
    /// Whether Enter was pressed before any result arrived.
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
            // Until the page is live, the results are those that the server rendered.
            let live = state.live.get();
            if !search.shown.get() {
                return Groups::default();
            }
            if asked.is_empty() {
                let people = search.first.with_value(|(_, first)| people_rows(first.people.iter()));
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
    fn send_query(self, all: bool) {
        let typed = self.search.asked.get_untracked();
        if typed.trim().is_empty() {
            return;
        }
        self.all.set_value(all);
        spawn_local(async move {
            let answer = search(typed.clone(), all).await;
            // A response to an earlier query is dropped.
            if self.search.asked.try_get_untracked().as_ref() != Some(&typed) {
                return;
            }
            self.problem.set(answer.as_ref().err().copied());
            if let Ok(found) = answer {
                self.found.set((typed, found));
            }
            #[cfg(feature = "hydrate")]
            request_animation_frame(move || super::search_keys::after_response(self));
        });
    }

    /// Requests all results if the server has more than the page shows.
    #[cfg(feature = "hydrate")]
    pub(super) fn request_all(self) {
        let is_more = self.found.with_untracked(|(answered, found)| {
            let named = found.conversations.len() + found.people.len();
            found.total as usize > named
                && self.search.asked.with_untracked(|asked| asked == answered)
        });
        if is_more && !self.all.get_value() {
            self.send_query(true);
        }
    }

    /// Whether the server has answered the current query, or the request failed.
    fn is_settled(self) -> bool {
        self.problem.with(Option::is_some)
            || self.found.with(|(answered, _)| self.search.asked.with(|asked| asked == answered))
    }

    /// Closes the search and empties the field.
    pub(super) fn close(self) {
        self.search.asked.set(String::new());
        self.search.is_here.set(false);
        self.search.active.set(String::new());
        if let Some(input) = self.search.input.get_untracked() {
            input.set_value("");
        }
    }

    /// The caption above the results. Empty while a request is pending, so that screen readers
    /// announce nothing.
    fn caption(self, t: &Texts) -> String {
        let asked = self.search.asked.get();
        if !self.search.shown.get() {
            return String::new();
        }
        if asked.is_empty() {
            return t.people_to_talk_to.to_owned();
        }
        if let Some(error) = self.problem.get() {
            return error_message(t, error);
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

/// Returns the cached users and those of the server's last response that match the query.
fn groups(state: State, asked: &str, answered: &str, found: &SearchResults, live: bool) -> Groups {
    let query = if live { text::UserQuery::new(asked) } else { text::UserQuery::default() };
    // A response to another query is filtered; the response to this query is taken as it is.
    let fits = |user: &User| asked == answered || (live && query.finds(user));
    let mut groups = Groups::default();
    if live {
        for id in state.list.get_untracked() {
            let Some(entry) = state.entry(id) else { continue };
            let person = entry.summary.with_untracked(|summary| summary.peer.clone());
            if query.finds(&person.user) {
                groups.conversations.push(ResultRow { person, leads: LeadsTo::Conversation(id) });
            }
        }
    }
    for conversation in &found.conversations {
        if fits(&conversation.peer.user) && !groups.has(conversation.peer.user.id) {
            let leads = LeadsTo::Conversation(conversation.id);
            groups.conversations.push(ResultRow { person: conversation.peer.clone(), leads });
        }
    }
    let is_other = |person: &&Person| fits(&person.user) && !groups.has(person.user.id);
    groups.people = people_rows(found.people.iter().filter(is_other));
    let is_meant =
        |me: &User| if asked == answered { found.yourself } else { live && query.finds(me) };
    if let Some(user) = state.me().filter(is_meant) {
        let person = Person { user, presence: Presence::default() };
        groups.people.push(ResultRow { person, leads: LeadsTo::Settings });
    }
    groups
}

/// The results, as a view.
pub(super) fn found(search: Search) -> AnyView {
    let t = use_texts();
    let answers = Answers::new(search);
    // The results for the query in the page's address came with the page.
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
            // The field keeps the focus while a result is pressed, because losing the focus would
            // hide the results.
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
