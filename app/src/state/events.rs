//! What events and pages of history do to the store. Each is applied once, in the order of arrival,
//! by the live client; the rules are in [`crate::live::summary`] and [`crate::live::timeline`].

use leptos::prelude::*;
use protocol::{
    ClientId, ConversationId, HistoryPage, Marks, Message, Presence, Sent, User, UserId,
};

use super::{State, set_if_changed};
use crate::live::summary::{self, Known};

/// What has to be done after an event was applied, by whoever can reach the server.
#[derive(Clone, Copy, Debug)]
#[must_use]
pub struct Applied {
    /// Whether the conversation's entry is known exactly, or must be read again.
    pub known: Known,
    /// The message of the outbox that this answered.
    pub settled: Option<ClientId>,
    /// Whether it was not known before. What is told twice is announced once.
    pub is_news: bool,
}

impl State {
    /// Applies a message: the peer's, or my own from this tab or another.
    pub fn apply_message(&self, message: &Message) -> Applied {
        let id = message.conversation;
        let mine = self.is_me(message.sender);
        let is_news = !self.knows(message);
        let known = match (self.entry(id), self.me()) {
            (Some(entry), Some(me)) => {
                let mut summary = entry.summary.get_untracked();
                let known = summary::apply_message(&mut summary, message, me.id);
                set_if_changed(&entry.summary, summary);
                if !mine {
                    entry.typing.set(false);
                }
                known
            }
            _ => Known::Inexactly,
        };
        let settled = self
            .held
            .try_update_value(|held| {
                if let Some(timeline) = held.timelines.get_mut(&id) {
                    timeline.merge(message.clone());
                }
                mine.then(|| held.outbox.settle(message.client_id))?.map(|entry| entry.client_id)
            })
            .flatten();
        if is_news && !mine {
            self.hear(message);
        }
        self.sort_list();
        self.project_if_open(id);
        Applied { known, settled, is_news }
    }

    /// Whether a message was heard of before: where its conversation is held, whether it is there.
    fn knows(&self, message: &Message) -> bool {
        let id = message.conversation;
        let held = self.held.with_value(|held| {
            let timeline = held.timelines.get(&id)?;
            Some(timeline.run_around(message.seq).is_some())
        });
        held.unwrap_or_else(|| self.summary(id).is_some_and(|held| held.last_seq >= message.seq))
    }

    /// Applies the answer to a send of this tab.
    pub fn apply_sent(&self, sent: Sent) -> Applied {
        let body = self
            .held
            .with_value(|held| held.outbox.get(sent.client_id).map(|entry| entry.body.clone()));
        match (body, self.me()) {
            (Some(body), Some(me)) => self.apply_message(&Message {
                conversation: sent.conversation,
                seq: sent.seq,
                client_id: sent.client_id,
                sender: me.id,
                body,
                sent_at: sent.sent_at,
            }),
            _ => Applied { known: self.know_of(sent), settled: None, is_news: false },
        }
    }

    /// Learns that a message exists whose words are not at hand any more. Mostly it came itself
    /// over another way; if not, it is read.
    fn know_of(&self, sent: Sent) -> Known {
        let held = self.held.try_update_value(|held| {
            let timeline = held.timelines.get_mut(&sent.conversation)?;
            timeline.note_last(sent.seq);
            timeline.run_around(sent.seq).map(|_| ())
        });
        if held.flatten().is_some() { Known::Exactly } else { Known::Inexactly }
    }

    /// Applies moved marks.
    pub fn apply_receipt(&self, id: ConversationId, user: UserId, marks: Marks) -> Known {
        let Some(entry) = self.entry(id) else { return Known::Inexactly };
        let mut summary = entry.summary.get_untracked();
        let known = summary::apply_receipt(&mut summary, user, marks);
        set_if_changed(&entry.summary, summary);
        self.project_if_open(id);
        known
    }

    /// Applies that a person came or went.
    pub fn apply_presence(&self, user: UserId, presence: Presence) {
        for entry in self.held.with_value(|held| held.entries.values().cloned().collect::<Vec<_>>())
        {
            let mut summary = entry.summary.get_untracked();
            if summary.peer.user.id == user {
                entry.presence_told.set_value(true);
                summary.peer.presence = presence;
                set_if_changed(&entry.summary, summary);
                if !presence.online {
                    entry.typing.set(false);
                }
            }
        }
    }

    /// Applies that a person, perhaps oneself, has another name now.
    pub fn apply_user(&self, user: &User) {
        if self.is_me(user.id) {
            self.me.set(Some(user.clone()));
        }
        for entry in self.held.with_value(|held| held.entries.values().cloned().collect::<Vec<_>>())
        {
            let mut summary = entry.summary.get_untracked();
            if summary.peer.user.id == user.id {
                summary.peer.user = user.clone();
                set_if_changed(&entry.summary, summary);
            }
        }
    }

    /// Merges a page of history. The page may show that the entry is out of date: then the entry
    /// must be read again, because the page alone cannot count what is unread.
    pub fn merge_page(&self, page: &HistoryPage) -> Known {
        let mut known = Known::Exactly;
        self.held.update_value(|held| {
            held.timelines.entry(page.conversation).or_default().merge_page(page);
        });
        if let (Some(entry), Some(me)) = (self.entry(page.conversation), self.me()) {
            let mut summary = entry.summary.get_untracked();
            let peer = summary.peer.user.id;
            // The counts belong to the entry's own reading; only the marks are taken from here.
            _ = summary::apply_receipt(&mut summary, peer, page.theirs);
            summary::advance(&mut summary.mine, page.mine);
            if let Some(message) = page.messages.last() {
                known = summary::apply_message(&mut summary, message, me.id);
            }
            if page.last_seq > summary.last_seq {
                known = Known::Inexactly;
            }
            set_if_changed(&entry.summary, summary);
        }
        self.project_if_open(page.conversation);
        known
    }
}
