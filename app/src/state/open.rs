//! The conversation that is open: which part of its timeline is on the page, row by row.

use std::collections::HashMap;

use leptos::prelude::*;
use protocol::limits::PAGE_MESSAGES;
use protocol::{Conversation, ConversationId, Cursor, HistoryPage, Seq};
use serde::{Deserialize, Serialize};

use super::{State, set_if_changed};
use crate::live::rows::{self, Divider, Key, Row, Scene};
use crate::live::timeline::{Run, Timeline};
use crate::time;

/// At the newest message, older rows beyond this many leave the page (not the memory): the cost
/// of an incoming message stays bounded however long the talk.
const MOST_ROWS: usize = 300;
/// What remains then.
const KEPT_ROWS: usize = 150;

/// With more unread messages than this a conversation opens at the first of them instead of the
/// last: they would not all be on one page.
pub const UNREAD_ON_A_PAGE: u32 = 40;

/// What is read when a conversation is opened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FirstPage {
    /// Its entry.
    pub conversation: Conversation,
    /// The part that is shown first.
    pub page: HistoryPage,
}

/// What became of the wish for older rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Older {
    /// There are none.
    Nothing,
    /// They were held, and are on the page now.
    Shown,
    /// This page has to be fetched for them.
    Fetch(ConversationId, Cursor),
}

/// Where a conversation is shown from that was empty when it was opened.
const BEGINNING: Seq = Seq(1);

/// The rows on the page and what lies around them.
#[derive(Clone, Debug)]
pub struct OpenConversation {
    /// Which.
    pub id: ConversationId,
    /// The rows in their order.
    pub keys: ArcRwSignal<Vec<Key>>,
    /// Whether there are older messages than the first row.
    pub has_older: ArcRwSignal<bool>,
    /// Whether there are newer messages than the last row.
    pub has_newer: ArcRwSignal<bool>,
    /// The peer's messages that came while the view was elsewhere.
    pub below: ArcRwSignal<u32>,
    /// The unread divider, frozen at opening.
    pub divider: Option<Divider>,
    rows: ArcRwSignal<HashMap<Key, ArcRwSignal<Row>>>,
    /// A place in the run that is shown.
    anchor: Seq,
    /// Rows before this one are held but not on the page.
    window_first: Seq,
    /// Whether the view goes on with each new message, holes being fetched.
    follows: bool,
    at_bottom: bool,
}

impl OpenConversation {
    /// A row's content.
    pub fn row(&self, key: Key) -> Option<ArcRwSignal<Row>> {
        self.rows.with_untracked(|rows| rows.get(&key).cloned())
    }

    /// The run that is shown. One that was empty at first waits for its beginning; any other can
    /// have lost its place only because the store is another one now, and goes on at its end.
    fn run<'a>(&self, timeline: &'a Timeline) -> Option<&'a Run> {
        let elsewhere = || timeline.newest_run().filter(|_| self.anchor != BEGINNING);
        timeline.run_around(self.anchor).or_else(elsewhere)
    }
}

impl State {
    /// Opens a conversation at what was read of it.
    pub fn open(&self, first: &FirstPage) -> OpenConversation {
        let id = first.conversation.id;
        let known = self.summary(id);
        let at_opening = known.as_ref().unwrap_or(&first.conversation);
        let divider = (at_opening.unread > 0)
            .then_some(Divider { after: at_opening.mine.read, unread: at_opening.unread });
        self.adopt(first.conversation.clone());
        let open = OpenConversation {
            id,
            keys: ArcRwSignal::new(Vec::new()),
            has_older: ArcRwSignal::new(false),
            has_newer: ArcRwSignal::new(false),
            below: ArcRwSignal::new(0),
            divider,
            rows: ArcRwSignal::new(HashMap::new()),
            anchor: first.page.messages.last().map_or(BEGINNING, |message| message.seq),
            window_first: first.page.messages.first().map_or(Seq::ZERO, |message| message.seq),
            follows: false,
            at_bottom: true,
        };
        self.held.update_value(|held| held.open = Some(open.clone()));
        self.merge_page(&first.page);
        // An older visit may hold more than this page: all of it that is newer is shown.
        self.held.update_value(|held| {
            let newest = held.timelines.get(&id).map(Timeline::last_seq);
            let shown = held.timelines.get(&id).and_then(|timeline| {
                timeline.run_around(first.page.messages.last()?.seq).map(Run::last)
            });
            if let Some(open) = held.open.as_mut() {
                open.follows = first.page.messages.is_empty() || shown == newest;
            }
        });
        self.project_if_open(id);
        open
    }

