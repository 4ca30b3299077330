//! Saying how far this person has come: delivered when a message was applied, whichever
//! conversation is open; read when it was shown in a visible, focused window. Browser only.

use protocol::{ClientFrame, ConversationId, Marks, Seq};

use super::catch_up;
use super::summary;
use crate::dom::is_watched;
use crate::state::State;

/// Says that everything known of a conversation has arrived, if that is news.
pub fn deliver(state: State, id: ConversationId) {
    let (Some(me), Some(entry)) = (state.me(), state.summary(id)) else { return };
    let Some(up_to) = summary::undelivered(&entry) else { return };
    // One's own messages need no receipt: only what the peer wrote does.
    let from_peer =
        entry.unread > 0 || entry.last.as_ref().is_some_and(|last| last.sender != me.id);
    if from_peer && state.say(ClientFrame::Delivered { conversation: id, up_to }) {
        let marks = Marks { delivered: up_to, read: entry.mine.read };
        // Only `delivered` moved: the count of unread messages is not touched.
        _ = state.apply_receipt(id, me.id, marks);
    }
}

/// Says that everything up to a place was seen, if the person is looking and it is news.
pub fn seen(state: State, id: ConversationId, up_to: Seq) {
    let (Some(me), Some(entry)) = (state.me(), state.summary(id)) else { return };
    if entry.unread == 0 || up_to <= entry.mine.read || !is_watched() {
        return;
    }
    if state.say(ClientFrame::Read { conversation: id, up_to }) {
        let known = state.apply_receipt(id, me.id, Marks { delivered: up_to, read: up_to });
        catch_up::after_event(state, id, known);
    }
}
