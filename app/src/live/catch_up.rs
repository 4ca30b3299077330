//! Reading what was missed. The same reads that open a page and scroll back; there is no second
//! mechanism. Browser only; the connection calls it after each `hello`, and events that leave a
//! gap call it too.

use gloo_timers::future::TimeoutFuture;
use leptos::prelude::*;
use leptos::task::spawn_local;
use protocol::{ConversationId, Seq};

use super::marks;
use super::summary::Known;
use crate::attention;
use crate::error::AppError;
use crate::server_fns::{get_conversation, list_conversations, load_history, mark_conversation};
use crate::state::State;

/// How long to wait before what could not be read is read again.
const AGAIN_MS: u32 = 2_000;

/// Reads the list and what the open conversation lacks, and says what has arrived. What cannot be
/// read just now is read a little later, as long as there is a connection.
pub async fn catch_up(state: State) {
    let read = read_entries(state).await;
    for id in state.list.get_untracked() {
        marks::deliver(state, id);
    }
    let filled = fill(state).await;
    if read.is_err() || filled.is_err() {
        spawn_local(async move {
            TimeoutFuture::new(AGAIN_MS).await;
            if state.link.with_value(Option::is_some) {
                catch_up(state).await;
            }
        });
    }
}

/// Reads the first page of the list, and the open conversation's entry if it is not on it.
async fn read_entries(state: State) -> Result<(), AppError> {
    let page = list_conversations(None).await?;
    let mut read_further = Vec::new();
    for conversation in &page.conversations {
        if let Some(held) = state.summary(conversation.id)
            && held.mine.read > conversation.mine.read
            && held.mine.read <= conversation.last_seq
        {
            read_further.push((conversation.id, held.mine));
        }
    }
    // Told as what comes live is; what this page knew already is no news.
    let news = page.conversations.iter().filter(|listed| {
        let known = state.summary(listed.id).map_or(Seq::ZERO, |held| held.last_seq);
        listed.unread > 0 && listed.last_seq > known
    });
    let news: Vec<_> = news.filter_map(|listed| listed.last.clone()).collect();
    let open = state.open_conversation().map(|open| open.id);
    let open = open.filter(|open| page.conversations.iter().all(|listed| listed.id != *open));
    state.adopt_list(page, true);
    for message in &news {
        attention::arrived(state, message);
    }
    // The open conversation may be too old for the first page of the list.
    if let Some(id) = open {
        state.adopt(get_conversation(id).await?);
    }
    // Marks that were said into a connection that died are said again; then the count is exact.
    for (id, mine) in read_further {
        mark_conversation(id, mine.delivered, mine.read).await?;
        state.adopt(get_conversation(id).await?);
    }
    Ok(())
}

/// Fetches what is missing between the open conversation's last row and its newest message.
pub async fn fill(state: State) -> Result<(), AppError> {
    // One at a time: the one that runs sees whatever is missing when it comes to it.
    if state.filling.get_value() {
        return Ok(());
    }
    state.filling.set_value(true);
    let (mut before, mut filled) = (None, Ok(()));
    while let Some((id, cursor)) = state.missing_newer() {
        // The same page twice brings nothing new: never loop.
        if before == Some((id, cursor)) {
            break;
        }
        before = Some((id, cursor));
        match load_history(id, cursor).await {
            Ok(page) => after_page(state, id, state.merge_page(&page)).await,
            Err(error) => {
                filled = Err(error);
                break;
            }
        }
    }
    state.filling.set_value(false);
    filled
}

/// After a page of history: reads the entry again when the page shows that it is out of date.
pub async fn after_page(state: State, id: ConversationId, known: Known) {
    if known == Known::Inexactly
        && let Ok(conversation) = get_conversation(id).await
    {
        state.adopt(conversation);
        marks::deliver(state, id);
    }
}

/// After an event: reads the entry again when it is not known exactly, fills a hole in the open
/// conversation, and says that the message has arrived.
pub fn after_event(state: State, id: ConversationId, known: Known) {
    if known == Known::Inexactly {
        spawn_local(after_page(state, id, known));
    } else {
        marks::deliver(state, id);
    }
    if state.missing_newer().is_some() {
        spawn_local(async move {
            // What could not be read is missing still, and the next event or connection asks anew.
            _ = fill(state).await;
        });
    }
}
