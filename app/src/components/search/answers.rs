//! The results for the current query, and what a user does with them.

use leptos::prelude::*;
use leptos::task::spawn_local;
use leptos::web_sys::{Element, HtmlElement};
use protocol::limits::MOST_FOUND;
use protocol::{ConversationId, Person, Presence, SearchResults, User, UserId};

use super::query::Search;
use crate::browser::{element, elements};
use crate::error::AppError;
use crate::error_messages::error_message;
use crate::language::Texts;
use crate::server_fns::search;
use crate::state::{State, use_state};
use crate::text;

/// Selects the options on the page.
pub(super) const OPTIONS: &str = ".people [role=option]";
/// More results load when the end is less than this far below the view.
const NEAR_PX: i32 = 300;

/// The page that a result opens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LeadsTo {
    Conversation(ConversationId),
    NewConversation,
    /// The result is the page's own user.
    Settings,
}

/// A user in the results.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ResultRow {
    pub(super) person: Person,
    pub(super) leads: LeadsTo,
}

/// The results by group. Messages can become a third group.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Groups {
    pub(super) conversations: Vec<ResultRow>,
    /// The page's own user comes last.
    pub(super) people: Vec<ResultRow>,
}

impl Groups {
    pub(super) fn len(&self) -> usize {
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
    pub(super) problem: RwSignal<Option<AppError>>,
    /// Whether the last request was for all results.
    all: StoredValue<bool>,
    /// Whether Enter was pressed before any result arrived.
    pub(super) entered: StoredValue<bool>,
    /// Whether the results of a query cover the list, so that Back closes them.
    pub(super) is_layer: Memo<bool>,
    pub(super) groups: Memo<Groups>,
}

impl Answers {
    pub(super) fn new(search: Search) -> Self {
        let state = use_state();
        let found = RwSignal::new(search.first.get_value());
        let groups = Memo::new(move |_| {
            let query = search.query.get();
            // Until the page is live, the results are those that the server rendered.
            let live = state.live.get();
            if !search.shown.get() {
                return Groups::default();
            }
            if query.is_empty() {
                let people = search.first.with_value(|(_, first)| people_rows(first.people.iter()));
                return Groups { people, ..Groups::default() };
            }
            state.list.track();
            found.with(|(answered, found)| groups(state, &query, answered, found, live))
        });
        let (problem, all) = (RwSignal::new(None), StoredValue::new(false));
        let entered = StoredValue::new(false);
        let is_layer =
            Memo::new(move |_| search.shown.get() && !search.query.with(String::is_empty));
        Self { search, state, found, problem, all, entered, is_layer, groups }
    }

    /// Sends the current query to the server.
    pub(super) fn send_query(self, all: bool) {
        let typed = self.search.query.get_untracked();
        if typed.trim().is_empty() {
            return;
        }
        self.all.set_value(all);
        spawn_local(async move {
            let answer = search(typed.clone(), all).await;
            // A response to an earlier query is dropped.
            if self.search.query.try_get_untracked().as_ref() != Some(&typed) {
                return;
            }
            self.problem.set(answer.as_ref().err().copied());
            if let Ok(found) = answer {
                self.found.set((typed, found));
            }
            request_animation_frame(move || self.after_response());
        });
    }

    /// Handles what waited for results: Enter, and a view with room for more.
    fn after_response(self) {
        match self.entered.try_get_value() {
            Some(true) if self.open_active() => {}
            Some(_) => self.request_more_near_end(),
            None => {}
        }
    }

    /// Opens the active option, or the first; false if there is none.
    pub(super) fn open_active(self) -> bool {
        let options = elements(OPTIONS);
        let active = self.search.active.get_untracked();
        let is_active = |option: &&HtmlElement| option.id() == active;
        let chosen = options.iter().find(is_active).or_else(|| options.first());
        if let (Some(chosen), true) = (chosen, self.search.shown.get_untracked()) {
            chosen.click();
            return true;
        }
        false
    }

    /// Requests more results as the end of the list comes near.
    pub(super) fn request_more_near_end(self) {
        let is_near = |results: Element| {
            let height = results.client_height();
            height > 0 && results.scroll_height() - results.scroll_top() - height < NEAR_PX
        };
        if element(".people").is_some_and(is_near) {
            self.request_all();
        }
    }

    /// Requests all results if the server has more than the page shows.
    fn request_all(self) {
        let is_more = self.found.with_untracked(|(answered, found)| {
            let named = found.conversations.len() + found.people.len();
            found.total as usize > named
                && self.search.query.with_untracked(|query| query == answered)
        });
        if is_more && !self.all.get_value() {
            self.send_query(true);
        }
    }

    /// Whether the server has answered the current query, or the request failed.
    pub(super) fn is_settled(self) -> bool {
        self.problem.with(Option::is_some)
            || self.found.with(|(answered, _)| self.search.query.with(|query| query == answered))
    }

    /// Closes the search and empties the field.
    pub(super) fn close(self) {
        self.search.query.set(String::new());
        self.search.has_focus.set(false);
        self.search.active.set(String::new());
        if let Some(input) = self.search.input.get_untracked() {
            input.set_value("");
        }
    }

    /// Closes the search on Back. The focus returns to where the search took it from, or leaves the
    /// box, which on a phone closes the keyboard.
    pub(super) fn cancel(self) {
        self.close();
        if !self.return_focus() {
            self.leave_box();
        }
    }

    /// Focuses the element that had the focus before the box; false if it is gone.
    pub(super) fn return_focus(self) -> bool {
        let before = self.search.before.get();
        let before = before.filter(|element| element.offset_parent().is_some());
        before.inspect(|element| _ = element.focus()).is_some()
    }

    /// Blurs the box, because the opened page takes the focus.
    pub(super) fn leave_box(self) {
        if let Some(input) = self.search.input.get_untracked() {
            _ = input.blur();
        }
    }

    /// The caption above the results. Empty while a request is pending, so that screen readers
    /// announce nothing.
    pub(super) fn caption(self, t: &Texts) -> String {
        let query = self.search.query.get();
        if !self.search.shown.get() {
            return String::new();
        }
        if query.is_empty() {
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
            0 => t.fill(t.nobody_called, query.trim()),
            many if many > MOST_FOUND => {
                t.people_found.other.replace("{}", "100+") + ". " + t.type_more
            }
            some => t.count(t.people_found, u32::try_from(some).unwrap_or(0)),
        }
    }
}

/// Returns the cached users and those of the server's last response that match the query.
fn groups(state: State, query: &str, answered: &str, found: &SearchResults, live: bool) -> Groups {
    let local = if live { text::UserQuery::new(query) } else { text::UserQuery::default() };
    // A response to another query is filtered; the response to this query is taken as it is.
    let fits = |user: &User| query == answered || (live && local.finds(user));
    let mut groups = Groups::default();
    if live {
        for id in state.list.get_untracked() {
            let Some(entry) = state.entry(id) else { continue };
            let person = entry.summary.with_untracked(|summary| summary.peer.clone());
            if local.finds(&person.user) {
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
        |me: &User| if query == answered { found.yourself } else { live && local.finds(me) };
    if let Some(user) = state.me().filter(is_meant) {
        let person = Person { user, presence: Presence::default() };
        groups.people.push(ResultRow { person, leads: LeadsTo::Settings });
    }
    groups
}
