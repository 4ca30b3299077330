//! The open conversation: which part of its timeline is on the page, row by row.

use std::collections::HashMap;

use leptos::prelude::*;
use protocol::{Conversation, ConversationId, Cursor, HistoryPage, Message, Seq};
use serde::{Deserialize, Serialize};

use super::window::Window;
use super::{State, set_if_changed};
use crate::live::rows::{self, Key, Row, Scene, UnreadDivider};
use crate::live::summary::Freshness;
use crate::live::timeline::{Run, Timeline};

/// A conversation with more unread messages than this opens at the first of them, because they do
/// not fit on one page.
pub const UNREAD_ON_A_PAGE: u32 = 40;

/// The data fetched when a conversation is opened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FirstPage {
    pub conversation: Conversation,
    /// The messages shown first.
    pub page: HistoryPage,
}

/// Result of a request for older or newer rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// No more rows exist.
    Nothing,
    /// The rows were cached and are on the page now.
    Shown,
    /// The caller must fetch this page.
    Fetch(ConversationId, Cursor),
}

/// Anchor of a conversation that was empty when it was opened.
const BEGINNING: Seq = Seq(1);

/// Anchor of a conversation whose cached messages were discarded.
const LOST: Seq = Seq::ZERO;

/// The rows on the page and their context.
#[derive(Clone, Debug)]
pub struct OpenConversation {
    pub id: ConversationId,
    /// The rows in order.
    pub keys: ArcRwSignal<Vec<Key>>,
    /// Whether there are older messages than the first row.
    pub has_older: ArcRwSignal<bool>,
    /// Whether there are newer messages than the last row.
    pub has_newer: ArcRwSignal<bool>,
    /// Number of the peer's messages that arrived while the view was not at the bottom.
    pub below: ArcRwSignal<u32>,
    /// The last message of the peer that arrived while the conversation was open.
    pub received: ArcRwSignal<Option<Message>>,
    /// Whether the entry was exact when the conversation was opened, or must be fetched again.
    pub freshness: Freshness,
    /// The unread divider, fixed at opening.
    pub divider: Option<UnreadDivider>,
    rows: ArcRwSignal<HashMap<Key, ArcRwSignal<Row>>>,
    /// A seq in the run that is shown.
    anchor: Seq,
    /// The part of the run that is on the page.
    window: Window,
    /// The approximate seq at the reader's position.
    position: Seq,
    /// Whether the view shows new messages as they arrive, and gaps are fetched for that.
    pub(super) follows: bool,
    /// Whether no message was fetched yet; the conversation's page then fetches the first ones.
    pub(super) lacks_rows: bool,
    at_bottom: bool,
}

impl OpenConversation {
    /// Returns the signal of a row.
    pub fn row(&self, key: Key) -> Option<ArcRwSignal<Row>> {
        self.rows.with_untracked(|rows| rows.get(&key).cloned())
    }

    /// Returns the oldest stored message on the page.
    pub fn first_seq(&self) -> Seq {
        self.keys.with_untracked(|keys| self.first_of(&mut keys.iter()))
    }

    /// Returns the newest stored message on the page.
    pub fn last_seq(&self) -> Seq {
        self.keys.with_untracked(|keys| self.first_of(&mut keys.iter().rev()))
    }

    fn first_of(&self, keys: &mut dyn Iterator<Item = &Key>) -> Seq {
        let mut rows = keys.filter_map(|key| self.row(*key));
        rows.find_map(|row| row.with_untracked(|row| row.seq)).unwrap_or_default()
    }

    /// Returns the run that is shown. `None` for an empty conversation, and after a reset until the
    /// newest page is merged.
    fn run<'a>(&self, timeline: &'a Timeline) -> Option<&'a Run> {
        timeline.run_around(self.anchor)
    }

    /// Resets the view after the cached messages were discarded. It shows no stored message until
    /// the newest page is merged.
    pub(super) fn reset(&mut self) {
        self.anchor = LOST;
        self.position = LOST;
        self.window = Window::from(BEGINNING);
        self.follows = true;
        self.divider = None;
        set_if_changed(&self.below, 0);
    }

    /// Anchors the view at the end of the newest page, the first after a reset.
    pub(super) fn anchor_at_newest(&mut self, page: &HistoryPage) {
        if self.anchor == LOST && self.id == page.conversation {
            self.anchor = page.messages.last().map_or(BEGINNING, |message| message.seq);
            self.position = self.anchor;
        }
    }

    /// Returns the page to fetch after the run; `None` if nothing newer is missing.
    fn missing(&self, timeline: Option<&Timeline>) -> Option<(ConversationId, Cursor)> {
        if self.lacks_rows {
            return None;
        }
        let Some(timeline) = timeline else { return Some((self.id, Cursor::Latest)) };
        match self.run(timeline) {
            _ if self.anchor == LOST => Some((self.id, Cursor::Latest)),
            Some(run) if run.last() >= timeline.last_seq() => None,
            // The page includes the last cached message. Another message with its seq shows that
            // the store was restored.
            Some(run) => Some((self.id, Cursor::After(Seq(run.last().0 - 1)))),
            None if timeline.last_seq() == Seq::ZERO => None,
            None if self.anchor == BEGINNING => Some((self.id, Cursor::After(Seq::ZERO))),
            None => Some((self.id, Cursor::Latest)),
        }
    }
}

