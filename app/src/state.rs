//! The reactive state of the whole application: pages read it, and the live client changes it.
//!
//! Each event is applied here once. Pages read one signal per conversation and per row, so a
//! message updates only its row and its list entry. The rules are in the pure modules of
//! [`crate::live`]; this module only stores the results and sets signals. `App` creates the state:
//! on the server once per request, in the browser once per page load.

mod cached;
mod events;
mod list;
mod open;
mod outbox;
#[cfg(test)]
mod tests;
mod window;

use std::collections::{HashMap, HashSet};

use leptos::prelude::*;
use protocol::{
    Conversation, ConversationId, ListCursor, Marks, Seq, Standing, Unread, User, UserId,
};

pub use events::Applied;
pub use open::{FirstPage, OpenConversation, Step, UNREAD_ON_A_PAGE};

#[cfg(feature = "hydrate")]
use crate::live::LiveClient;
use crate::live::outbox::Outbox;
use crate::live::summary;
use crate::live::timeline::Timeline;
use crate::notifications::Notifications;
use crate::time::TimeContext;

/// State of the live connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Connection {
    /// No connection yet, or no longer; the next attempt is automatic.
    Connecting,
    /// Events arrive.
    Live,
    /// The server answers HTTP requests, but sockets are blocked, for example by a proxy. The page
    /// polls and keeps trying to connect.
    Polling,
    /// The session ended and the user must sign in again. Drafts and unsent messages are kept.
    SignedOut,
    /// The user has too many tabs open. The page reconnects when the user returns to this tab.
    TooManyTabs,
    /// The page is too old for the server and must be reloaded.
    Outdated,
    /// The page was opened under an address that the server does not accept, so the server refuses
    /// every request.
    WrongAddress,
}

/// The signals of one conversation.
#[derive(Clone, Debug)]
pub struct ConversationSignals {
    pub summary: ArcRwSignal<Conversation>,
    /// Whether the peer is typing now.
    pub typing: ArcRwSignal<bool>,
    /// Counts typing events, so that a timeout ends only the newest.
    pub typing_turn: ArcStoredValue<u32>,
    /// Whether this connection has sent the peer's presence. An event is newer than any fetched
    /// presence.
    presence_received: ArcStoredValue<bool>,
    /// Whether a retry of refused marks is pending.
    #[cfg(feature = "hydrate")]
    pub(crate) marks_refused: ArcStoredValue<bool>,
    /// The beginning of the draft, for the list.
    pub draft: ArcRwSignal<String>,
}

#[derive(Default)]
struct Cache {
    entries: HashMap<ConversationId, ConversationSignals>,
    /// Cursor at the end of the list pages fetched so far.
    list_end: Option<ListCursor>,
    /// Conversations that a page of the list has contained.
    listed: HashSet<ConversationId>,
    timelines: HashMap<ConversationId, Timeline>,
    outbox: Outbox,
    open: Option<OpenConversation>,
    /// Whether data arrived that contradicts the cached data.
    contradicted: bool,
    /// Whether the state was reset and the list has not been fetched since.
    was_reset: bool,
}

/// The application state. A cheap copy of handles.
#[derive(Clone, Copy)]
pub struct State {
    me: RwSignal<Option<User>>,
    cache: StoredValue<Cache>,
    /// Conversations in list order, newest first.
    pub list: RwSignal<Vec<ConversationId>>,
    /// Whether the server has other users to offer; set for a user without conversations.
    pub others: StoredValue<bool>,
    /// Requests, newest first, as far as they were fetched or have arrived.
    pub requests: RwSignal<Vec<ConversationId>>,
    /// The number of requests, counted by the server up to a bound.
    pub requests_count: RwSignal<u32>,
    /// Whether the list has older entries than those fetched.
    pub list_has_more: RwSignal<bool>,
    /// Unread counts of conversations outside the first page of the list. The entry's own count
    /// takes precedence once the list contains the conversation.
    unread_elsewhere: RwSignal<Vec<Unread>>,
    pub connection: RwSignal<Connection>,
    /// Whether the server delivers another build of the page.
    pub newer_build: RwSignal<bool>,
    /// The device of the last sign-in elsewhere, until the user dismisses the notice.
    pub signed_in_elsewhere: RwSignal<Option<String>>,
    /// State of notifications.
    pub notifications: Notifications,
    /// The time zone and format of displayed times.
    pub time_context: RwSignal<TimeContext>,
    /// Whether the page is live.
    pub live: RwSignal<bool>,
    /// Whether unsent messages and drafts survive a reload.
    pub storage_works: RwSignal<bool>,
    /// Whether a reload would lose any.
    #[cfg(feature = "hydrate")]
    pub(crate) has_unsaved: RwSignal<bool>,
    /// State that only the live client uses.
    #[cfg(feature = "hydrate")]
    pub(crate) client: LiveClient,
    /// Counts the user's new messages. Each change scrolls the view to the newest message.
    pub wrote: RwSignal<u32>,
    /// Counts changes of the outbox, because the list shows the newest unsent message of each
    /// conversation.
    outbox_changes: RwSignal<u32>,
}

