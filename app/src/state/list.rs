//! The list of conversations: its pages, its order and its unread count.

use std::collections::BinaryHeap;

use leptos::prelude::*;
use protocol::limits::MAX_UNREAD_ELSEWHERE;
use protocol::{Conversation, ConversationId, ConversationPage, ListCursor, Seq};

use super::{Cache, ConversationSignals, State};
use crate::time::TimeContext;

impl State {
    /// Counts the user's unread messages in all conversations that are not muted or blocked, from the
    /// entries in the list and from the server's counts for the rest. The counter owns its signals, because the server
    /// calls it for the title when the page's owner may be disposed.
    pub fn unread_counter(&self) -> impl Fn() -> u32 + Send + Sync + 'static {
        let (list, cache) = (ArcRwSignal::from(self.list), ArcStoredValue::from(self.cache));
        let elsewhere = ArcRwSignal::from(self.unread_elsewhere);
        let time = ArcRwSignal::from(self.time_context);
        move || {
            let now = time.with(TimeContext::now);
            let counted = |summary: &Conversation| match summary.standing.is_quiet(now) {
                true => 0,
                false => summary.unread,
            };
            let unread = |id: &ConversationId| {
                let entry = cache.with_value(|cache| cache.entries.get(id).cloned());
                entry.map(|entry| entry.summary.with(counted))
            };
            list.with(|list| {
                let elsewhere: u32 = elsewhere.with(|elsewhere| {
                    let behind = elsewhere.iter().filter(|count| !list.contains(&count.id));
                    behind.map(|count| count.unread).sum()
                });
                elsewhere + list.iter().filter_map(unread).sum::<u32>()
            })
        }
    }

    /// Returns the display names that several peers in the list have, so that pages show their
    /// usernames as well. Deleted accounts have no name.
    pub fn shared_names(&self) -> Vec<String> {
        let name = |conversation: &Conversation| conversation.peer.user.display_name.clone();
        let entries: Vec<ConversationSignals> =
            self.list.with(|list| list.iter().filter_map(|id| self.entry(*id)).collect());
        let names: Vec<String> = entries.iter().map(|entry| entry.summary.with(name)).collect();
        let is_shared = |(at, name): &(usize, &String)| {
            !name.is_empty() && names.iter().skip(at + 1).any(|other| other == *name)
        };
        names.iter().enumerate().filter(is_shared).map(|(_, name)| name.clone()).collect()
    }

    /// Merges a page of the list.
    pub fn adopt_list(&self, page: ConversationPage, is_first: bool) {
        let was_reset = is_first
            && self
                .cache
                .try_update_value(|cache| std::mem::take(&mut cache.was_reset))
                .unwrap_or_default();
        if was_reset || !is_first || self.list.with_untracked(Vec::is_empty) {
            self.list_has_more.set(page.has_more);
        }
        if is_first {
            self.unread_elsewhere.set(page.unread_elsewhere);
            self.requests_count.set(page.requests);
        }
        let end = page.conversations.last();
        let end = end.map(|last| ListCursor { active_at: last.active_at, id: last.id });
        let deeper = |left: ListCursor, right: ListCursor| {
            if (left.active_at, left.id) < (right.active_at, right.id) { left } else { right }
        };
        self.cache.update_value(|cache| {
            cache.list_end = match (cache.list_end, end) {
                (Some(before), Some(end)) => Some(deeper(before, end)),
                (before, end) => before.or(end),
            };
        });
        for conversation in page.conversations {
            self.cache.update_value(|cache| {
                cache.listed.insert(conversation.id);
            });
            self.adopt_quietly(conversation);
        }
        if was_reset {
            // Remove conversations that the new store lacks. The open one is fetched separately.
            self.cache.update_value(|Cache { entries, listed, open, .. }| {
                let open = open.as_ref().map(|open| open.id);
                entries.retain(|id, _| listed.contains(id) || open == Some(*id));
            });
        }
        self.sort_list();
        // The marks of the open conversation may have changed.
        self.project_open();
    }

    /// Adds a page of requests, which are in a list of their own.
    pub fn adopt_requests(&self, page: ConversationPage) {
        for conversation in page.conversations {
            self.cache.update_value(|cache| {
                cache.listed.insert(conversation.id);
            });
            self.adopt_quietly(conversation);
        }
        self.sort_list();
    }

    /// Lowers the unread counts of entries beyond the first page of the list to the server's
    /// counts, because the user may have read in other tabs or devices. `behind` holds the last seq
    /// of each entry before the request; an entry that grew since then keeps its count.
    pub fn lower_unread(&self, behind: &[(ConversationId, Seq)]) {
        let elsewhere = self.unread_elsewhere.get_untracked();
        if elsewhere.len() >= MAX_UNREAD_ELSEWHERE {
            return;
        }
        for (id, last_seq) in behind {
            let Some(entry) = self.entry(*id) else { continue };
            let counted =
                elsewhere.iter().find(|count| count.id == *id).map_or(0, |count| count.unread);
            let is_over =
                |summary: &Conversation| summary.last_seq == *last_seq && counted < summary.unread;
            if entry.summary.with_untracked(is_over) {
                entry.summary.update(|summary| summary.unread = counted);
            }
        }
    }

    /// Returns the cursor of the next page of the list. Entries that came from an event or the open
    /// conversation do not move it, because entries before them may not be fetched yet.
    pub fn list_cursor(&self) -> Option<ListCursor> {
        self.cache.with_value(|cache| cache.list_end)
    }

    /// Sorts the list. Until the page is live it contains only entries from fetched pages. The open
    /// conversation is fetched independently, in either order on server and browser, and both must
    /// render the same list.
    pub(crate) fn sort_list(&self) {
        let live = self.live.get_untracked();
        // A heap, because a general sort adds more code to the WebAssembly.
        let (mut listed, mut requests) = (BinaryHeap::new(), BinaryHeap::new());
        self.cache.with_value(|cache| {
            let shown = cache.entries.iter().filter(|(id, _)| live || cache.listed.contains(id));
            for (_, entry) in shown {
                entry.summary.with_untracked(|summary| {
                    let key = (summary.active_at, summary.id);
                    if summary.standing.is_listed() {
                        listed.push(key);
                    } else if summary.standing.request {
                        requests.push(key);
                    }
                });
            }
        });
        for (signal, order) in [(self.list, listed), (self.requests, requests)] {
            let order: Vec<ConversationId> =
                order.into_sorted_vec().into_iter().rev().map(|(_, id)| id).collect();
            if signal.with_untracked(|list| *list != order) {
                signal.set(order);
            }
        }
    }
}