    /// Closes a conversation, if it is still the open one.
    pub fn close(&self, id: ConversationId) {
        _ = self.held.try_update_value(|held| {
            if held.open.as_ref().is_some_and(|open| open.id == id) {
                held.open = None;
            }
        });
    }

    /// The open conversation.
    pub fn open_conversation(&self) -> Option<OpenConversation> {
        self.held.try_with_value(|held| held.open.clone()).flatten()
    }

    /// What is held of a conversation, as its first page; `None` when it must be read.
    pub fn first_page_from_memory(&self, id: ConversationId) -> Option<FirstPage> {
        let conversation = self.summary(id)?;
        let page = self.held.with_value(|held| {
            let timeline = held.timelines.get(&id)?;
            let run = timeline.newest_run()?;
            let missed = timeline.last_seq().0.saturating_sub(run.last().0);
            let page_length = i64::try_from(PAGE_MESSAGES).unwrap_or(i64::MAX);
            (missed <= page_length && conversation.unread <= UNREAD_ON_A_PAGE).then(|| {
                HistoryPage {
                    conversation: id,
                    messages: run.from(Seq(run.last().0 - page_length + 1)).cloned().collect(),
                    last_seq: timeline.last_seq(),
                    mine: conversation.mine,
                    theirs: conversation.theirs,
                }
            })
        })?;
        Some(FirstPage { conversation, page })
    }

    /// What must be fetched so that the open conversation goes on to its newest message, if the
    /// view follows it.
    pub fn missing_newer(&self) -> Option<(ConversationId, Cursor)> {
        self.newer(true)
    }

    /// The page after the last row, when there is one.
    pub fn next_newer(&self) -> Option<(ConversationId, Cursor)> {
        self.newer(false)
    }

    fn newer(&self, only_if_following: bool) -> Option<(ConversationId, Cursor)> {
        self.held.with_value(|held| {
            let open = held.open.as_ref()?;
            if only_if_following && !open.follows {
                return None;
            }
            let Some(timeline) = held.timelines.get(&open.id) else {
                return Some((open.id, Cursor::Latest));
            };
            match open.run(timeline) {
                Some(run) if run.last() >= timeline.last_seq() => None,
                Some(run) => Some((open.id, Cursor::After(run.last()))),
                None if timeline.last_seq() == Seq::ZERO => None,
                None if open.anchor == BEGINNING => Some((open.id, Cursor::After(Seq::ZERO))),
                None => Some((open.id, Cursor::Latest)),
            }
        })
    }

    /// Shows older rows from memory, or says which page to fetch for them.
    pub fn show_older(&self) -> Older {
        let step = self.held.try_update_value(|held| {
            let open = held.open.as_mut()?;
            let timeline = held.timelines.get(&open.id)?;
            let run = open.run(timeline)?;
            let page_length = i64::try_from(PAGE_MESSAGES).unwrap_or(i64::MAX);
            let from = open.window_first.max(run.first());
            open.window_first = Seq((from.0 - page_length).max(1));
            if from > run.first() {
                Some((open.id, None))
            } else {
                (from > Seq(1)).then_some((open.id, Some(Cursor::Before(from))))
            }
        });
        match step.flatten() {
            None => Older::Nothing,
            Some((id, None)) => {
                self.project_if_open(id);
                Older::Shown
            }
            Some((id, Some(cursor))) => Older::Fetch(id, cursor),
        }
    }

    /// Turns the view to the newest page, which must have been merged.
    pub fn follow_latest(&self) {
        let id = self.held.try_update_value(|held| {
            let open = held.open.as_mut()?;
            let run = held.timelines.get(&open.id)?.newest_run()?;
            let page_length = i64::try_from(PAGE_MESSAGES).unwrap_or(i64::MAX);
            if !open.follows {
                open.anchor = run.last();
                open.window_first = Seq((run.last().0 - page_length).max(run.first().0));
                open.follows = true;
            }
            Some(open.id)
        });
        if let Some(id) = id.flatten() {
            self.project_if_open(id);
        }
    }