impl Connection {
    /// Returns whether new messages arrive, by events or by polling.
    pub fn brings_news(self) -> bool {
        matches!(self, Self::Live | Self::Polling)
    }
}

impl State {
    /// Creates the empty state of a page, with or without a user.
    pub fn new(me: Option<User>) -> Self {
        Self {
            me: RwSignal::new(me),
            cache: StoredValue::new(Cache::default()),
            list: RwSignal::new(Vec::new()),
            requests: RwSignal::new(Vec::new()),
            requests_count: RwSignal::new(0),
            others: StoredValue::new(false),
            list_has_more: RwSignal::new(false),
            unread_elsewhere: RwSignal::new(Vec::new()),
            connection: RwSignal::new(Connection::Connecting),
            newer_build: RwSignal::new(false),
            signed_in_elsewhere: RwSignal::new(None),
            notifications: Notifications::new(),
            time_context: RwSignal::new(TimeContext::default()),
            live: RwSignal::new(false),
            storage_works: RwSignal::new(true),
            #[cfg(feature = "hydrate")]
            has_unsaved: RwSignal::new(false),
            #[cfg(feature = "hydrate")]
            client: LiveClient::new(),
            wrote: RwSignal::new(0),
            outbox_changes: RwSignal::new(0),
        }
    }

    /// Returns the user of this page.
    pub fn me(&self) -> Option<User> {
        self.me.get_untracked()
    }

    /// Returns the user of this page, tracking changes of the name.
    pub fn watch_me(&self) -> Option<User> {
        self.me.get()
    }

    /// Returns whether `user` is the user of this page.
    pub fn is_me(&self, user: UserId) -> bool {
        self.me.with_untracked(|me| me.as_ref().is_some_and(|me| me.id == user))
    }

    /// Returns the signals of a conversation, if it is known.
    pub fn entry(&self, id: ConversationId) -> Option<ConversationSignals> {
        self.cache.with_value(|cache| cache.entries.get(&id).cloned())
    }

    /// Returns a conversation's list entry, without tracking changes.
    pub fn summary(&self, id: ConversationId) -> Option<Conversation> {
        self.entry(id).map(|entry| entry.summary.get_untracked())
    }

    /// Adds or updates a conversation from the server.
    pub fn adopt(&self, conversation: Conversation) {
        let id = conversation.id;
        let is_request = conversation.standing.request;
        // The server's count may or may not include a conversation that is new to the page.
        let was_request = self.summary(id).map_or(is_request, |known| known.standing.request);
        self.adopt_quietly(conversation);
        if was_request != is_request {
            self.requests_count.update(|count| {
                *count = if is_request { *count + 1 } else { count.saturating_sub(1) };
            });
        }
        self.sort_list();
        self.project_if_open(id);
    }

