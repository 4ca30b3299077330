//! Applies events and pages of history to the state. The live client applies each event once, in
//! the order of arrival. The rules are in [`crate::live::summary`] and [`crate::live::timeline`].

use leptos::prelude::*;
use protocol::{
    ClientId, Conversation, ConversationId, HistoryPage, Marks, Message, Presence, Sent, Timestamp,
    User, UserId,
};

use super::{State, set_if_changed};
use crate::live::summary::{self, Freshness};

/// Follow-up that the caller must do after applying an event.
#[derive(Clone, Copy, Debug)]
#[must_use]
pub struct Applied {
    /// Whether the conversation's entry is exact or must be fetched again.
    pub freshness: Freshness,
    /// The outbox message that the event settled.
    pub settled: Option<ClientId>,
    /// Whether the message is new. A repeated message is announced once.
    pub is_news: bool,
}

impl State {
    /// Applies a message from the peer, from this tab or from another tab of the user.
    pub fn apply_message(&self, message: &Message) -> Applied {
        let id = message.conversation;
        let mine = self.is_me(message.sender);
        let is_news = !self.has_message(message);
        let is_behind = self.is_behind(message);
        let freshness = match (self.entry(id), self.me()) {
            (Some(entry), Some(me)) => {
                let mut summary = entry.summary.get_untracked();
                let grows = message.seq > summary.last_seq;
                let returns = !mine && grows && summary.standing.unlisted;
                let freshness = summary::apply_message(&mut summary, message, me.id);
                if grows && let Some(above) = self.key_above_the_others(id) {
                    summary.active_at = above.max(message.sent_at);
                }
                set_if_changed(&entry.summary, summary);
                if !mine {
                    entry.typing.set(false);
                }
                // A deleted request returns with the next message, and only the server counts.
                if is_behind || returns { Freshness::Outdated } else { freshness }
            }
            _ => Freshness::Outdated,
        };
        let settled = self
            .cache
            .try_update_value(|cache| {
                if let Some(timeline) = cache.timelines.get_mut(&id) {
                    cache.contradicted |= timeline.contradicts(message);
                    timeline.merge(message.clone());
                }
                mine.then(|| cache.outbox.settle(message.client_id))?.map(|entry| entry.client_id)
            })
            .flatten();
        if is_news && !mine {
            self.receive(message);
        }
        self.sort_list();
        self.project_if_open(id);
        Applied { freshness, settled, is_news }
    }

    /// Returns a sort key above the top entry of the list, for a conversation with a new message. The
    /// top entry may have a later time than this message, from a clock that was ahead. `None` if the
    /// conversation is at the top: it keeps its key, as in the store.
    fn key_above_the_others(&self, id: ConversationId) -> Option<Timestamp> {
        let top = self.list.with_untracked(|list| list.first().copied());
        if top == Some(id) {
            return None;
        }
        let top = top.and_then(|top| self.summary(top));
        Some(top.map_or(Timestamp(0), |top| Timestamp(top.active_at.0.saturating_add(1))))
    }

    /// Returns whether the message arrived before: it is in the timeline, or, without a timeline,
    /// its seq is not after the entry's last.
    fn has_message(&self, message: &Message) -> bool {
        let id = message.conversation;
        let in_timeline = self.cache.with_value(|cache| {
            let timeline = cache.timelines.get(&id)?;
            Some(timeline.run_around(message.seq).is_some())
        });
        in_timeline
            .unwrap_or_else(|| self.summary(id).is_some_and(|entry| entry.last_seq >= message.seq))
    }

    /// Returns whether the message's seq is not after the entry's last, in a conversation without a
    /// timeline, and the message is not that last one. The message is a repeat, or the store was
    /// restored from a backup.
    fn is_behind(&self, message: &Message) -> bool {
        let id = message.conversation;
        let has_timeline = self.cache.with_value(|cache| cache.timelines.contains_key(&id));
        let is_behind = |known: Conversation| {
            let is_last = known.last.is_some_and(|last| last.client_id == message.client_id);
            message.seq <= known.last_seq && !is_last
        };
        !has_timeline && self.summary(id).is_some_and(is_behind)
    }

