//! How an event changes a conversation's entry in the list. Pure; `state` puts the result into
//! signals.

use protocol::limits::MAX_UNREAD;
use protocol::{Conversation, Marks, Message, Seq, UserId};

/// Whether an entry is still exact.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Freshness {
    Current,
    /// The page missed events: the entry must be fetched again.
    Outdated,
}

/// Applies a message, except to the entry's place in the list. A repeated message changes nothing.
pub fn apply_message(entry: &mut Conversation, message: &Message, me: UserId) -> Freshness {
    if message.seq <= entry.last_seq {
        return Freshness::Current;
    }
    let freshness =
        if message.seq == entry.last_seq.next() { Freshness::Current } else { Freshness::Outdated };
    entry.last_seq = message.seq;
    entry.last = Some(message.clone());
    if message.sender != me && message.seq > entry.mine.read {
        entry.unread = entry.unread.saturating_add(1).min(MAX_UNREAD);
    }
    freshness
}

/// Applies marks. Marks only move forward, so a late receipt changes nothing.
pub fn apply_receipt(entry: &mut Conversation, user: UserId, marks: Marks) -> Freshness {
    let mine = user != entry.peer.user.id;
    let held = if mine { &mut entry.mine } else { &mut entry.theirs };
    let before = held.read;
    advance(held, marks);
    if !mine || held.read == before {
        return Freshness::Current;
    }
    if held.read >= entry.last_seq {
        entry.unread = 0;
        return Freshness::Current;
    }
    // The messages read here are partly the peer's and partly the user's own; only the store can
    // count the rest.
    if entry.unread == 0 { Freshness::Current } else { Freshness::Outdated }
}

/// Moves marks forward, never back.
pub fn advance(held: &mut Marks, to: Marks) {
    held.delivered = held.delivered.max(to.delivered).max(to.read);
    held.read = held.read.max(to.read);
}

/// Takes over an entry from the server. Live events may be newer than the response; their changes
/// stay.
pub fn adopt(entry: &mut Conversation, read: Conversation) {
    let (mine, theirs, last_before) = (entry.mine, entry.theirs, entry.last_seq);
    if last_before > read.last_seq {
        entry.peer = read.peer;
        entry.standing = read.standing;
    } else {
        let unread_before = entry.unread;
        *entry = read;
        // The page's read mark is ahead of the server's. The messages after it bound the unread
        // count. If there is no new message, the cached count is exact.
        if mine.read > entry.mine.read {
            let beyond = entry.last_seq.0.saturating_sub(mine.read.0);
            entry.unread = entry.unread.min(u32::try_from(beyond).unwrap_or(0));
            if entry.last_seq == last_before {
                entry.unread = entry.unread.min(unread_before);
            }
        }
    }
    advance(&mut entry.mine, mine);
    advance(&mut entry.theirs, theirs);
}

/// Returns the newest seq to acknowledge as delivered, unless the server has that receipt.
pub fn undelivered(entry: &Conversation) -> Option<Seq> {
    (entry.last_seq > entry.mine.delivered).then_some(entry.last_seq)
}

#[cfg(test)]
mod tests {
    use protocol::{ClientId, ConversationId, Person, Presence, Standing, Timestamp, User};

    use super::*;

    fn user(name: &str) -> User {
        User { id: UserId::new(), username: name.into(), display_name: name.into() }
    }

    fn entry(last: i64, read: i64) -> Conversation {
        Conversation {
            id: ConversationId::new(),
            peer: Person { user: user("anna"), presence: Presence::default() },
            last: None,
            last_seq: Seq(last),
            active_at: Timestamp(0),
            unread: u32::try_from(last - read).unwrap_or(0),
            mine: Marks { delivered: Seq(read), read: Seq(read) },
            theirs: Marks::default(),
            standing: Standing::default(),
        }
    }

    fn message(entry: &Conversation, seq: i64, sender: UserId) -> Message {
        Message {
            conversation: entry.id,
            seq: Seq(seq),
            client_id: ClientId::new(),
            sender,
            body: "hello".into(),
            sent_at: Timestamp(seq),
        }
    }

    #[test]
    fn a_message_is_counted_once_and_a_gap_is_detected() {
        let (me, mut entry) = (UserId::new(), entry(3, 3));
        let peer = entry.peer.user.id;
        let next = message(&entry, 4, peer);
        assert_eq!(apply_message(&mut entry, &next, me), Freshness::Current);
        assert_eq!(apply_message(&mut entry, &next, me), Freshness::Current);
        assert_eq!(entry.unread, 1);
        let own = message(&entry, 5, me);
        assert_eq!(apply_message(&mut entry, &own, me), Freshness::Current);
        assert_eq!(entry.unread, 1, "one's own is never unread");
        let beyond = message(&entry, 9, peer);
        assert_eq!(apply_message(&mut entry, &beyond, me), Freshness::Outdated);
    }

    #[test]
    fn marks_only_move_forward_and_reading_everything_clears_the_count() {
        let (me, mut entry) = (UserId::new(), entry(5, 2));
        let marks = |delivered, read| Marks { delivered: Seq(delivered), read: Seq(read) };
        assert_eq!(apply_receipt(&mut entry, me, marks(5, 4)), Freshness::Outdated);
        assert_eq!(apply_receipt(&mut entry, me, marks(5, 5)), Freshness::Current);
        assert_eq!(entry.unread, 0);
        let peer = entry.peer.user.id;
        assert_eq!(apply_receipt(&mut entry, peer, marks(4, 1)), Freshness::Current);
        assert_eq!(apply_receipt(&mut entry, peer, marks(2, 0)), Freshness::Current);
        assert_eq!(entry.theirs, marks(4, 1));
    }

    #[test]
    fn a_late_response_does_not_revert_the_entry() {
        let (me, mut entry) = (UserId::new(), entry(3, 3));
        let stale = entry.clone();
        let next = message(&entry, 4, entry.peer.user.id);
        assert_eq!(apply_message(&mut entry, &next, me), Freshness::Current);
        adopt(&mut entry, stale);
        assert_eq!((entry.last_seq, entry.unread), (Seq(4), 1));
    }

    #[test]
    fn messages_after_the_pages_own_mark_stay_unread_before_the_server_has_that_mark() {
        let (mut held, mut read) = (entry(9, 9), entry(12, 8));
        read.id = held.id;
        adopt(&mut held, read);
        assert_eq!((held.mine.read, held.unread), (Seq(9), 3));
        let mut behind = entry(12, 8);
        behind.id = held.id;
        held.unread = 1;
        adopt(&mut held, behind);
        assert_eq!(held.unread, 1, "nothing was added: the held count is exact");
    }
}
