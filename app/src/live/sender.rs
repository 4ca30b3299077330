//! Sends the outbox over the socket, or over HTTP when the socket has been away for a while.
//!
//! A repeated send is harmless, because the server answers a known id with its first answer. A
//! message whose arrival is uncertain is therefore sent again unchanged. Browser only.

use std::time::Duration;

use leptos::prelude::*;
use leptos::task::spawn_local;
use protocol::{Body, ClientFrame, ClientId, ConversationId, Refusal, Sent, Timestamp};

use super::outbox::UnsentMessage;
use super::rows::Key;
use super::{resync, saving};
use crate::browser::dom::{moment, uptime_ms};
use crate::error::AppError;
use crate::server_fns::send_message;
use crate::state::{Applied, Connection, State};

/// Messages go over HTTP after this long without a socket.
const HTTP_AFTER_MS: i64 = 10_000;

/// The transport available now.
enum Transport {
    Socket,
    Http,
    /// None yet; check again at this time.
    NotBefore(i64),
    /// None until the user signs in or reloads.
    None,
}

/// Takes a new message: stores it, shows it, then sends it.
pub fn send(state: State, conversation: ConversationId, body: Body) {
    let now = moment();
    let mut entry = UnsentMessage {
        client_id: state.read_outbox(|outbox| outbox.next_id(conversation)),
        conversation,
        body: body.into_string(),
        written_at: Timestamp(now.wall_ms),
        refused: None,
        tab: state.client.tab.get_value(),
        unsaved: false,
    };
    entry.unsaved = !saving::put(state, &entry);
    state.with_outbox(|outbox| outbox.add(entry, now));
    saving::show(state);
    pump(state);
}

/// Sends due messages, and schedules itself for the next due time.
pub fn pump(state: State) {
    let now = uptime_ms();
    let transport = transport(state, now);
    if let Transport::NotBefore(at) = transport {
        if !state.outbox_is_empty() {
            pump_later(state, at - now);
        }
        return;
    }
    if matches!(transport, Transport::None) {
        return;
    }
    for entry in state.take_due(now) {
        if matches!(transport, Transport::Http) {
            spawn_local(send_over_http(state, entry));
            continue;
        }
        let client_id = entry.client_id;
        let frame =
            ClientFrame::Send { conversation: entry.conversation, client_id, body: entry.body };
        if !state.client.send_frame(frame) {
            state.with_outbox(|outbox| outbox.unanswered(client_id, now));
        }
    }
    if let Some(at) = state.next_due_ms(now) {
        pump_later(state, at - now);
    }
}

fn transport(state: State, now: i64) -> Transport {
    match (state.connection.get_untracked(), state.client.down_since.get_value()) {
        (Connection::Live, _) => Transport::Socket,
        (Connection::Polling, _) => Transport::Http,
        (Connection::SignedOut | Connection::Outdated | Connection::WrongAddress, _) => {
            Transport::None
        }
        (Connection::Connecting | Connection::TooManyTabs, since) => {
            let from = since.unwrap_or(now) + HTTP_AFTER_MS;
            if from <= now { Transport::Http } else { Transport::NotBefore(from) }
        }
    }
}

/// Returns whether an answer was lost on a connection that appears alive. A new connection repeats
/// the message.
pub fn is_stuck(state: State) -> bool {
    state.with_outbox(|outbox| outbox.is_stuck(uptime_ms())).unwrap_or_default()
}

fn pump_later(state: State, in_ms: i64) {
    let delay = Duration::from_millis(u64::try_from(in_ms.max(50)).unwrap_or(50));
    set_timeout(move || pump(state), delay);
}

async fn send_over_http(state: State, entry: UnsentMessage) {
    let sender = state.me().map(|me| me.id);
    let client_id = entry.client_id;
    match send_message(entry.conversation, client_id, entry.body, sender).await {
        Ok(sent) => on_sent(state, sent),
        Err(AppError::Refused(refusal)) => on_refused(state, client_id, refusal),
        Err(AppError::Unreached) => {
            state.with_outbox(|outbox| outbox.unanswered(client_id, uptime_ms()));
            pump(state);
        }
    }
}

/// Handles an acknowledgement.
pub fn on_sent(state: State, sent: Sent) {
    let applied = state.apply_sent(sent);
    // If the message arrived as an event before, only the entry remains to be removed.
    state.settle(sent.client_id);
    saving::remove(state, sent.client_id);
    on_applied(state, sent.conversation, applied);
    pump(state);
}

/// Handles a refusal.
pub fn on_refused(state: State, client_id: ClientId, refusal: Refusal) {
    let changed = state.with_outbox(|outbox| outbox.refuse(client_id, refusal, uptime_ms()));
    if let Some(entry) = changed.flatten() {
        keep(state, &entry);
    }
    pump(state);
}

/// Stores a changed entry.
fn keep(state: State, entry: &UnsentMessage) {
    let is_kept = saving::put(state, entry);
    state.with_outbox(|outbox| outbox.note_saved(entry.client_id, is_kept));
    saving::show(state);
}

/// Follows up an applied message: removes it from the storage and fetches gaps.
pub fn on_applied(state: State, conversation: ConversationId, applied: Applied) {
    if let Some(client_id) = applied.settled {
        saving::remove(state, client_id);
        pump(state);
    }
    resync::after_event(state, conversation, applied.freshness);
}

/// Sends a refused message again at the user's request.
pub fn retry(state: State, key: Key) {
    if let Some(entry) = state.with_outbox(|outbox| outbox.retry(key.client_id)).flatten() {
        keep(state, &entry);
    }
    pump(state);
}

/// Deletes an unsent message at the user's request.
pub fn delete(state: State, key: Key) {
    state.settle(key.client_id);
    saving::remove(state, key.client_id);
    pump(state);
}