    /// Applies the acknowledgement of a message that this tab sent.
    pub fn apply_sent(&self, sent: Sent) -> Applied {
        let body = self
            .cache
            .with_value(|cache| cache.outbox.get(sent.client_id).map(|entry| entry.body.clone()));
        match (body, self.me()) {
            (Some(body), Some(me)) => self.apply_message(&Message {
                conversation: sent.conversation,
                seq: sent.seq,
                client_id: sent.client_id,
                sender: me.id,
                body,
                sent_at: sent.sent_at,
            }),
            _ => Applied { freshness: self.note_sent(sent), settled: None, is_news: false },
        }
    }

    /// Records a stored message whose body this tab no longer has. Usually the message arrived as
    /// an event; otherwise it must be fetched.
    fn note_sent(&self, sent: Sent) -> Freshness {
        let in_timeline = self.cache.try_update_value(|cache| {
            let timeline = cache.timelines.get_mut(&sent.conversation)?;
            timeline.note_last(sent.seq);
            timeline.run_around(sent.seq).map(|_| ())
        });
        if in_timeline.flatten().is_some() { Freshness::Current } else { Freshness::Outdated }
    }

    /// Applies a receipt.
    pub fn apply_receipt(&self, id: ConversationId, user: UserId, marks: Marks) -> Freshness {
        let Some(entry) = self.entry(id) else { return Freshness::Outdated };
        let mut summary = entry.summary.get_untracked();
        let freshness = summary::apply_receipt(&mut summary, user, marks);
        set_if_changed(&entry.summary, summary);
        self.project_if_open(id);
        freshness
    }

    /// Applies a presence event.
    pub fn apply_presence(&self, user: UserId, presence: Presence) {
        for entry in
            self.cache.with_value(|cache| cache.entries.values().cloned().collect::<Vec<_>>())
        {
            let mut summary = entry.summary.get_untracked();
            if summary.peer.user.id == user {
                entry.presence_received.set_value(true);
                summary.peer.presence = presence;
                set_if_changed(&entry.summary, summary);
                if !presence.online {
                    entry.typing.set(false);
                }
            }
        }
    }

    /// Applies a changed name of the peer or of the page's user.
    pub fn apply_user(&self, user: &User) {
        if self.is_me(user.id) {
            self.me.set(Some(user.clone()));
        }
        for entry in
            self.cache.with_value(|cache| cache.entries.values().cloned().collect::<Vec<_>>())
        {
            let mut summary = entry.summary.get_untracked();
            if summary.peer.user.id == user.id {
                summary.peer.user = user.clone();
                set_if_changed(&entry.summary, summary);
            }
        }
    }

    /// Merges a page of history. If the page shows that the entry is outdated, the entry must be
    /// fetched again, because a page cannot determine the unread count.
    pub fn merge_page(&self, page: &HistoryPage) -> Freshness {
        let mut freshness = Freshness::Current;
        self.cache.update_value(|cache| {
            let timeline = cache.timelines.entry(page.conversation).or_default();
            cache.contradicted |= page.messages.iter().any(|message| timeline.contradicts(message));
            timeline.merge_page(page);
            if let Some(open) = cache.open.as_mut() {
                open.anchor_at_newest(page);
            }
        });
        if let (Some(entry), Some(me)) = (self.entry(page.conversation), self.me()) {
            let mut summary = entry.summary.get_untracked();
            let peer = summary.peer.user.id;
            // The unread count comes with the entry; only the marks are taken from the page.
            _ = summary::apply_receipt(&mut summary, peer, page.theirs);
            summary::advance(&mut summary.mine, page.mine);
            if let Some(message) = page.messages.last() {
                freshness = summary::apply_message(&mut summary, message, me.id);
            }
            if page.last_seq > summary.last_seq {
                freshness = Freshness::Outdated;
            }
            set_if_changed(&entry.summary, summary);
        }
        self.project_if_open(page.conversation);
        freshness
    }
}
