//! What the search found, over the list: conversations, then people. Each question is answered at once
//! from what the page holds, and then by the server. On demand: the list does not need it.
//!
//! The box keeps the focus. Arrow keys move through the options, which the box names as its active
//! descendant; Enter opens one, Escape leaves.

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

/// Typing faster than this asks once.
const DEBOUNCE: Duration = Duration::from_millis(150);

/// Where somebody who was found leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum LeadsTo {
    Conversation(ConversationId),
    NewConversation,
    /// It is oneself.
    Settings,
}

/// Somebody who was found.
#[derive(Clone, Debug, PartialEq, Eq)]
struct ResultRow {
    person: Person,
    leads: LeadsTo,
}

/// What is shown. Messages will be another group, behind these.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Groups {
    conversations: Vec<ResultRow>,
    /// Oneself is the last.
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

fn new_people<'a>(people: impl Iterator<Item = &'a Person>) -> Vec<ResultRow> {
    let row =
        |person: &Person| ResultRow { person: person.clone(), leads: LeadsTo::NewConversation };
    people.map(row).collect()
}

/// The answers to what is asked now.
#[derive(Clone, Copy)]
pub(super) struct Answers {
    pub(super) search: Search,
    pub(super) state: State,
    /// The last answer of the server, and to which question.
    found: RwSignal<(String, SearchResults)>,
    /// Why there was none.
    problem: RwSignal<Option<AppError>>,
    /// Whether all was asked for that can be seen.
    all: StoredValue<bool>,
    /// Whether Enter was pressed before anything was found.
    pub(super) entered: StoredValue<bool>,
    groups: Memo<Groups>,
}

impl Answers {
    fn new(search: Search) -> Self {
        let state = use_state();
        let found = RwSignal::new(search.first.get_value());
        let groups = Memo::new(move |_| {
            let asked = search.asked.get();
            // Until the page is live it shows what the server rendered.
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
        Self { search, state, found, problem, all, entered, groups }
    }

    /// Asks the server what is asked now.
    fn ask(self, all: bool) {
        let typed = self.search.asked.get_untracked();
        if typed.trim().is_empty() {
            return;
        }
        self.all.set_value(all);
        spawn_local(async move {
            let answer = search(typed.clone(), all).await;
            // An answer to what is no longer asked is dropped.
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

    /// Asks for the rest, if there is more than is shown.
    #[cfg(feature = "hydrate")]
    pub(super) fn ask_for_more(self) {
        let is_more = self.found.with_untracked(|(answered, found)| {
            let named = found.conversations.len() + found.people.len();
            found.total as usize > named
                && self.search.asked.with_untracked(|asked| asked == answered)
        });
        if is_more && !self.all.get_value() {
            self.ask(true);
        }
    }

    /// Whether the server has answered what is asked, or could not.
    fn is_settled(self) -> bool {
        self.problem.with(Option::is_some)
            || self.found.with(|(answered, _)| self.search.asked.with(|asked| asked == answered))
    }

    /// Leaves the search as it is at first.
    pub(super) fn close(self) {
        self.search.asked.set(String::new());
        self.search.is_here.set(false);
        self.search.active.set(String::new());
        if let Some(input) = self.search.input.get_untracked() {
            input.set_value("");
        }
    }

    /// What there is to say about all of it. While the server is asked nothing is said aloud.
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

/// Takes from what the page holds and from the server's last answer what the question means.
fn groups(state: State, asked: &str, answered: &str, found: &SearchResults, live: bool) -> Groups {
    let query = if live { text::UserQuery::new(asked) } else { text::UserQuery::default() };
    // An answer to another question is looked through; that to this one is right as it is.
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
    groups.people = new_people(found.people.iter().filter(is_other));
    let is_meant =
        |me: &User| if asked == answered { found.yourself } else { live && query.finds(me) };
    if let Some(user) = state.me().filter(is_meant) {
        let person = Person { user, presence: Presence::default() };
        groups.people.push(ResultRow { person, leads: LeadsTo::Settings });
    }
    groups
}

/// The view; see the module.
pub(super) fn found(search: Search) -> AnyView {
    let t = use_texts();
    let answers = Answers::new(search);
    // The answer of the page's address is there.
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
            // The box keeps the focus while one presses a result: losing it would hide the results.
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
    rows: Memo<Vec<ResultRow>>,
) -> impl IntoView {
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
