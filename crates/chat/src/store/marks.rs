//! The rules by which marks move, shared by both engines. These functions are pure: the engines
//! read and write the marks, and call this module inside the transaction that moves them.

use protocol::{Marks, Seq, UserId};

use super::MarkOutcome;

/// A member's marks in a conversation.
#[derive(Clone, Copy)]
pub(super) struct MemberMarks {
    pub(super) marks: Marks,
    /// Whether both members have read receipts on.
    pub(super) shows_read: bool,
    /// Whether the peer gets receipts of the member: the member has spoken, and the peer has not
    /// blocked the member.
    pub(super) reaches_peer: bool,
    /// Whether the member has blocked the peer.
    pub(super) blocks: bool,
}

/// Marks only move forward, `read` implies `delivered`, and neither passes the last `seq`. Marks of
/// a member who blocks the peer do not move, because the peer would see it after the block.
pub(super) fn forward(member: MemberMarks, new: Marks, last: Seq, peer: UserId) -> MarkOutcome {
    let now = member.marks;
    let possible = Seq::ZERO..=last;
    if !possible.contains(&new.delivered) || !possible.contains(&new.read) {
        return MarkOutcome::OutOfRange;
    }
    let read = now.read.max(new.read);
    let delivered = now.delivered.max(new.delivered).max(read);
    let marks = Marks { delivered, read };
    if marks == now || member.blocks {
        return MarkOutcome::Unchanged;
    }
    // Without read receipts the peer must not learn the moment of reading either.
    let shown = match member.shows_read {
        _ if !member.reaches_peer => None,
        true => Some(marks),
        false => (delivered > now.delivered).then_some(Marks { delivered, read: Seq::ZERO }),
    };
    MarkOutcome::Moved { marks, peer, shown }
}