impl State {
    /// Opens a conversation at its first page.
    pub fn open(&self, first: &FirstPage) -> OpenConversation {
        let id = first.conversation.id;
        let known = self.summary(id);
        let at_opening = known.as_ref().unwrap_or(&first.conversation);
        let divider = (at_opening.unread > 0)
            .then_some(UnreadDivider { after: at_opening.mine.read, unread: at_opening.unread });
        self.adopt(first.conversation.clone());
        let open = OpenConversation {
            id,
            keys: ArcRwSignal::new(Vec::new()),
            has_older: ArcRwSignal::new(false),
            has_newer: ArcRwSignal::new(false),
            below: ArcRwSignal::new(0),
            received: ArcRwSignal::new(None),
            freshness: Freshness::Current,
            divider,
            rows: ArcRwSignal::new(HashMap::new()),
            anchor: first.page.messages.last().map_or(BEGINNING, |message| message.seq),
            window: Window::from(first.page.messages.first().map_or(Seq::ZERO, |first| first.seq)),
            position: first
                .page
                .messages
                .get(first.page.messages.len() / 2)
                .map_or(BEGINNING, |middle| middle.seq),
            follows: false,
            lacks_rows: false,
            at_bottom: true,
        };
        self.cache.update_value(|cache| cache.open = Some(open.clone()));
        let freshness = self.merge_page(&first.page);
        // Cached messages may extend beyond this page; all newer ones of the run are shown.
        self.cache.update_value(|cache| {
            let newest = cache.timelines.get(&id).map(Timeline::last_seq);
            let shown = cache.timelines.get(&id).and_then(|timeline| {
                timeline.run_around(first.page.messages.last()?.seq).map(Run::last)
            });
            if let Some(open) = cache.open.as_mut() {
                open.follows = first.page.messages.is_empty() || shown == newest;
            }
        });
        self.project_if_open(id);
        OpenConversation { freshness, ..open }
    }

    /// Closes a conversation if it is still the open one.
    pub fn close(&self, id: ConversationId) {
        _ = self.cache.try_update_value(|cache| {
            if cache.open.as_ref().is_some_and(|open| open.id == id) {
                cache.open = None;
            }
        });
    }

    pub fn open_conversation(&self) -> Option<OpenConversation> {
        self.cache.try_with_value(|cache| cache.open.clone()).flatten()
    }

    /// Returns the page to fetch so that the open conversation reaches its newest message. `None`
    /// if the view does not follow new messages.
    pub fn missing_newer(&self) -> Option<(ConversationId, Cursor)> {
        self.cache.with_value(|cache| {
            let open = cache.open.as_ref().filter(|open| open.follows)?;
            open.missing(cache.timelines.get(&open.id))
        })
    }

    /// Shows older cached rows, or returns the page to fetch.
    pub fn show_older(&self) -> Step {
        self.step(|open, timeline| {
            let run = open.run(timeline)?;
            let from = open.window.widen_older(run.span());
            if from > run.first() {
                Some(Step::Shown)
            } else {
                (from > Seq(1)).then_some(Step::Fetch(open.id, Cursor::Before(from)))
            }
        })
    }

    /// Shows newer cached rows, or returns the page to fetch.
    pub fn show_newer(&self) -> Step {
        self.step(|open, timeline| {
            if open.window.is_open() {
                return open.missing(Some(timeline)).map(|(id, cursor)| Step::Fetch(id, cursor));
            }
            open.window.widen_newer(open.run(timeline)?.span());
            Some(Step::Shown)
        })
    }

    fn step(&self, go: impl FnOnce(&mut OpenConversation, &Timeline) -> Option<Step>) -> Step {
        let step = self.cache.try_update_value(|cache| {
            let open = cache.open.as_mut()?;
            let step = go(open, cache.timelines.get(&open.id)?)?;
            Some((open.id, step))
        });
        let Some((id, step)) = step.flatten() else { return Step::Nothing };
        if step == Step::Shown {
            self.project_if_open(id);
        }
        step
    }

    /// Returns the open conversation, if newer messages are missing after the run on the page.
    pub fn latest_is_elsewhere(&self) -> Option<ConversationId> {
        self.cache.with_value(|cache| {
            let open = cache.open.as_ref()?;
            open.missing(cache.timelines.get(&open.id)).map(|(id, _)| id)
        })
    }

