//! What the pages show and the live client changes: one reactive store for the whole application.
//!
//! Each event is applied here once, directly; the pages read signals per conversation and per row,
//! so that a message touches its own row and its own entry and nothing else. The rules are in the
//! pure modules of [`crate::live`]; this one only holds and tells. Pages create it in `App`, the
//! server once per request, the browser once per page load.

mod events;
mod open;
#[cfg(test)]
mod tests;
mod window;

use std::collections::{HashMap, HashSet};

use futures::channel::mpsc;
use leptos::prelude::*;
use protocol::{
    ClientFrame, ClientId, Conversation, ConversationId, ConversationPage, ListCursor, Marks, User,
    UserId,
};

pub use events::Applied;
pub use open::{FirstPage, OpenConversation, Step, UNREAD_ON_A_PAGE};

use crate::attention::Attention;
use crate::live::outbox::Outbox;
use crate::live::summary;
use crate::live::timeline::Timeline;

/// Whether the live connection stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Connection {
    /// Not yet, or not any more; the next attempt comes by itself.
    Connecting,
    /// Events arrive.
    Live,
    /// The session ended: sign in again. What was typed is kept.
    SignedOut,
    /// Too many tabs of this person: comes back when this one is looked at again.
    TooManyTabs,
    /// This page is too old for the server: reload.
    Outdated,
}

/// One conversation's place in the list.
#[derive(Clone, Debug)]
pub struct Entry {
    /// What is known of it.
    pub summary: ArcRwSignal<Conversation>,
    /// Whether the peer is typing just now.
    pub typing: ArcRwSignal<bool>,
    /// Which word of theirs about typing was the last.
    pub typing_turn: ArcStoredValue<u32>,
    /// Whether the live connection told of the peer's presence. Then it is newer than any reading.
    presence_told: ArcStoredValue<bool>,
    /// Whether marks that the server refused wait to be said again.
    #[cfg(feature = "hydrate")]
    pub(crate) marks_refused: ArcStoredValue<bool>,
    /// What stands unsent in its composer.
    pub draft: ArcRwSignal<String>,
}

#[derive(Default)]
struct Held {
    entries: HashMap<ConversationId, Entry>,
    /// Those that a reading of the list named.
    listed: HashSet<ConversationId>,
    timelines: HashMap<ConversationId, Timeline>,
    outbox: Outbox,
    open: Option<OpenConversation>,
}

/// The store. A cheap copy of handles.
#[derive(Clone, Copy)]
pub struct State {
    me: RwSignal<Option<User>>,
    held: StoredValue<Held>,
    /// The list, newest first.
    pub list: RwSignal<Vec<ConversationId>>,
    /// Whether the list has older entries than are held.
    pub list_has_more: RwSignal<bool>,
    /// Whether events arrive.
    pub connection: RwSignal<Connection>,
    /// Whether the server gives out another build of the page than this one.
    pub newer_build: RwSignal<bool>,
    /// What reaches the person when they do not look.
    pub attention: Attention,
    /// Whether times are shown by the viewer's own clock; false until the page is live, since the
    /// server does not know that clock.
    pub local_time: RwSignal<bool>,
    /// Whether unsent messages and drafts survive a reload.
    pub storage_works: RwSignal<bool>,
    /// Counts one's own new messages: the view turns to the newest each time.
    pub wrote: RwSignal<u32>,
    /// Which tab this is, among those of one browser.
    pub(crate) tab: StoredValue<u64>,
    /// The way to the socket, while there is one.
    pub(crate) link: StoredValue<Option<mpsc::Sender<ClientFrame>>>,
    /// Since when there is none, by this computer's clock.
    #[cfg(feature = "hydrate")]
    pub(crate) down_since: StoredValue<Option<i64>>,
    /// Whether what is missing is being fetched.
    #[cfg(feature = "hydrate")]
    pub(crate) filling: StoredValue<bool>,
    /// The pending write of the draft.
    #[cfg(feature = "hydrate")]
    pub(crate) draft_timer: StoredValue<Option<TimeoutHandle>>,
    /// When "typing" was said last; zero after it was taken back.
    #[cfg(feature = "hydrate")]
    pub(crate) typing_said_ms: StoredValue<i64>,
}

