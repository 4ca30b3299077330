//! The list of conversations: taking in its pages, its order, and what is unread in all of it.

use std::collections::BinaryHeap;

use leptos::prelude::*;
use protocol::limits::MAX_UNREAD_ELSEWHERE;
use protocol::{Conversation, ConversationId, ConversationPage, ListCursor, Seq};

use super::{Held, State};

impl State {
    /// Counts the messages that wait for me, in all conversations: by their entries where the list
    /// holds them, and otherwise as the server counted. The counter owns what it reads: the server
    /// asks it for the title when the page is rendered and may be gone.
    pub fn unread_counter(&self) -> impl Fn() -> u32 + Send + Sync + 'static {
        let (list, held) = (ArcRwSignal::from(self.list), ArcStoredValue::from(self.held));
        let elsewhere = ArcRwSignal::from(self.unread_elsewhere);
        move || {
            let unread = |id: &ConversationId| {
                let entry = held.with_value(|held| held.entries.get(id).cloned());
                entry.map(|entry| entry.summary.with(|summary| summary.unread))
            };
            list.with(|list| {
                let elsewhere: u32 = elsewhere.with(|elsewhere| {
                    let behind = elsewhere.iter().filter(|it| !list.contains(&it.id));
                    behind.map(|it| it.unread).sum()
                });
                elsewhere + list.iter().filter_map(unread).sum::<u32>()
            })
        }
    }

    /// Takes in a page of the list.
    pub fn adopt_list(&self, page: ConversationPage, is_first: bool) {
        let anew = is_first
            && self
                .held
                .try_update_value(|held| std::mem::take(&mut held.anew))
                .unwrap_or_default();
        if anew || !is_first || self.list.with_untracked(Vec::is_empty) {
            self.list_has_more.set(page.has_more);
        }
        if is_first {
            self.unread_elsewhere.set(page.unread_elsewhere);
        }
        let end = page.conversations.last();
        let end = end.map(|last| ListCursor { active_at: last.active_at, id: last.id });
        let deeper = |one: ListCursor, other: ListCursor| {
            if (one.active_at, one.id) < (other.active_at, other.id) { one } else { other }
        };
        self.held.update_value(|held| {
            held.list_end = match (held.list_end, end) {
                (Some(held), Some(end)) => Some(deeper(held, end)),
                (held, end) => held.or(end),
            };
        });
        for conversation in page.conversations {
            self.held.update_value(|held| {
                held.listed.insert(conversation.id);
            });
            self.adopt_quietly(conversation);
        }
        if anew {
            // What the store does not have any more. The open one is asked about by itself.
            self.held.update_value(|Held { entries, listed, open, .. }| {
                let open = open.as_ref().map(|open| open.id);
                entries.retain(|id, _| listed.contains(id) || open == Some(*id));
            });
        }
        self.sort_list();
        // The peer may have read on while nobody told this page.
        self.project_open();
    }

    /// Lowers what entries behind the first page of the list count as unread to what the server counted
    /// there, because other pages of this person may have read on. `behind` is what was known of these
    /// before the server was asked: an entry that got a message meanwhile is right.
    pub fn lower_unread(&self, behind: &[(ConversationId, Seq)]) {
        let elsewhere = self.unread_elsewhere.get_untracked();
        if elsewhere.len() >= MAX_UNREAD_ELSEWHERE {
            return;
        }
        for (id, last_seq) in behind {
            let Some(entry) = self.entry(*id) else { continue };
            let counted = elsewhere.iter().find(|it| it.id == *id).map_or(0, |it| it.unread);
            let is_over =
                |summary: &Conversation| summary.last_seq == *last_seq && counted < summary.unread;
            if entry.summary.with_untracked(is_over) {
                entry.summary.update(|summary| summary.unread = counted);
            }
        }
    }

    /// Where the list goes on: behind the pages that were read. Older entries that came one by one,
    /// as the open conversation or by an event, have others before them that were not loaded.
    pub fn list_cursor(&self) -> Option<ListCursor> {
        self.held.with_value(|held| held.list_end)
    }

    /// Puts the list in order. Until the page is live it holds only what the reading of the list
    /// named: the open conversation is read beside it, on the server and in the browser in either
    /// order, and both must render the same.
    pub(crate) fn sort_list(&self) {
        let live = self.live.get_untracked();
        // A heap, because the code of a general sort is large.
        let order: BinaryHeap<_> = self.held.with_value(|held| {
            let shown = held.entries.iter().filter(|(id, _)| live || held.listed.contains(id));
            shown
                .map(|(_, entry)| &entry.summary)
                .map(|summary| summary.with_untracked(|summary| (summary.active_at, summary.id)))
                .collect()
        });
        let order: Vec<ConversationId> =
            order.into_sorted_vec().into_iter().rev().map(|(_, id)| id).collect();
        if self.list.with_untracked(|list| *list != order) {
            self.list.set(order);
        }
    }
}
