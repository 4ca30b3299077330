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
        position: Option<Seq>,
    ) -> Option<FirstPage> {
        self.cached_rows(id, PAGE, &move |conversation, timeline| {
            if let Some(position) = position {
                return Some((timeline.run_around(position)?, Seq(position.0 - PAGE / 2)));
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
        self.cached_rows(id, most, &move |_, timeline| {
            let run = timeline.newest_run()?;
            Some((run, Seq(run.last().0 - most + 1)))
        })
    }

    /// Returns at most `most` messages of the run, from the seq on, both chosen by `choose`.
    fn cached_rows(&self, id: ConversationId, most: i64, choose: &ChooseRun) -> Option<FirstPage> {
        let conversation = self.summary(id)?;
        let page = self.cache.with_value(|cache| {
            let timeline = cache.timelines.get(&id)?;
            let (run, from) = choose(&conversation, timeline)?;
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
    pub(crate) fn cached_runs(&self) -> Vec<(ConversationId, (Seq, Seq))> {
        self.cache.with_value(|cache| {
            let timelines = cache.timelines.iter();
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
        self.cache.update_value(|cache| {
            if let Some(open) = cache.open.as_mut() {
                open.reset();
                open.lacks_rows = true;
            }
        });
        self.project_if_open(id);
        Some(open)
    }

    /// Opens a conversation at its cached messages: around a seq if that is cached, else the
    /// newest. Newer messages are fetched when the connection is back.
    pub fn open_cached(
        &self,
        id: ConversationId,
        position: Option<Seq>,
    ) -> Option<OpenConversation> {
        let around = position.and_then(|position| self.first_page_from_memory(id, Some(position)));
        if let Some(around) = around {
            return Some(self.open(&around));
        }
        let open = self.open(&self.newest_rows(id, PAGE)?);
        self.cache.update_value(|cache| {
            if let Some(open) = cache.open.as_mut() {
                open.follows = true;
            }
        });
        Some(open)
    }
}

/// Chooses a run and a seq in it.
type ChooseRun = dyn for<'a> Fn(&Conversation, &'a Timeline) -> Option<(&'a Run, Seq)>;
