//! The conversation that is open: which part of its timeline is on the page, row by row.

use std::collections::HashMap;

use leptos::prelude::*;
use protocol::{Conversation, ConversationId, Cursor, HistoryPage, Message, Seq};
use serde::{Deserialize, Serialize};

use super::window::Window;
use super::{State, set_if_changed};
use crate::live::rows::{self, Divider, Key, Row, Scene};
use crate::live::summary::Known;
use crate::live::timeline::{Run, Timeline};

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

/// What became of the wish for older or newer rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// There are none.
    Nothing,
    /// They were held, and are on the page now.
    Shown,
    /// This page has to be fetched for them.
    Fetch(ConversationId, Cursor),
}

/// Where a conversation is shown from that was empty when it was opened.
const BEGINNING: Seq = Seq(1);

/// The anchor of a conversation that was forgotten and is read again.
const LOST: Seq = Seq::ZERO;

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
    /// The peer's message that came last while the conversation was open.
    pub heard: ArcRwSignal<Option<Message>>,
    /// Whether the entry was still true when it was opened, or must be read again.
    pub known: Known,
    /// The unread divider, frozen at opening.
    pub divider: Option<Divider>,
    rows: ArcRwSignal<HashMap<Key, ArcRwSignal<Row>>>,
    /// A place in the run that is shown.
    anchor: Seq,
    /// What of the run is on the page.
    window: Window,
    /// About where the reader is.
    place: Seq,
    /// Whether the view goes on with each new message, holes being fetched.
    pub(super) follows: bool,
    /// Whether it stands for one of which nothing was read yet: that is the page's to do.
    pub(super) lacks_rows: bool,
    at_bottom: bool,
}

impl OpenConversation {
    /// A row's content.
    pub fn row(&self, key: Key) -> Option<ArcRwSignal<Row>> {
        self.rows.with_untracked(|rows| rows.get(&key).cloned())
    }

    /// The oldest stored message on the page.
    pub fn first_seq(&self) -> Seq {
        self.keys.with_untracked(|keys| self.first_of(&mut keys.iter()))
    }

    /// The newest stored message on the page.
    pub fn last_seq(&self) -> Seq {
        self.keys.with_untracked(|keys| self.first_of(&mut keys.iter().rev()))
    }

    fn first_of(&self, keys: &mut dyn Iterator<Item = &Key>) -> Seq {
        let mut rows = keys.filter_map(|key| self.row(*key));
        rows.find_map(|row| row.with_untracked(|row| row.seq)).unwrap_or_default()
    }

