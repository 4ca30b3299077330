//! Resync: fetches messages and list entries that the page missed, with the same server functions
//! that open a page and load history. Browser only. `connection` calls it after each `hello`;
//! events that reveal a gap call it too.

use gloo_timers::future::TimeoutFuture;
use leptos::prelude::*;
use leptos::task::spawn_local;
use protocol::{ConversationId, ConversationPage, ErrorCode, Seq};

use super::marks;
use super::summary::Freshness;
use crate::error::AppError;
use crate::notifications;
use crate::server_fns::{get_conversation, list_conversations, load_history, mark_conversation};
use crate::state::State;

/// Delay before a failed fetch is retried.
const AGAIN_MS: u32 = 2_000;

/// Fetches the list and the missing messages of the open conversation, and sends delivered
/// receipts. A failed fetch is retried later while the connection is open.
pub async fn resync(state: State) {
    let read = read_entries(state).await;
    if restart_if_contradicted(state) {
        return;
    }
    for id in state.list.get_untracked() {
        marks::deliver(state, id);
    }
    let filled = fill(state).await;
    if read.is_err() || filled.is_err() {
        spawn_local(async move {
            TimeoutFuture::new(AGAIN_MS).await;
            if state.client.link.with_value(Option::is_some) {
                resync(state).await;
            }
        });
    }
}

/// Fetches the same data over HTTP while there is no socket. Returns an error when the server does
/// not answer or refuses.
pub async fn over_http(state: State) -> Result<(), AppError> {
    // Presence from the last connection is out of date.
    state.begin_connection();
    read_entries(state).await?;
    if restart_if_contradicted(state) {
        return Ok(());
    }
    for id in state.list.get_untracked() {
        marks::deliver(state, id);
    }
    fill(state).await
}

/// Fetches the first page of the list, and the open conversation's entry if that page lacks it.
async fn read_entries(state: State) -> Result<(), AppError> {
    let mut held = state.last_seqs();
    let page = list_conversations(None).await?;
    if contradicts(&page, &held) {
        state.note_contradiction();
        return Ok(());
    }
    let mut read_further = Vec::new();
    for conversation in &page.conversations {
        if let Some(held) = state.summary(conversation.id)
            && (held.mine.read > conversation.mine.read
                || held.mine.delivered > conversation.mine.delivered)
            && held.mine.delivered <= conversation.last_seq
        {
            read_further.push((conversation.id, held.mine));
        }
    }
    // Messages found here are announced like live messages, unless the page has cached them.
    let news = page.conversations.iter().filter(|listed| {
        let cached = state.summary(listed.id).map_or(Seq::ZERO, |held| held.last_seq);
        // After a reset the page cannot tell which messages are new.
        listed.unread > 0 && listed.last_seq > cached && !state.was_reset()
    });
    let news: Vec<_> = news.filter_map(|listed| listed.last.clone()).collect();
    let open = state.open_conversation().map(|open| open.id);
    let open = open.filter(|open| page.conversations.iter().all(|listed| listed.id != *open));
    let held_of_open = open.and_then(|open| held.iter().find(|(id, _)| *id == open).copied());
    held.retain(|(id, _)| page.conversations.iter().all(|listed| listed.id != *id));
    state.adopt_list(page, true);
    state.lower_unread(&held);
    for message in &news {
        notifications::arrived(state, message);
    }
    // The open conversation may be too old for the first page of the list.
    if let Some(id) = open {
        match get_conversation(id).await {
            Err(error) if error.code() == Some(ErrorCode::NotFound) => {
                is_gone(state);
                return Ok(());
            }
            read => {
                let read = read?;
                if held_of_open.is_some_and(|(_, held)| read.last_seq < held) {
                    state.note_contradiction();
                }
                state.adopt(read);
            }
        }
    }
    // Receipts sent into a dead connection are sent again. Only then is the unread count exact.
    for (id, mine) in read_further {
        mark_conversation(id, mine.delivered, mine.read).await?;
        state.adopt(get_conversation(id).await?);
    }
    Ok(())
}

