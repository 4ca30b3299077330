//! Tests of the state with messages that arrive out of order, repeatedly or late.

mod another_store;
mod list;

use leptos::prelude::*;
use protocol::{
    ClientId, Conversation, ConversationId, Cursor, HistoryPage, Marks, Message, Person, Presence,
    Sent, Seq, Standing, Timestamp, User, UserId,
};

use super::{FirstPage, OpenConversation, State, Step};
use crate::live::summary::Freshness;

/// A conversation with one peer, open in one tab.
struct TestConversation {
    state: State,
    open: OpenConversation,
    id: ConversationId,
    me: UserId,
    peer: UserId,
    _owner: Owner,
}

impl TestConversation {
    /// Opens a conversation without messages.
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
            standing: Standing::default(),
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

fn listed(unread: u32, active_at: i64) -> Conversation {
    Conversation {
        id: ConversationId::new(),
        peer: Person { user: user("anna"), presence: Presence::default() },
        last: None,
        last_seq: Seq(i64::from(unread)),
        active_at: Timestamp(active_at),
        unread,
        mine: Marks::default(),
        theirs: Marks::default(),
        standing: Standing::default(),
    }
}

#[test]
fn an_empty_conversation_fetches_missed_messages_from_the_first() {
    let test = TestConversation::empty();
    let third = test.message(3, test.peer);
    assert_eq!(test.state.apply_message(&third).freshness, Freshness::Outdated);
    assert_eq!(test.shown(), [0; 0], "nothing is shown above a gap");
    assert_eq!(test.state.missing_newer(), Some((test.id, Cursor::After(Seq::ZERO))));
    let missed = vec![test.message(1, test.me), test.message(2, test.peer), third];
    _ = test.state.merge_page(&page(test.id, missed));
    assert_eq!(test.shown(), [1, 2, 3]);
    assert_eq!(test.state.missing_newer(), None);
}

#[test]
fn an_acknowledged_message_without_a_body_is_fetched() {
    let test = TestConversation::empty();
    let first = test.message(1, test.peer);
    assert_eq!(test.state.apply_message(&first).freshness, Freshness::Current);
    let second = test.message(2, test.me);
    let sent = Sent {
        conversation: test.id,
        client_id: second.client_id,
        seq: second.seq,
        sent_at: second.sent_at,
    };
    assert_eq!(test.state.apply_sent(sent).freshness, Freshness::Outdated);
    assert_eq!(test.state.missing_newer(), Some((test.id, Cursor::After(Seq::ZERO))));
    // A later message does not hide the gap.
    _ = test.state.apply_message(&test.message(3, test.peer));
    assert_eq!(test.shown(), [1]);
    assert_eq!(test.state.missing_newer(), Some((test.id, Cursor::After(Seq::ZERO))));
    _ = test.state.merge_page(&page(test.id, vec![second]));
    assert_eq!(test.shown(), [1, 2, 3]);
    assert_eq!(test.state.apply_sent(sent).freshness, Freshness::Current);
}

#[test]
fn a_page_of_history_newer_than_the_entry_makes_the_entry_outdated() {
    let test = TestConversation::empty();
    let first = test.message(1, test.peer);
    assert_eq!(test.state.merge_page(&page(test.id, vec![first.clone()])), Freshness::Current);
    let fourth = test.message(4, test.peer);
    assert_eq!(test.state.merge_page(&page(test.id, vec![fourth])), Freshness::Outdated);
    // An older page also shows that newer messages exist.
    let mut older = page(test.id, vec![first]);
    assert_eq!(test.state.merge_page(&older), Freshness::Current);
    older.last_seq = Seq(6);
    assert_eq!(test.state.merge_page(&older), Freshness::Outdated);
}

#[test]
fn ten_thousand_messages_scroll_through_a_bounded_window() {
    let test = TestConversation::empty();
    let messages: Vec<_> = (1..=10_000).map(|seq| test.message(seq, test.peer)).collect();
    _ = test.state.merge_page(&page(test.id, messages));
    assert!(test.shown().len() <= 300);
    test.state.set_position(Some(Seq(9_990)), false);
    let mut steps: i32 = 0;
    while test.state.show_older() == Step::Shown {
        let shown = test.shown();
        assert!(shown.len() <= 300, "{}", shown.len());
        assert!(shown.windows(2).all(|pair| pair[0] + 1 == pair[1]));
        test.state.set_position(shown.first().map(|first| Seq(first + 5)), false);
        steps += 1;
    }
    assert_eq!(test.shown().first(), Some(&1));
    assert!(test.open.has_newer.get_untracked() && !test.open.has_older.get_untracked());
    // A message that arrives meanwhile is not put below a gap.
    _ = test.state.apply_message(&test.message(10_001, test.peer));
    assert_eq!((test.shown().last(), test.open.below.get_untracked()), (Some(&300), 1));
    while test.state.show_newer() == Step::Shown {
        let shown = test.shown();
        assert!(shown.len() <= 300);
        test.state.set_position(shown.last().map(|last| Seq(last - 5)), false);
        steps -= 1;
    }
    assert_eq!(test.shown().last(), Some(&10_001));
    assert!(!test.open.has_newer.get_untracked() && steps.abs() < 10, "{steps}");
}

#[test]
fn the_view_moves_to_a_distant_seq_and_back() {
    let test = TestConversation::empty();
    let messages: Vec<_> = (1..=1_000).map(|seq| test.message(seq, test.peer)).collect();
    _ = test.state.merge_page(&page(test.id, messages));
    assert!(test.state.turn_to(Seq(400)));
    assert!(test.shown().contains(&400) && !test.shown().contains(&1_000));
    assert_eq!(test.state.missing_newer(), None, "the view does not follow");
    test.state.follow_latest();
    assert_eq!(test.shown().last(), Some(&1_000));
    assert!(!test.state.turn_to(Seq(2_000)));
}

#[test]
fn a_repeated_message_is_counted_and_announced_once() {
    let test = TestConversation::empty();
    let messages: Vec<_> = (1..=30).map(|seq| test.message(seq, test.peer)).collect();
    _ = test.state.merge_page(&page(test.id, messages));
    test.state.set_position(Some(Seq(10)), false);
    let message = test.message(31, test.peer);
    assert!(test.state.apply_message(&message).is_news);
    test.open.received.set(None);
    assert!(!test.state.apply_message(&message).is_news);
    assert_eq!(test.open.received.get_untracked(), None);
    assert_eq!(test.open.below.get_untracked(), 1);
    assert_eq!(test.shown().iter().filter(|seq| **seq == 31).count(), 1);
}

#[test]
fn a_conversation_without_cached_messages_shows_unsent_ones_and_lets_its_page_fetch() {
    let test = TestConversation::empty();
    let other = listed(0, 5);
    test.state.adopt(other.clone());
    let open = test.state.open_without_rows(other.id).expect("an entry");
    test.state.with_outbox(|outbox| {
        let entry = crate::live::outbox::UnsentMessage {
            client_id: ClientId::new(),
            conversation: other.id,
            body: "written in the dark".to_owned(),
            written_at: Timestamp(1),
            refused: None,
            tab: 0,
            unsaved: false,
        };
        outbox.add(entry, crate::live::outbox::Moment::default());
    });
    assert_eq!(open.keys.get_untracked().len(), 1);
    assert_eq!(test.state.missing_newer(), None);
    assert_eq!(test.state.latest_is_elsewhere(), None);
    assert_eq!(test.state.show_newer(), Step::Nothing);
    assert!(!open.has_newer.get_untracked() && !open.has_older.get_untracked());
}

#[test]
fn cached_messages_are_shown_while_newer_ones_are_fetched() {
    let test = TestConversation::empty();
    let held: Vec<Message> = (1..=60).map(|seq| test.message(seq, test.peer)).collect();
    _ = test.state.merge_page(&page(test.id, held));
    _ = test.state.merge_page(&HistoryPage { last_seq: Seq(400), ..page(test.id, Vec::new()) });
    assert_eq!(test.state.first_page_from_memory(test.id, None), None, "too much is missing");
    let open = test.state.open_cached(test.id, None).expect("rows are held");
    assert_eq!((open.first_seq(), open.last_seq()), (Seq(11), Seq(60)));
    assert_eq!(test.state.missing_newer(), Some((test.id, Cursor::After(Seq(59)))));
    let around = test.state.open_cached(test.id, Some(Seq(30))).expect("the place is held");
    assert!(around.first_seq() < Seq(30) && around.last_seq() > Seq(30));
}
