//! How marks move: the same for every engine. Called by the stores, inside the transaction that
//! moves them.

use protocol::{Marks, Seq, UserId};

use super::MarkOutcome;

/// How far someone has come in a conversation.
#[derive(Clone, Copy)]
pub(super) struct Place {
    pub(super) marks: Marks,
    /// Whether the two show each other what they have read.
    pub(super) shows_read: bool,
}

/// Marks only move forward, read implies delivered, and neither goes beyond what was said.
pub(super) fn forward(place: Place, new: Marks, last: Seq, peer: UserId) -> MarkOutcome {
    let now = place.marks;
    let possible = Seq::ZERO..=last;
    if !possible.contains(&new.delivered) || !possible.contains(&new.read) {
        return MarkOutcome::OutOfRange;
    }
    let read = now.read.max(new.read);
    let delivered = now.delivered.max(new.delivered).max(read);
    let marks = Marks { delivered, read };
    if marks == now {
        return MarkOutcome::Unchanged;
    }
    // Where reading is not shown, the moment of it is not told either.
    let shown = match place.shows_read {
        true => Some(marks),
        false => (delivered > now.delivered).then_some(Marks { delivered, read: Seq::ZERO }),
    };
    MarkOutcome::Moved { marks, peer, shown }
}