    fn adopt_quietly(&self, mut conversation: Conversation) {
        let id = conversation.id;
        if let Some(entry) = self.entry(id) {
            let mut known = entry.summary.get_untracked();
            if let Some(last) = &conversation.last {
                let other = known.last.as_ref().filter(|known| known.seq == last.seq);
                let other = other.is_some_and(|known| known.client_id != last.client_id);
                self.cache.update_value(|cache| {
                    let timeline = cache.timelines.get(&id);
                    cache.contradicted |=
                        other || timeline.is_some_and(|timeline| timeline.contradicts(last));
                });
            }
            if entry.presence_received.get_value() && !conversation.standing.blocked {
                conversation.peer.presence = known.peer.presence;
            }
            summary::adopt(&mut known, conversation);
            set_if_changed(&entry.summary, known);
        } else {
            let entry = ConversationSignals {
                summary: ArcRwSignal::new(conversation),
                typing: ArcRwSignal::new(false),
                typing_turn: ArcStoredValue::new(0),
                presence_received: ArcStoredValue::new(false),
                #[cfg(feature = "hydrate")]
                marks_refused: ArcStoredValue::new(false),
                draft: ArcRwSignal::new(String::new()),
            };
            self.cache.update_value(|cache| {
                cache.entries.insert(id, entry);
            });
        }
        let last_seq = self.summary(id).map(|summary| summary.last_seq);
        self.cache.update_value(|cache| {
            if let (Some(timeline), Some(seq)) = (cache.timelines.get_mut(&id), last_seq) {
                timeline.note_last(seq);
            }
        });
    }

    /// Scrolls the view to the newest message after the user sent one.
    pub fn own_message_written(&self) {
        self.wrote.update(|wrote| *wrote += 1);
    }

    /// Marks all presence as outdated when a new connection begins.
    pub fn begin_connection(&self) {
        self.cache.with_value(|cache| {
            for entry in cache.entries.values() {
                entry.presence_received.set_value(false);
            }
        });
    }

    /// Returns the newest known seq of each conversation in the list. A response to a later request must not
    /// have a lower one, unless the store was restored from a backup.
    pub fn last_seqs(&self) -> Vec<(ConversationId, Seq)> {
        self.cache.with_value(|cache| {
            let last_seq = |(id, entry): (&ConversationId, &ConversationSignals)| {
                entry.summary.with_untracked(|summary| {
                    summary.standing.is_listed().then_some((*id, summary.last_seq))
                })
            };
            cache.entries.iter().filter_map(last_seq).collect()
        })
    }

    /// Notes a change of the user's own standing, which the server has stored.
    pub fn change_standing(&self, id: ConversationId, change: impl FnOnce(&mut Standing)) {
        if let Some(mut known) = self.summary(id) {
            change(&mut known.standing);
            self.expect_change(id);
            self.adopt(known);
        }
    }

    /// Prepares for the fetch of a conversation after a change of who sees whom: the fetched presence
    /// is newer than any event.
    pub fn expect_change(&self, id: ConversationId) {
        if let Some(entry) = self.entry(id) {
            entry.presence_received.set_value(false);
        }
    }

    /// Records that the server's store is not the one that this page has read.
    pub fn note_contradiction(&self) {
        self.cache.update_value(|cache| cache.contradicted = true);
    }

    /// Returns whether that was recorded, here or by a merge. Clears the record.
    pub fn take_contradiction(&self) -> bool {
        let noted = |cache: &mut Cache| std::mem::take(&mut cache.contradicted);
        self.cache.try_update_value(noted).unwrap_or_default()
    }

    /// Returns whether the state was reset and the list has not been fetched since.
    pub fn was_reset(&self) -> bool {
        self.cache.with_value(|cache| cache.was_reset)
    }

    /// Discards all data from the server, because its store was replaced. Drafts and the outbox
    /// stay.
    pub fn forget(&self) {
        self.unread_elsewhere.set(Vec::new());
        self.cache.update_value(|cache| {
            cache.timelines.clear();
            cache.listed.clear();
            cache.list_end = None;
            cache.was_reset = true;
            cache.contradicted = false;
            if let Some(open) = cache.open.as_mut() {
                open.reset();
                // New messages are merged by their seq; the resync fetches the rest.
                cache.timelines.insert(open.id, Timeline::default());
            }
            for entry in cache.entries.values() {
                entry.summary.update(|summary| {
                    summary.last = None;
                    summary.last_seq = Seq::ZERO;
                    summary.unread = 0;
                    summary.mine = Marks::default();
                    summary.theirs = Marks::default();
                });
            }
        });
        self.project_open();
    }
}

/// Sets a signal only to a different value, so that an unchanged value triggers no effect.
fn set_if_changed<T: PartialEq + Send + Sync + 'static>(signal: &ArcRwSignal<T>, value: T) {
    if signal.with_untracked(|current| *current != value) {
        signal.set(value);
    }
}

/// Returns the state of this page.
pub fn use_state() -> State {
    expect_context::<State>()
}