    /// Moves the view to the newest page, which must have been merged.
    pub fn follow_latest(&self) {
        self.turn(|open, timeline| {
            let run = timeline.newest_run()?;
            if !open.follows {
                open.anchor = run.last();
                open.position = run.last();
                open.window = Window::newest(run.span());
                open.follows = true;
            }
            Some(())
        });
    }

    /// Moves the view to a seq. Returns whether that seq is cached.
    pub fn turn_to(&self, seq: Seq) -> bool {
        self.turn(|open, timeline| {
            let run = timeline.run_around(seq)?;
            open.anchor = seq;
            open.position = seq;
            open.window = Window::around(seq, run.span());
            open.follows = false;
            Some(())
        })
    }

    fn turn(&self, to: impl FnOnce(&mut OpenConversation, &Timeline) -> Option<()>) -> bool {
        let id = self.cache.try_update_value(|cache| {
            let open = cache.open.as_mut()?;
            to(open, cache.timelines.get(&open.id)?)?;
            Some(open.id)
        });
        let id = id.flatten();
        if let Some(id) = id {
            self.project_if_open(id);
        }
        id.is_some()
    }

    /// Removes the unread divider.
    pub fn dismiss_divider(&self) {
        let id = self.cache.try_update_value(|cache| {
            let open = cache.open.as_mut()?;
            open.divider.take().map(|_| open.id)
        });
        if let Some(id) = id.flatten() {
            self.project_if_open(id);
        }
    }

    /// Records the reader's position, and whether the newest row is in view.
    pub fn set_position(&self, position: Option<Seq>, at_bottom: bool) {
        let changed = self.cache.try_update_value(|cache| {
            let open = cache.open.as_mut()?;
            open.position = position.unwrap_or(open.position);
            let changed = open.at_bottom != at_bottom;
            open.at_bottom = at_bottom;
            changed.then(|| open.clone())
        });
        if let Some(open) = changed.flatten()
            && at_bottom
        {
            set_if_changed(&open.below, 0);
            self.project_if_open(open.id);
        }
    }

    /// Counts a live message of the peer if it is out of view, and passes it to screen readers.
    pub(super) fn receive(&self, message: &Message) {
        let open = self.open_conversation().filter(|open| open.id == message.conversation);
        let Some(open) = open else { return };
        if !open.at_bottom {
            open.below.update(|below| *below += 1);
        }
        open.received.set(Some(message.clone()));
    }

    /// Updates the rows of the open conversation, for example after the time zone changed.
    pub fn project_open(&self) {
        if let Some(open) = self.open_conversation() {
            self.project_if_open(open.id);
        }
    }

    /// Projects the rows of a conversation if it is open, and updates those that changed.
    pub(super) fn project_if_open(&self, id: ConversationId) {
        let (Some(me), Some(summary)) = (self.me(), self.summary(id)) else { return };
        let local = self.time_context.get_untracked();
        let projected = self.cache.try_update_value(|cache| {
            let open = cache.open.as_mut().filter(|open| open.id == id)?;
            let timeline = cache.timelines.get(&id)?;
            let run = open.run(timeline);
            let last = run.map_or(Seq::ZERO, Run::last);
            if let Some(run) = run {
                let at_bottom = open.at_bottom && open.follows;
                open.window.bound(run.span(), open.position, at_bottom);
            }
            let reaches_end = open.window.is_open() && last >= timeline.last_seq();
            open.follows = reaches_end || (open.follows && open.window.is_open());
            let unsent: Vec<_> =
                if open.follows { cache.outbox.of(id).collect() } else { Vec::new() };
            let scene = Scene { me: me.id, theirs: summary.theirs, divider: open.divider, local };
            let messages = run.into_iter().flat_map(|run| run.from(open.window.first()));
            let end = open.window.last();
            let messages = messages.take_while(|message| message.seq <= end);
            let rows = rows::project(scene, messages, &unsent);
            let first = run.map_or(Seq::ZERO, |run| run.first().max(open.window.first()));
            Some((open.clone(), rows, first > Seq(1), !reaches_end && !open.follows))
        });
        if let Some((open, rows, has_older, has_newer)) = projected.flatten() {
            set_if_changed(&open.has_older, has_older);
            set_if_changed(&open.has_newer, has_newer);
            show(&open, rows);
        }
    }
}

/// Puts rows on the page: adds new ones, sets changed ones, removes the rest.
fn show(open: &OpenConversation, rows: Vec<Row>) {
    let keys: Vec<Key> = rows.iter().map(|row| row.key).collect();
    open.rows.update_untracked(|shown| {
        if shown.len() > keys.len() {
            let kept: std::collections::HashSet<&Key> = keys.iter().collect();
            shown.retain(|key, _| kept.contains(key));
        }
        for row in rows {
            match shown.get(&row.key) {
                Some(signal) => set_if_changed(signal, row),
                None => {
                    shown.insert(row.key, ArcRwSignal::new(row));
                }
            }
        }
    });
    set_if_changed(&open.keys, keys);
}
