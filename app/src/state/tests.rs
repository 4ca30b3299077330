//! What the open conversation shows when messages come out of turn.

use leptos::prelude::*;
use protocol::{
    ClientId, Conversation, ConversationId, Cursor, HistoryPage, Marks, Message, Person, Presence,
    Sent, Seq, Timestamp, User, UserId,
};

use super::{FirstPage, OpenConversation, State, Step};
use crate::live::summary::Known;

/// A conversation of two, open in one tab.
struct Talk {
    state: State,
    open: OpenConversation,
    id: ConversationId,
    me: UserId,
    peer: UserId,
    _owner: Owner,
}

impl Talk {
    /// Opened when nothing had been said.
    fn empty() -> Self {
        let owner = Owner::new();
        owner.set();
        let (me, peer, id) = (user("ben"), user("anna"), ConversationId::new());
        let state = State::new(Some(me.clone()));
        let conversation = Conversation {
            id,
            peer: Person { user: peer.clone(), presence: Presence::default() },
            last: None,
            last_seq: Seq::ZERO,
            active_at: Timestamp(0),
            unread: 0,
            mine: Marks::default(),
            theirs: Marks::default(),
        };
        let open = state.open(&FirstPage { conversation, page: page(id, Vec::new()) });
        Self { state, open, id, me: me.id, peer: peer.id, _owner: owner }
    }

    fn message(&self, seq: i64, sender: UserId) -> Message {
        Message {
            conversation: self.id,
            seq: Seq(seq),
            client_id: ClientId::new(),
            sender,
            body: format!("message {seq}"),
            sent_at: Timestamp(seq),
        }
    }

    fn shown(&self) -> Vec<i64> {
        let keys = self.open.keys.get_untracked();
        let rows = keys.iter().filter_map(|key| self.open.row(*key));
        rows.filter_map(|row| row.with_untracked(|row| row.seq)).map(|seq| seq.0).collect()
    }
}

fn user(name: &str) -> User {
    User { id: UserId::new(), username: name.into(), display_name: name.into() }
}

fn page(conversation: ConversationId, messages: Vec<Message>) -> HistoryPage {
    let last_seq = messages.last().map_or(Seq::ZERO, |message| message.seq);
    let (mine, theirs) = (Marks::default(), Marks::default());
    HistoryPage { conversation, messages, last_seq, mine, theirs }
}

#[test]
fn a_conversation_that_was_empty_reads_what_it_missed_from_the_beginning() {
    let talk = Talk::empty();
    let third = talk.message(3, talk.peer);
    assert_eq!(talk.state.apply_message(&third).known, Known::Inexactly);
    assert_eq!(talk.shown(), [0; 0], "nothing is shown above a hole");
    assert_eq!(talk.state.missing_newer(), Some((talk.id, Cursor::After(Seq::ZERO))));
    let missed = vec![talk.message(1, talk.me), talk.message(2, talk.peer), third];
    _ = talk.state.merge_page(&page(talk.id, missed));
    assert_eq!(talk.shown(), [1, 2, 3]);
    assert_eq!(talk.state.missing_newer(), None);
}

#[test]
fn an_acknowledged_message_whose_words_are_gone_is_read_again() {
    let talk = Talk::empty();
    let first = talk.message(1, talk.peer);
    assert_eq!(talk.state.apply_message(&first).known, Known::Exactly);
    let second = talk.message(2, talk.me);
    let sent = Sent {
        conversation: talk.id,
        client_id: second.client_id,
        seq: second.seq,
        sent_at: second.sent_at,
    };
    assert_eq!(talk.state.apply_sent(sent).known, Known::Inexactly);
    assert_eq!(talk.state.missing_newer(), Some((talk.id, Cursor::After(Seq(1)))));
    // The next one does not hide that one is missing.
    _ = talk.state.apply_message(&talk.message(3, talk.peer));
    assert_eq!(talk.shown(), [1]);
    assert_eq!(talk.state.missing_newer(), Some((talk.id, Cursor::After(Seq(1)))));
    _ = talk.state.merge_page(&page(talk.id, vec![second]));
    assert_eq!(talk.shown(), [1, 2, 3]);
    assert_eq!(talk.state.apply_sent(sent).known, Known::Exactly);
}