impl State {
    /// An empty store of a person, or of nobody.
    pub fn new(me: Option<User>) -> Self {
        Self {
            me: RwSignal::new(me),
            held: StoredValue::new(Held::default()),
            list: RwSignal::new(Vec::new()),
            list_has_more: RwSignal::new(false),
            connection: RwSignal::new(Connection::Connecting),
            newer_build: RwSignal::new(false),
            attention: Attention::new(),
            local_time: RwSignal::new(false),
            storage_works: RwSignal::new(true),
            wrote: RwSignal::new(0),
            tab: StoredValue::new(0),
            link: StoredValue::new(None),
            #[cfg(feature = "hydrate")]
            down_since: StoredValue::new(None),
            #[cfg(feature = "hydrate")]
            filling: StoredValue::new(false),
            #[cfg(feature = "hydrate")]
            draft_timer: StoredValue::new(None),
            #[cfg(feature = "hydrate")]
            typing_said_ms: StoredValue::new(0),
        }
    }

    /// Whose page this is.
    pub fn me(&self) -> Option<User> {
        self.me.get_untracked()
    }

    /// The same, listening for a change of the name.
    pub fn watch_me(&self) -> Option<User> {
        self.me.get()
    }

    /// Whether a person is the one whose page this is.
    pub fn is_me(&self, user: UserId) -> bool {
        self.me.with_untracked(|me| me.as_ref().is_some_and(|me| me.id == user))
    }

    /// A conversation's entry, if it is known.
    pub fn entry(&self, id: ConversationId) -> Option<Entry> {
        self.held.with_value(|held| held.entries.get(&id).cloned())
    }

    /// What is known of a conversation, without listening for changes.
    pub fn summary(&self, id: ConversationId) -> Option<Conversation> {
        self.entry(id).map(|entry| entry.summary.get_untracked())
    }

