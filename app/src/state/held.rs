//! Cached messages of conversations visited before, and opening conversations from them.
//!
//! All fetched messages stay in memory as long as the page lives. At most a few hundred rows are on
//! the page (see `window`).

use leptos::prelude::*;
use protocol::limits::PAGE_MESSAGES;
use protocol::{Conversation, ConversationId, HistoryPage, Seq};

use super::{FirstPage, OpenConversation, State, UNREAD_ON_A_PAGE};
use crate::live::timeline::{Run, Timeline};

/// Number of messages in a page.
#[expect(clippy::cast_possible_wrap, reason = "a few dozen")]
const PAGE: i64 = PAGE_MESSAGES as i64;

impl State {
    /// Returns cached messages as a first page: around a seq, or the newest. `None` if they must be
    /// fetched.
    pub fn first_page_from_memory(
        &self,
        id: ConversationId,
        place: Option<Seq>,
    ) -> Option<FirstPage> {
        self.held_rows(id, PAGE, &move |conversation, timeline| {
            if let Some(place) = place {
                return Some((timeline.run_around(place)?, Seq(place.0 - PAGE / 2)));
            }
            let run = timeline.newest_run()?;
            let missed = timeline.last_seq().0.saturating_sub(run.last().0);
            let is_near = missed <= PAGE && conversation.unread <= UNREAD_ON_A_PAGE;
            is_near.then(|| (run, Seq(run.last().0 - PAGE + 1)))
        })
    }

    /// Returns the newest cached messages of a conversation, at most `most`. The server may have
    /// newer ones.
    pub(crate) fn newest_rows(&self, id: ConversationId, most: i64) -> Option<FirstPage> {
        self.held_rows(id, most, &move |_, timeline| {
            let run = timeline.newest_run()?;
            Some((run, Seq(run.last().0 - most + 1)))
        })
    }

    /// Returns at most `most` messages of the run, from the seq on, both chosen by `which`.
    fn held_rows(&self, id: ConversationId, most: i64, which: &Which) -> Option<FirstPage> {
        let conversation = self.summary(id)?;
        let page = self.held.with_value(|held| {
            let timeline = held.timelines.get(&id)?;
            let (run, from) = which(&conversation, timeline)?;
            let most = usize::try_from(most).unwrap_or(PAGE_MESSAGES);
            Some(HistoryPage {
                conversation: id,
                messages: run.from(from).take(most).cloned().collect(),
                last_seq: timeline.last_seq(),
                mine: conversation.mine,
                theirs: conversation.theirs,
            })
        })?;
        Some(FirstPage { conversation, page })
    }

    /// Conversations with cached messages, with the first and the last seq of the newest run.
    #[cfg(feature = "hydrate")]
    pub(crate) fn held_runs(&self) -> Vec<(ConversationId, (Seq, Seq))> {
        self.held.with_value(|held| {
            let timelines = held.timelines.iter();
            timelines
                .filter_map(|(id, timeline)| Some((*id, timeline.newest_run()?.span())))
                .collect()
        })
    }

    /// Opens a conversation without cached messages: only unsent messages are shown.
    pub fn open_without_rows(&self, id: ConversationId) -> Option<OpenConversation> {
        let conversation = self.summary(id)?;
        let Conversation { mine, theirs, .. } = conversation;
        let (messages, last_seq) = (Vec::new(), Seq::ZERO);
        let page = HistoryPage { conversation: id, messages, last_seq, mine, theirs };
        let open = self.open(&FirstPage { conversation, page });
        self.held.update_value(|held| {
            if let Some(open) = held.open.as_mut() {
                open.begin_anew();
                open.lacks_rows = true;
            }
        });
        self.project_if_open(id);
        Some(open)
    }

    /// Opens a conversation at its cached messages: around a seq if that is cached, else the
    /// newest. Newer messages are fetched when the connection is back.
    pub fn open_held(&self, id: ConversationId, place: Option<Seq>) -> Option<OpenConversation> {
        let around = place.and_then(|place| self.first_page_from_memory(id, Some(place)));
        if let Some(around) = around {
            return Some(self.open(&around));
        }
        let open = self.open(&self.newest_rows(id, PAGE)?);
        self.held.update_value(|held| {
            if let Some(open) = held.open.as_mut() {
                open.follows = true;
            }
        });
        Some(open)
    }
}

/// Chooses a run and a seq in it.
type Which = dyn for<'a> Fn(&Conversation, &'a Timeline) -> Option<(&'a Run, Seq)>;