#[test]
fn a_page_that_knows_more_than_the_entry_has_it_read_again() {
    let talk = Talk::empty();
    let first = talk.message(1, talk.peer);
    assert_eq!(talk.state.merge_page(&page(talk.id, vec![first.clone()])), Known::Exactly);
    let fourth = talk.message(4, talk.peer);
    assert_eq!(talk.state.merge_page(&page(talk.id, vec![fourth])), Known::Inexactly);
    // An older page alone tells as well that there is more.
    let mut older = page(talk.id, vec![first]);
    assert_eq!(talk.state.merge_page(&older), Known::Exactly);
    older.last_seq = Seq(6);
    assert_eq!(talk.state.merge_page(&older), Known::Inexactly);
}

#[test]
fn ten_thousand_messages_are_read_up_and_down_through_a_window() {
    let talk = Talk::empty();
    let messages: Vec<_> = (1..=10_000).map(|seq| talk.message(seq, talk.peer)).collect();
    _ = talk.state.merge_page(&page(talk.id, messages));
    assert!(talk.shown().len() <= 300);
    talk.state.set_place(Some(Seq(9_990)), false);
    let mut steps: i32 = 0;
    while talk.state.show_older() == Step::Shown {
        let shown = talk.shown();
        assert!(shown.len() <= 300, "{}", shown.len());
        assert!(shown.windows(2).all(|pair| pair[0] + 1 == pair[1]));
        talk.state.set_place(shown.first().map(|first| Seq(first + 5)), false);
        steps += 1;
    }
    assert_eq!(talk.shown().first(), Some(&1));
    assert!(talk.open.has_newer.get_untracked() && !talk.open.has_older.get_untracked());
    // What comes meanwhile is not put below a gap.
    _ = talk.state.apply_message(&talk.message(10_001, talk.peer));
    assert_eq!((talk.shown().last(), talk.open.below.get_untracked()), (Some(&300), 1));
    while talk.state.show_newer() == Step::Shown {
        let shown = talk.shown();
        assert!(shown.len() <= 300);
        talk.state.set_place(shown.last().map(|last| Seq(last - 5)), false);
        steps -= 1;
    }
    assert_eq!(talk.shown().last(), Some(&10_001));
    assert!(!talk.open.has_newer.get_untracked() && steps.abs() < 10, "{steps}");
}

#[test]
fn a_place_far_back_is_turned_to_and_left_again() {
    let talk = Talk::empty();
    let messages: Vec<_> = (1..=1_000).map(|seq| talk.message(seq, talk.peer)).collect();
    _ = talk.state.merge_page(&page(talk.id, messages));
    assert!(talk.state.turn_to(Seq(400)));
    assert!(talk.shown().contains(&400) && !talk.shown().contains(&1_000));
    assert_eq!(talk.state.missing_newer(), None, "the view does not follow");
    talk.state.follow_latest();
    assert_eq!(talk.shown().last(), Some(&1_000));
    assert!(!talk.state.turn_to(Seq(2_000)));
}

#[test]
fn what_is_told_twice_is_counted_and_announced_once() {
    let talk = Talk::empty();
    let messages: Vec<_> = (1..=30).map(|seq| talk.message(seq, talk.peer)).collect();
    _ = talk.state.merge_page(&page(talk.id, messages));
    talk.state.set_place(Some(Seq(10)), false);
    let message = talk.message(31, talk.peer);
    assert!(talk.state.apply_message(&message).is_news);
    talk.open.heard.set(None);
    assert!(!talk.state.apply_message(&message).is_news);
    assert_eq!(talk.open.heard.get_untracked(), None);
    assert_eq!(talk.open.below.get_untracked(), 1);
    assert_eq!(talk.shown().iter().filter(|seq| **seq == 31).count(), 1);
}