    /// Turns the view to the run that holds a place, if it is held.
    pub fn turn_to(&self, seq: Seq) -> bool {
        let turned = self.held.try_update_value(|held| {
            let open = held.open.as_mut()?;
            let run = held.timelines.get(&open.id)?.run_around(seq)?;
            let page_length = i64::try_from(PAGE_MESSAGES).unwrap_or(i64::MAX);
            open.anchor = seq;
            open.window_first =
                open.window_first.min(Seq((seq.0 - page_length).max(run.first().0)));
            open.follows = run.last() >= held.timelines.get(&open.id)?.last_seq();
            Some(open.id)
        });
        let turned = turned.flatten();
        if let Some(id) = turned {
            self.project_if_open(id);
        }
        turned.is_some()
    }

    /// Learns whether the newest row is in view.
    pub fn set_at_bottom(&self, at_bottom: bool) {
        let changed = self.held.try_update_value(|held| {
            let open = held.open.as_mut()?;
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

    pub(super) fn count_below(&self, id: ConversationId) {
        if let Some(open) = self.open_conversation()
            && open.id == id
            && !open.at_bottom
        {
            open.below.update(|below| *below += 1);
        }
    }

    /// Shows the open conversation anew after its day boundaries changed (from UTC to local).
    pub fn project_open(&self) {
        if let Some(open) = self.open_conversation() {
            self.project_if_open(open.id);
        }
    }

    /// Makes the rows of a conversation, if it is open, and touches those that changed.
    pub(super) fn project_if_open(&self, id: ConversationId) {
        let (Some(me), Some(summary)) = (self.me(), self.summary(id)) else { return };
        let local = self.local_time.get_untracked();
        let projected = self.held.try_update_value(|held| {
            let open = held.open.as_mut().filter(|open| open.id == id)?;
            let timeline = held.timelines.get(&id)?;
            let run = open.run(timeline);
            let last = run.map_or(Seq::ZERO, Run::last);
            let reaches_end = last >= timeline.last_seq();
            open.follows |= reaches_end;
            let unsent: Vec<_> =
                if open.follows { held.outbox.of(id).collect() } else { Vec::new() };
            if open.follows && open.at_bottom {
                trim(open, last);
            }
            let scene = Scene {
                me: me.id,
                theirs: summary.theirs,
                divider: open.divider,
                day: if local { time::local_day } else { time::utc_day },
            };
            let messages = run.into_iter().flat_map(|run| run.from(open.window_first));
            let rows = rows::project(scene, messages, &unsent);
            let first = run.map_or(Seq::ZERO, |run| run.first().max(open.window_first));
            Some((open.clone(), rows, first > Seq(1), !reaches_end && !open.follows))
        });
        if let Some((open, rows, has_older, has_newer)) = projected.flatten() {
            set_if_changed(&open.has_older, has_older);
            set_if_changed(&open.has_newer, has_newer);
            show(&open, rows);
        }
    }
}

/// Takes the oldest rows off the page when there are many and the newest is in view.
fn trim(open: &mut OpenConversation, last: Seq) {
    let shown = usize::try_from(last.0 - open.window_first.0).unwrap_or(0);
    if shown > MOST_ROWS {
        open.window_first = Seq(last.0 - i64::try_from(KEPT_ROWS).unwrap_or(0));
    }
}

/// Puts rows on the page: new ones are added, changed ones are set, the rest is left alone.
fn show(open: &OpenConversation, rows: Vec<Row>) {
    let keys: Vec<Key> = rows.iter().map(|row| row.key).collect();
    open.rows.update_untracked(|held| {
        if held.len() > keys.len() {
            let kept: std::collections::HashSet<&Key> = keys.iter().collect();
            held.retain(|key, _| kept.contains(key));
        }
        for row in rows {
            match held.get(&row.key) {
                Some(signal) => set_if_changed(signal, row),
                None => {
                    held.insert(row.key, ArcRwSignal::new(row));
                }
            }
        }
    });
    set_if_changed(&open.keys, keys);
}
