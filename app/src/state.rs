//! What the pages show and the live client changes: one reactive store for the whole application.
//!
//! Each event is applied here once, directly; the pages read signals per conversation and per row,
//! so that a message touches its own row and its own entry and nothing else. The rules are in the
//! pure modules of [`crate::live`]; this one only holds and tells. Pages create it in `App`, the
//! server once per request, the browser once per page load.

mod events;
mod held;
mod list;
mod open;
#[cfg(test)]
mod tests;
mod window;

use std::collections::{HashMap, HashSet};

use futures::channel::mpsc;
use leptos::prelude::*;
use protocol::{
    ClientFrame, ClientId, Conversation, ConversationId, ListCursor, Marks, Seq, Unread, User,
    UserId,
};

pub use events::Applied;
pub use open::{FirstPage, OpenConversation, Step, UNREAD_ON_A_PAGE};

use crate::attention::Attention;
use crate::live::outbox::Outbox;
#[cfg(feature = "hydrate")]
use crate::live::storage::Unkept;
use crate::live::summary;
use crate::live::timeline::Timeline;
use crate::time::Local;

/// Whether the live connection stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Connection {
    /// Not yet, or not any more; the next attempt comes by itself.
    Connecting,
    /// Events arrive.
    Live,
    /// The server answers calls and no socket can be had, as behind a proxy that refuses them: what
    /// is new is read now and then. The next attempt comes by itself.
    Polling,
    /// The session ended: sign in again. What was typed is kept.
    SignedOut,
    /// Too many tabs of this person: comes back when this one is looked at again.
    TooManyTabs,
    /// This page is too old for the server: reload.
    Outdated,
    /// This page was opened under another address than the server's: the server refuses every call.
    WrongAddress,
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
    /// The beginning of what stands unsent in its composer.
    pub draft: ArcRwSignal<String>,
}

#[derive(Default)]
struct Held {
    entries: HashMap<ConversationId, Entry>,
    /// Behind which entry the pages of the list that were read end.
    list_end: Option<ListCursor>,
    /// Those that a reading of the list named.
    listed: HashSet<ConversationId>,
    timelines: HashMap<ConversationId, Timeline>,
    outbox: Outbox,
    open: Option<OpenConversation>,
    /// Something was told that cannot be true beside what is held.
    contradicted: bool,
    /// What is held was forgotten, and the list was not read since.
    anew: bool,
}

/// The store. A cheap copy of handles.
#[derive(Clone, Copy)]
pub struct State {
    me: RwSignal<Option<User>>,
    held: StoredValue<Held>,
    /// The list, newest first.
    pub list: RwSignal<Vec<ConversationId>>,
    /// Whether others were here when somebody came who talks with nobody yet.
    pub others: StoredValue<bool>,
    /// Whether the list has older entries than are held.
    pub list_has_more: RwSignal<bool>,
    /// What is unread in conversations that the first page of the list did not name. Of those that
    /// are in the list now, their entries know better.
    unread_elsewhere: RwSignal<Vec<Unread>>,
    /// Whether events arrive.
    pub connection: RwSignal<Connection>,
    /// Whether the server gives out another build of the page than this one.
    pub newer_build: RwSignal<bool>,
    /// What reaches the person when they do not look.
    pub attention: Attention,
    /// By whose clock times are shown.
    pub local_time: RwSignal<Local>,
    /// Whether the page is live.
    pub live: RwSignal<bool>,
    /// Whether unsent messages and drafts survive a reload.
    pub storage_works: RwSignal<bool>,
    /// Whether there is something that a reload would lose.
    #[cfg(feature = "hydrate")]
    pub(crate) has_unkept: RwSignal<bool>,
    /// Drafts that the browser's storage refused.
    #[cfg(feature = "hydrate")]
    pub(crate) unkept_drafts: StoredValue<HashMap<ConversationId, Unkept>>,
    /// Whether the person left this page for good and wants nothing kept any more.
    #[cfg(feature = "hydrate")]
    pub(crate) has_left: StoredValue<bool>,
    /// Whether another attempt to keep what was refused is on its way.
    #[cfg(feature = "hydrate")]
    pub(crate) keeping_again: StoredValue<bool>,
    /// Counts one's own new messages: the view turns to the newest each time.
    pub wrote: RwSignal<u32>,
    /// Counts what happened to messages that wait: the list shows the newest of each conversation.
    outbox_changes: RwSignal<u32>,
    /// Which tab this is, among those of one browser.
    pub(crate) tab: StoredValue<u64>,
    /// The way to the socket, while there is one.
    pub(crate) link: StoredValue<Option<mpsc::Sender<ClientFrame>>>,
    /// Since when there is none, by the clock of [`crate::dom::uptime_ms`].
    #[cfg(feature = "hydrate")]
    pub(crate) down_since: StoredValue<Option<i64>>,
    /// Since when an attempt to open a socket is under way, by the age of the page.
    #[cfg(feature = "hydrate")]
    pub(crate) opening_since: StoredValue<Option<i64>>,
    /// Whether a task reads by calls until there is a socket.
    #[cfg(feature = "hydrate")]
    pub(crate) reading: StoredValue<bool>,
    /// Whether the server answers calls while there is no socket.
    #[cfg(feature = "hydrate")]
    pub(crate) calls_work: StoredValue<bool>,
    /// Whether what is missing is being fetched.
    #[cfg(feature = "hydrate")]
    pub(crate) filling: StoredValue<bool>,
    /// When "typing" was said last, by the clock of [`crate::dom::uptime_ms`]; nothing after it was
    /// taken back.
    #[cfg(feature = "hydrate")]
    pub(crate) typing_said_ms: StoredValue<Option<i64>>,
    /// Where the person typed last and when, by the same clock; nothing once the box is empty.
    #[cfg(feature = "hydrate")]
    pub(crate) typed: StoredValue<Option<(ConversationId, i64)>>,
}