    /// The run that is shown. One that was empty at first waits for its beginning, and one that was
    /// forgotten for its newest page.
    fn run<'a>(&self, timeline: &'a Timeline) -> Option<&'a Run> {
        timeline.run_around(self.anchor)
    }

    /// Everything that was held is forgotten: shows nothing until the newest page was read.
    pub(super) fn begin_anew(&mut self) {
        self.anchor = LOST;
        self.place = LOST;
        self.window = Window::from(BEGINNING);
        self.follows = true;
        self.divider = None;
        set_if_changed(&self.below, 0);
    }

    /// The newest page was read after that: goes on at its end.
    pub(super) fn find_place(&mut self, page: &HistoryPage) {
        if self.anchor == LOST && self.id == page.conversation {
            self.anchor = page.messages.last().map_or(BEGINNING, |message| message.seq);
            self.place = self.anchor;
        }
    }

    /// The page after the run, when there is one.
    fn missing(&self, timeline: Option<&Timeline>) -> Option<(ConversationId, Cursor)> {
        if self.lacks_rows {
            return None;
        }
        let Some(timeline) = timeline else { return Some((self.id, Cursor::Latest)) };
        match self.run(timeline) {
            _ if self.anchor == LOST => Some((self.id, Cursor::Latest)),
            Some(run) if run.last() >= timeline.last_seq() => None,
            // With the last one that is held: if it is another now, the store was put back.
            Some(run) => Some((self.id, Cursor::After(Seq(run.last().0 - 1)))),
            None if timeline.last_seq() == Seq::ZERO => None,
            None if self.anchor == BEGINNING => Some((self.id, Cursor::After(Seq::ZERO))),
            None => Some((self.id, Cursor::Latest)),
        }
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
            heard: ArcRwSignal::new(None),
            known: Known::Exactly,
            divider,
            rows: ArcRwSignal::new(HashMap::new()),
            anchor: first.page.messages.last().map_or(BEGINNING, |message| message.seq),
            window: Window::from(first.page.messages.first().map_or(Seq::ZERO, |first| first.seq)),
            place: first
                .page
                .messages
                .get(first.page.messages.len() / 2)
                .map_or(BEGINNING, |middle| middle.seq),
            follows: false,
            lacks_rows: false,
            at_bottom: true,
        };
        self.held.update_value(|held| held.open = Some(open.clone()));
        let known = self.merge_page(&first.page);
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
        OpenConversation { known, ..open }
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

    /// What must be fetched so that the open conversation goes on to its newest message, if the
    /// view follows it.
    pub fn missing_newer(&self) -> Option<(ConversationId, Cursor)> {
        self.held.with_value(|held| {
            let open = held.open.as_ref().filter(|open| open.follows)?;
            open.missing(held.timelines.get(&open.id))
        })
    }

    /// Shows older rows from memory, or says which page to fetch for them.
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

    /// Shows newer rows from memory, or says which page to fetch for them.
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
        let step = self.held.try_update_value(|held| {
            let open = held.open.as_mut()?;
            let step = go(open, held.timelines.get(&open.id)?)?;
            Some((open.id, step))
        });
        let Some((id, step)) = step.flatten() else { return Step::Nothing };
        if step == Step::Shown {
            self.project_if_open(id);
        }
        step
    }

    /// The page that leads to the newest message, if the run on the page does not.
    pub fn latest_is_elsewhere(&self) -> Option<ConversationId> {
        self.held.with_value(|held| {
            let open = held.open.as_ref()?;
            open.missing(held.timelines.get(&open.id)).map(|(id, _)| id)
        })
    }

    /// Turns the view to the newest page, which must have been merged.
    pub fn follow_latest(&self) {
        self.turn(|open, timeline| {
            let run = timeline.newest_run()?;
            if !open.follows {
                open.anchor = run.last();
                open.place = run.last();
                open.window = Window::newest(run.span());
                open.follows = true;
            }
            Some(())
        });
    }

    /// Turns the view to a place, if it is held.
    pub fn turn_to(&self, seq: Seq) -> bool {
        self.turn(|open, timeline| {
            let run = timeline.run_around(seq)?;
            open.anchor = seq;
            open.place = seq;
            open.window = Window::around(seq, run.span());
            open.follows = false;
            Some(())
        })
    }

    fn turn(&self, to: impl FnOnce(&mut OpenConversation, &Timeline) -> Option<()>) -> bool {
        let id = self.held.try_update_value(|held| {
            let open = held.open.as_mut()?;
            to(open, held.timelines.get(&open.id)?)?;
            Some(open.id)
        });
        let id = id.flatten();
        if let Some(id) = id {
            self.project_if_open(id);
        }
        id.is_some()
    }

    /// Takes the unread divider away.
    pub fn dismiss_divider(&self) {
        let id = self.held.try_update_value(|held| {
            let open = held.open.as_mut()?;
            open.divider.take().map(|_| open.id)
        });
        if let Some(id) = id.flatten() {
            self.project_if_open(id);
        }
    }

    /// Learns where the reader is, and whether the newest row is in view.
    pub fn set_place(&self, place: Option<Seq>, at_bottom: bool) {
        let changed = self.held.try_update_value(|held| {
            let open = held.open.as_mut()?;
            open.place = place.unwrap_or(open.place);
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

    /// A message of the peer's came, live: it is counted if it is out of view, and said aloud.
    pub(super) fn hear(&self, message: &Message) {
        let open = self.open_conversation().filter(|open| open.id == message.conversation);
        let Some(open) = open else { return };
        if !open.at_bottom {
            open.below.update(|below| *below += 1);
        }
        open.heard.set(Some(message.clone()));
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
            if let Some(run) = run {
                let at_bottom = open.at_bottom && open.follows;
                open.window.bound(run.span(), open.place, at_bottom);
            }
            let reaches_end = open.window.is_open() && last >= timeline.last_seq();
            open.follows = reaches_end || (open.follows && open.window.is_open());
            let unsent: Vec<_> =
                if open.follows { held.outbox.of(id).collect() } else { Vec::new() };
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
