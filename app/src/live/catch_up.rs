//! Reading what was missed. The same reads that open a page and scroll back; there is no second
//! mechanism. Browser only; the connection calls it after each `hello`, and events that leave a
//! gap call it too.

use gloo_timers::future::TimeoutFuture;
use leptos::prelude::*;
use leptos::task::spawn_local;
use protocol::{ConversationId, ConversationPage, ErrorCode, Seq};

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
    if starts_anew(state) {
        return;
    }
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

/// Reads the same while there is no socket. It says whether the server answered.
pub async fn without_socket(state: State) -> Result<(), AppError> {
    // What a connection told of presences is out of date.
    state.begin_connection();
    read_entries(state).await?;
    if starts_anew(state) {
        return Ok(());
    }
    for id in state.list.get_untracked() {
        marks::deliver(state, id);
    }
    fill(state).await
}

/// Reads the first page of the list, and the open conversation's entry if it is not on it.
async fn read_entries(state: State) -> Result<(), AppError> {
    let mut held = state.last_seqs();
    let page = list_conversations(None).await?;
    if contradicts(&page, &held) {
        state.doubt();
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
    // Told as what comes live is; what this page knew already is no news.
    let news = page.conversations.iter().filter(|listed| {
        let known = state.summary(listed.id).map_or(Seq::ZERO, |held| held.last_seq);
        // After everything was forgotten nothing tells what is news.
        listed.unread > 0 && listed.last_seq > known && !state.is_anew()
    });
    let news: Vec<_> = news.filter_map(|listed| listed.last.clone()).collect();
    let open = state.open_conversation().map(|open| open.id);
    let open = open.filter(|open| page.conversations.iter().all(|listed| listed.id != *open));
    let held_of_open = open.and_then(|open| held.iter().find(|(id, _)| *id == open).copied());
    held.retain(|(id, _)| page.conversations.iter().all(|listed| listed.id != *id));
    state.adopt_list(page, true);
    state.lower_unread(&held);
    for message in &news {
        attention::arrived(state, message);
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
                    state.doubt();
                }
                state.adopt(read);
            }
        }
    }
    // Marks that were said into a connection that died are said again; then the count is exact.
    for (id, mine) in read_further {
        mark_conversation(id, mine.delivered, mine.read).await?;
        state.adopt(get_conversation(id).await?);
    }
    Ok(())
}

/// Whether the list cannot be of the store that this page has read: it knows less of a conversation,
/// or, where it is whole, nothing.
fn contradicts(page: &ConversationPage, held: &[(ConversationId, Seq)]) -> bool {
    held.iter().any(|(id, held)| match page.conversations.iter().find(|read| read.id == *id) {
        Some(read) => read.last_seq < *held,
        None => !page.has_more && *held > Seq::ZERO,
    })
}

/// The open conversation does not exist any more: the server says so on its page. What was typed is
/// kept in the browser; where that is not possible the page stays as it is.
fn is_gone(state: State) {
    if state.storage_works.get_untracked() {
        _ = window().location().reload();
    }
}

/// Forgets everything and reads it again, if the server's store cannot be the one that this page
/// has read: it was put back from a copy, and did not know that itself.
fn starts_anew(state: State) -> bool {
    let doubted = state.takes_doubt();
    if doubted {
        state.forget();
        spawn_local(catch_up(state));
    }
    doubted
}

/// Fetches what is missing between the open conversation's last row and its newest message.
pub async fn fill(state: State) -> Result<(), AppError> {
    // One at a time: the one that runs sees whatever is missing when it comes to it.
    if state.filling.get_value() {
        return Ok(());
    }
    let filling = Filling::begin(state);
    let (mut before, mut filled) = (None, Ok(()));
    while let Some((id, cursor)) = state.missing_newer() {
        // The same page twice brings nothing new: never loop.
        if before == Some((id, cursor)) {
            break;
        }
        before = Some((id, cursor));
        let held = state.summary(id).map(|held| held.last_seq);
        match load_history(id, cursor).await {
            Ok(page) => {
                if held.is_some_and(|held| page.last_seq < held) {
                    state.doubt();
                }
                after_page(state, id, state.merge_page(&page)).await;
            }
            Err(error) => {
                // The cursor is a place that the server had told.
                if error.code() == Some(ErrorCode::OutOfRange) {
                    state.doubt();
                }
                filled = Err(error);
                break;
            }
        }
    }
    drop(filling);
    if starts_anew(state) { Ok(()) } else { filled }
}

/// That what is missing is being fetched; over when dropped, also by whoever waits no longer.
struct Filling(State);

impl Filling {
    fn begin(state: State) -> Self {
        state.filling.set_value(true);
        Self(state)
    }
}

impl Drop for Filling {
    fn drop(&mut self) {
        self.0.filling.set_value(false);
    }
}

/// After a page of history: reads the entry again when the page shows that it is out of date.
pub async fn after_page(state: State, id: ConversationId, known: Known) {
    let held = state.summary(id).map(|held| held.last_seq);
    if known == Known::Inexactly
        && let Ok(conversation) = get_conversation(id).await
    {
        if held.is_some_and(|held| conversation.last_seq < held) {
            state.doubt();
        }
        state.adopt(conversation);
        marks::deliver(state, id);
    }
    starts_anew(state);
}

/// After an event: reads the entry again when it is not known exactly, fills a hole in the open
/// conversation, and says that the message has arrived.
pub fn after_event(state: State, id: ConversationId, known: Known) {
    if starts_anew(state) {
        return;
    }
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