impl Connection {
    /// Whether what is new comes, at once or by reading now and then.
    pub fn brings_news(self) -> bool {
        matches!(self, Self::Live | Self::Polling)
    }
}

impl State {
    /// An empty store of a person, or of nobody.
    pub fn new(me: Option<User>) -> Self {
        Self {
            me: RwSignal::new(me),
            held: StoredValue::new(Held::default()),
            list: RwSignal::new(Vec::new()),
            others: StoredValue::new(false),
            list_has_more: RwSignal::new(false),
            unread_elsewhere: RwSignal::new(Vec::new()),
            connection: RwSignal::new(Connection::Connecting),
            newer_build: RwSignal::new(false),
            attention: Attention::new(),
            local_time: RwSignal::new(Local::default()),
            live: RwSignal::new(false),
            storage_works: RwSignal::new(true),
            #[cfg(feature = "hydrate")]
            has_unkept: RwSignal::new(false),
            #[cfg(feature = "hydrate")]
            unkept_drafts: StoredValue::new(HashMap::new()),
            #[cfg(feature = "hydrate")]
            has_left: StoredValue::new(false),
            #[cfg(feature = "hydrate")]
            keeping_again: StoredValue::new(false),
            wrote: RwSignal::new(0),
            outbox_changes: RwSignal::new(0),
            tab: StoredValue::new(0),
            link: StoredValue::new(None),
            #[cfg(feature = "hydrate")]
            down_since: StoredValue::new(None),
            #[cfg(feature = "hydrate")]
            opening_since: StoredValue::new(None),
            #[cfg(feature = "hydrate")]
            calls_work: StoredValue::new(false),
            #[cfg(feature = "hydrate")]
            reading: StoredValue::new(false),
            #[cfg(feature = "hydrate")]
            filling: StoredValue::new(false),
            #[cfg(feature = "hydrate")]
            typing_said_ms: StoredValue::new(None),
            #[cfg(feature = "hydrate")]
            typed: StoredValue::new(None),
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
            if let Some(last) = &conversation.last {
                let other = known.last.as_ref().filter(|known| known.seq == last.seq);
                let other = other.is_some_and(|known| known.client_id != last.client_id);
                self.held.update_value(|held| {
                    let timeline = held.timelines.get(&id);
                    held.contradicted |=
                        other || timeline.is_some_and(|timeline| timeline.contradicts(last));
                });
            }
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

    /// Works on the outbox, then shows the conversation anew if it is open.
    pub fn with_outbox<T>(&self, work: impl FnOnce(&mut Outbox) -> T) -> Option<T> {
        let answer = self.held.try_update_value(|held| work(&mut held.outbox));
        self.outbox_changes.update(|changes| *changes += 1);
        if let Some(open) = self.open_conversation() {
            self.project_if_open(open.id);
        }
        answer
    }

    /// Reads the newest message that waits in a conversation, and listens for changes.
    pub fn newest_waiting<T>(
        &self,
        id: ConversationId,
        read: impl FnOnce(&crate::live::outbox::Entry) -> T,
    ) -> Option<T> {
        self.outbox_changes.track();
        self.held.with_value(|held| held.outbox.of(id).last().map(read))
    }

    /// Reads the outbox.
    #[cfg(feature = "hydrate")]
    pub(crate) fn read_outbox<T>(&self, read: impl FnOnce(&Outbox) -> T) -> T {
        self.held.with_value(|held| read(&held.outbox))
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

    /// The last place that is known of each conversation. What is asked of the server after this
    /// must know as much, unless its store was put back from a copy.
    pub fn last_seqs(&self) -> Vec<(ConversationId, Seq)> {
        self.held.with_value(|held| {
            let entries = held.entries.iter();
            entries
                .map(|(id, entry)| (*id, entry.summary.with_untracked(|one| one.last_seq)))
                .collect()
        })
    }

    /// Notes that the server's store cannot be the one that this page has read.
    pub fn doubt(&self) {
        self.held.update_value(|held| held.contradicted = true);
    }

    /// Whether that was noted, here or by what was merged. Asking takes the note away.
    pub fn takes_doubt(&self) -> bool {
        let noted = |held: &mut Held| std::mem::take(&mut held.contradicted);
        self.held.try_update_value(noted).unwrap_or_default()
    }

    /// Whether everything was forgotten and the list is still to be read.
    pub fn is_anew(&self) -> bool {
        self.held.with_value(|held| held.anew)
    }

    /// Forgets everything that was read from the server: its store is another one now. What was
    /// typed and not sent stays.
    pub fn forget(&self) {
        self.unread_elsewhere.set(Vec::new());
        self.held.update_value(|held| {
            held.timelines.clear();
            held.listed.clear();
            held.list_end = None;
            held.anew = true;
            held.contradicted = false;
            if let Some(open) = held.open.as_mut() {
                open.begin_anew();
                // What comes from now on has its place; the rest is read.
                held.timelines.insert(open.id, Timeline::default());
            }
            for entry in held.entries.values() {
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
