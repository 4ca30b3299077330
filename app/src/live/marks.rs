//! Sends receipts: "delivered" when a message was applied, in any conversation; "read" when it was
//! shown in a visible, focused window. Browser only.

use gloo_timers::future::TimeoutFuture;
use leptos::prelude::*;
use leptos::task::spawn_local;
use protocol::{ClientFrame, ConversationId, Marks, Refusal, Retry, Seq};

use super::summary::{self, Freshness};
use crate::browser::dom::is_watched;
use crate::server_fns::mark_conversation;
use crate::state::{Connection, State};

/// Sends a delivered receipt up to the newest message of a conversation, unless the server has it.
pub fn deliver(state: State, id: ConversationId) {
    let (Some(me), Some(entry)) = (state.me(), state.summary(id)) else { return };
    let Some(up_to) = summary::undelivered(&entry) else { return };
    // Only messages of the peer need a receipt.
    let from_peer =
        entry.unread > 0 || entry.last.as_ref().is_some_and(|last| last.sender != me.id);
    let marks = Marks { delivered: up_to, read: entry.mine.read };
    if from_peer && send_marks(state, ClientFrame::Delivered { conversation: id, up_to }, id, marks)
    {
        // Only `delivered` moved, so the unread count cannot have changed.
        _ = state.apply_receipt(id, me.id, marks);
    }
}

/// Sends a read receipt up to a seq if the window is focused and there is something unread. Returns
/// whether the entry is still exact if the receipt was sent.
pub fn seen(state: State, id: ConversationId, up_to: Seq) -> Option<Freshness> {
    let (me, entry) = (state.me()?, state.summary(id)?);
    if entry.unread == 0 || up_to <= entry.mine.read || !is_watched() {
        return None;
    }
    let marks = Marks { delivered: up_to, read: up_to };
    send_marks(state, ClientFrame::Read { conversation: id, up_to }, id, marks)
        .then(|| state.apply_receipt(id, me.id, marks))
}

/// Sends a mark over the socket, or over HTTP while polling. Returns whether it was sent. A failed
/// HTTP request is repeated by the next resync, which finds the server's marks behind the page's.
fn send_marks(state: State, frame: ClientFrame, id: ConversationId, marks: Marks) -> bool {
    if state.client.send_frame(frame) {
        return true;
    }
    let by_call = state.connection.get_untracked() == Connection::Polling;
    if by_call {
        spawn_local(async move { _ = mark_conversation(id, marks.delivered, marks.read).await });
    }
    by_call
}

/// Default and longest delay before refused marks are sent again.
const LATER_MS: u64 = 2_000;
const LATEST_MS: u64 = 60_000;

/// Sends the current marks again later, because the server was too busy to take them.
pub fn on_refused(state: State, id: ConversationId, refusal: Refusal) {
    let Some(entry) = state.entry(id) else { return };
    // One pending retry covers all refused marks, because marks are cumulative.
    if refusal.code.retry() != Retry::Later || entry.marks_refused.get_value() {
        return;
    }
    entry.marks_refused.set_value(true);
    let wait = refusal.retry_after_ms.unwrap_or(LATER_MS).min(LATEST_MS);
    spawn_local(async move {
        TimeoutFuture::new(u32::try_from(wait).unwrap_or(0)).await;
        entry.marks_refused.set_value(false);
        let mine = entry.summary.with_untracked(|summary| summary.mine);
        // Without a connection the next resync sends the marks.
        state.client.send_frame(ClientFrame::Delivered { conversation: id, up_to: mine.delivered });
        if mine.read > Seq::ZERO {
            state.client.send_frame(ClientFrame::Read { conversation: id, up_to: mine.read });
        }
    });
}