/// Returns whether the list comes from another store than the page has read before: a conversation
/// has a lower `last_seq`, or a complete list lacks the conversation.
fn contradicts(page: &ConversationPage, held: &[(ConversationId, Seq)]) -> bool {
    held.iter().any(|(id, held)| match page.conversations.iter().find(|read| read.id == *id) {
        Some(read) => read.last_seq < *held,
        None => !page.has_more && *held > Seq::ZERO,
    })
}

/// Handles the loss of the open conversation, which no longer exists: reloads the page, so that the
/// server shows its error page. The draft stays in the browser's storage; without working storage
/// the page does not reload.
fn is_gone(state: State) {
    if state.storage_works.get_untracked() {
        _ = window().location().reload();
    }
}

/// Resets the state and starts a resync if the server's store is not the one that the page has
/// read. This happens when the store was restored from a backup with its old epoch. Returns whether
/// the state was reset.
fn restart_if_contradicted(state: State) -> bool {
    let contradicted = state.take_contradiction();
    if contradicted {
        state.forget();
        spawn_local(resync(state));
    }
    contradicted
}

/// Fetches the messages between the last row of the open conversation and its newest message.
pub async fn fill(state: State) -> Result<(), AppError> {
    // Only one call runs at a time. Its loop also covers gaps that appear while it runs.
    if state.client.filling.get_value() {
        return Ok(());
    }
    let filling = Filling::begin(state);
    let (mut before, mut filled) = (None, Ok(()));
    while let Some((id, cursor)) = state.missing_newer() {
        // The same cursor twice means that the last page added nothing; stop instead of looping.
        if before == Some((id, cursor)) {
            break;
        }
        before = Some((id, cursor));
        let held = state.summary(id).map(|held| held.last_seq);
        match load_history(id, cursor).await {
            Ok(page) => {
                if held.is_some_and(|held| page.last_seq < held) {
                    state.note_contradiction();
                }
                after_page(state, id, state.merge_page(&page)).await;
            }
            Err(error) => {
                // The server itself sent this seq, so a cursor out of range means another store.
                if error.code() == Some(ErrorCode::OutOfRange) {
                    state.note_contradiction();
                }
                filled = Err(error);
                break;
            }
        }
    }
    drop(filling);
    if restart_if_contradicted(state) { Ok(()) } else { filled }
}

/// Guard of the `filling` flag. Dropping it clears the flag, also when the future is cancelled.
struct Filling(State);

impl Filling {
    fn begin(state: State) -> Self {
        state.client.filling.set_value(true);
        Self(state)
    }
}

impl Drop for Filling {
    fn drop(&mut self) {
        self.0.client.filling.set_value(false);
    }
}

/// Fetches the conversation's entry again if a page of history showed that the entry is out of
/// date.
pub async fn after_page(state: State, id: ConversationId, freshness: Freshness) {
    let held = state.summary(id).map(|held| held.last_seq);
    if freshness == Freshness::Outdated
        && let Ok(conversation) = get_conversation(id).await
    {
        if held.is_some_and(|held| conversation.last_seq < held) {
            state.note_contradiction();
        }
        let is_new = state.summary(id).is_none();
        state.adopt(conversation);
        marks::deliver(state, id);
        // The new conversation may be or have been a request, and only the server has the count of
        // requests.
        if is_new && let Ok(page) = list_conversations(None).await {
            state.adopt_list(page, true);
        }
    }
    restart_if_contradicted(state);
}

/// Fetches a conversation whose standing changed. After a block it may have messages that no event
/// brought.
pub fn on_changed(state: State, id: ConversationId) {
    state.expect_change(id);
    spawn_local(async move {
        after_page(state, id, Freshness::Outdated).await;
        // The next event or connection retries a failed fetch.
        _ = fill(state).await;
    });
}

/// Follows up an applied event: fetches an outdated entry again or sends a delivered receipt, and
/// fetches missing messages of the open conversation.
pub fn after_event(state: State, id: ConversationId, freshness: Freshness) {
    if restart_if_contradicted(state) {
        return;
    }
    if freshness == Freshness::Outdated {
        spawn_local(after_page(state, id, freshness));
    } else {
        marks::deliver(state, id);
    }
    if state.missing_newer().is_some() {
        spawn_local(async move {
            // The next event or connection retries a failed fetch.
            _ = fill(state).await;
        });
    }
}