    /// Counts the messages that wait for me, in all conversations that are held. The counter owns
    /// what it reads: the server asks it for the title when the page is rendered and may be gone.
    pub fn unread_counter(&self) -> impl Fn() -> u32 + Send + Sync + 'static {
        let (list, held) = (ArcRwSignal::from(self.list), ArcStoredValue::from(self.held));
        move || {
            let unread = |id: &ConversationId| {
                let entry = held.with_value(|held| held.entries.get(id).cloned());
                entry.map(|entry| entry.summary.with(|summary| summary.unread))
            };
            list.with(|list| list.iter().filter_map(unread).sum())
        }
    }

    /// Takes in a page of the list.
    pub fn adopt_list(&self, page: ConversationPage, is_first: bool) {
        if !is_first || self.list.with_untracked(Vec::is_empty) {
            self.list_has_more.set(page.has_more);
        }
        for conversation in page.conversations {
            self.held.update_value(|held| {
                held.listed.insert(conversation.id);
            });
            self.adopt_quietly(conversation);
        }
        self.sort_list();
        // The peer may have read on while nobody told this page.
        self.project_open();
    }

    /// Takes in one conversation.
    pub fn adopt(&self, conversation: Conversation) {
        let id = conversation.id;
        self.adopt_quietly(conversation);
        self.sort_list();
        self.project_if_open(id);
    }

    fn adopt_quietly(&self, mut conversation: Conversation) {
        let id = conversation.id;
        if let Some(entry) = self.entry(id) {
            let mut known = entry.summary.get_untracked();
            if entry.presence_told.get_value() {
                conversation.peer.presence = known.peer.presence;
            }
            summary::adopt(&mut known, conversation);
            set_if_changed(&entry.summary, known);
        } else {
            let entry = Entry {
                summary: ArcRwSignal::new(conversation),
                typing: ArcRwSignal::new(false),
                typing_turn: ArcStoredValue::new(0),
                presence_told: ArcStoredValue::new(false),
                #[cfg(feature = "hydrate")]
                marks_refused: ArcStoredValue::new(false),
                draft: ArcRwSignal::new(String::new()),
            };
            self.held.update_value(|held| {
                held.entries.insert(id, entry);
            });
        }
        let last_seq = self.summary(id).map(|summary| summary.last_seq);
        self.held.update_value(|held| {
            if let (Some(timeline), Some(seq)) = (held.timelines.get_mut(&id), last_seq) {
                timeline.note_last(seq);
            }
        });
    }

    /// Where the list goes on.
    pub fn list_cursor(&self) -> Option<ListCursor> {
        let last = self.list.with_untracked(|list| list.last().copied())?;
        let last = self.summary(last)?;
        Some(ListCursor { active_at: last.active_at, id: last.id })
    }

    /// Puts the list in order. Until the page is live it holds only what the reading of the list
    /// named: the open conversation is read beside it, on the server and in the browser in either
    /// order, and both must render the same.
    pub(crate) fn sort_list(&self) {
        let live = self.local_time.get_untracked();
        let mut order: Vec<_> = self.held.with_value(|held| {
            let shown = held.entries.iter().filter(|(id, _)| live || held.listed.contains(id));
            shown
                .map(|(_, entry)| &entry.summary)
                .map(|summary| summary.with_untracked(|summary| (summary.active_at, summary.id)))
                .collect()
        });
        order.sort_unstable_by(|one, other| other.cmp(one));
        let order: Vec<ConversationId> = order.into_iter().map(|(_, id)| id).collect();
        if self.list.with_untracked(|list| *list != order) {
            self.list.set(order);
        }
    }

    /// Works on the outbox, then shows the conversation anew if it is open.
    pub fn with_outbox<T>(&self, work: impl FnOnce(&mut Outbox) -> T) -> Option<T> {
        let answer = self.held.try_update_value(|held| work(&mut held.outbox));
        if let Some(open) = self.open_conversation() {
            self.project_if_open(open.id);
        }
        answer
    }

    /// Puts an empty outbox of this tab in place, before the stored entries are added.
    pub fn begin_outbox(&self, tab: u64) {
        self.tab.set_value(tab);
        self.with_outbox(|outbox| *outbox = Outbox::new(tab));
    }

    /// A message of the outbox is done with: stored or given up.
    pub fn settle(&self, client_id: ClientId) {
        self.with_outbox(|outbox| outbox.settle(client_id));
    }

    /// The messages to send now; see [`Outbox::take_due`]. Nothing that is shown changes by it.
    pub fn take_due(&self, now_ms: i64) -> Vec<crate::live::outbox::Entry> {
        self.held.try_update_value(|held| held.outbox.take_due(now_ms)).unwrap_or_default()
    }

    /// When to look again; see [`Outbox::next_due_ms`].
    pub fn next_due_ms(&self, now_ms: i64) -> Option<i64> {
        self.held.with_value(|held| held.outbox.next_due_ms(now_ms))
    }

    /// Whether everything was sent.
    pub fn outbox_is_empty(&self) -> bool {
        self.held.with_value(|held| held.outbox.is_empty())
    }

    /// The person wrote: the view goes to the newest message.
    pub fn own_message_written(&self) {
        self.wrote.update(|wrote| *wrote += 1);
    }

    /// Whether a conversation's messages are held from an earlier visit.
    pub fn holds(&self, id: ConversationId) -> bool {
        self.held.with_value(|held| {
            held.timelines.get(&id).is_some_and(|timeline| timeline.newest_run().is_some())
        })
    }

    /// A new connection begins: what the one before told of presences is out of date.
    pub fn begin_connection(&self) {
        self.held.with_value(|held| {
            for entry in held.entries.values() {
                entry.presence_told.set_value(false);
            }
        });
    }

    /// Forgets everything that was read from the server: its store is another one now.
    pub fn forget(&self) {
        self.held.update_value(|held| {
            held.timelines.clear();
            for entry in held.entries.values() {
                entry.summary.update(|summary| {
                    summary.last = None;
                    summary.last_seq = protocol::Seq::ZERO;
                    summary.unread = 0;
                    summary.mine = Marks::default();
                    summary.theirs = Marks::default();
                });
            }
        });
    }

    /// Says something over the socket. False when there is none, or it is full; then the frame is
    /// not queued, and what it was for is repeated after the next connection.
    pub fn say(&self, frame: ClientFrame) -> bool {
        self.link
            .try_update_value(|link| link.as_mut().is_some_and(|link| link.try_send(frame).is_ok()))
            .unwrap_or(false)
    }
}

/// Sets a signal only to something new: an unchanged one wakes nobody.
fn set_if_changed<T: PartialEq + Send + Sync + 'static>(signal: &ArcRwSignal<T>, value: T) {
    if signal.with_untracked(|held| *held != value) {
        signal.set(value);
    }
}

/// The store of this page.
pub fn use_state() -> State {
    expect_context::<State>()
}
