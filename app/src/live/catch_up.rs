//! Reading what was missed. The same reads that open a page and scroll back; there is no second
//! mechanism. Browser only; the connection calls it after each `hello`, and events that leave a
//! gap call it too.

use std::collections::HashSet;

use leptos::prelude::*;
use leptos::task::spawn_local;
use protocol::{ClientFrame, ConversationId};

use super::marks;
use super::summary::Known;
use crate::server_fns::{get_conversation, list_conversations, load_history};
use crate::state::State;

/// Reads the list and what the open conversation lacks, and says what has arrived.
pub async fn catch_up(state: State) {
    if let Ok(page) = list_conversations(None).await {
        for conversation in &page.conversations {
            // Marks that were said into a connection that died are said again.
            if let Some(held) = state.summary(conversation.id)
                && held.mine.read > conversation.mine.read
                && held.mine.read <= conversation.last_seq
            {
                let up_to = held.mine.read;
                state.say(ClientFrame::Read { conversation: conversation.id, up_to });
            }
        }
        let listed: HashSet<_> = page.conversations.iter().map(|listed| listed.id).collect();
        state.adopt_list(page, true);
        // The open conversation may be too old for the first page of the list.
        if let Some(open) = state.open_conversation()
            && !listed.contains(&open.id)
            && let Ok(conversation) = get_conversation(open.id).await
        {
            state.adopt(conversation);
        }
    }
    for id in state.list.get_untracked() {
        marks::deliver(state, id);
    }
    fill(state).await;
}

/// Fetches what is missing between the open conversation's last row and its newest message.
pub async fn fill(state: State) {
    // One at a time: the one that runs sees whatever is missing when it comes to it.
    if state.filling.get_value() {
        return;
    }
    state.filling.set_value(true);
    let mut before = None;
    while let Some((id, cursor)) = state.missing_newer() {
        // The same page twice brings nothing new: never loop.
        if before == Some((id, cursor)) {
            break;
        }
        before = Some((id, cursor));
        match load_history(id, cursor).await {
            Ok(page) => state.merge_page(&page),
            Err(_) => break,
        }
    }
    state.filling.set_value(false);
}

/// After an event: reads the entry again when it is not known exactly, fills a hole in the open
/// conversation, and says that the message has arrived.
pub fn after_event(state: State, id: ConversationId, known: Known) {
    if known == Known::Inexactly {
        spawn_local(async move {
            if let Ok(conversation) = get_conversation(id).await {
                state.adopt(conversation);
                marks::deliver(state, id);
            }
        });
    } else {
        marks::deliver(state, id);
    }
    if state.missing_newer().is_some() {
        spawn_local(fill(state));
    }
}
