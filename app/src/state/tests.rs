//! Tests of the state with messages that arrive out of order, repeatedly or late.

use leptos::prelude::*;
use protocol::{
    ClientId, Conversation, ConversationId, ConversationPage, Cursor, HistoryPage, Marks, Message,
    Person, Presence, Sent, Seq, Timestamp, Unread, User, UserId,
};

use super::{FirstPage, OpenConversation, State, Step};
use crate::live::summary::Known;

/// A conversation with one peer, open in one tab.
struct Talk {
    state: State,
    open: OpenConversation,
    id: ConversationId,
    me: UserId,
    peer: UserId,
    _owner: Owner,
}

impl Talk {
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
fn a_conversation_with_news_goes_to_the_top_whatever_the_clock_said_before() {
    let talk = Talk::empty();
    talk.state.live.set(true);
    // A clock that was ahead stamped its last message.
    let other = Conversation {
        id: ConversationId::new(),
        peer: Person { user: user("carl"), presence: Presence::default() },
        last: None,
        last_seq: Seq(1),
        active_at: Timestamp(1_000_000),
        unread: 0,
        mine: Marks::default(),
        theirs: Marks::default(),
    };
    let listed = || talk.state.list.get_untracked();
    talk.state.adopt(other.clone());
    assert_eq!(listed(), [other.id, talk.id]);
    _ = talk.state.apply_message(&talk.message(1, talk.peer));
    assert_eq!(listed(), [talk.id, other.id]);
    // A page of history does not move a conversation.
    _ = talk.state.merge_page(&page(talk.id, vec![talk.message(1, talk.peer)]));
    let news = Message { conversation: other.id, ..talk.message(2, talk.me) };
    _ = talk.state.apply_message(&news);
    assert_eq!(listed(), [other.id, talk.id]);
    // A repeated message changes nothing.
    _ = talk.state.apply_message(&talk.message(1, talk.peer));
    assert_eq!(listed(), [other.id, talk.id]);
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
    assert_eq!(talk.state.missing_newer(), Some((talk.id, Cursor::After(Seq::ZERO))));
    // A later message does not hide the gap.
    _ = talk.state.apply_message(&talk.message(3, talk.peer));
    assert_eq!(talk.shown(), [1]);
    assert_eq!(talk.state.missing_newer(), Some((talk.id, Cursor::After(Seq::ZERO))));
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
    // An older page also shows that newer messages exist.
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
    // A message that arrives meanwhile is not put below a gap.
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

/// Returns the entry of a conversation whose newest message is `last`.
fn entry(talk: &Talk, last: &Message) -> Conversation {
    let last_seq = last.seq;
    let known = talk.state.summary(talk.id).expect("an entry");
    Conversation { last: Some(last.clone()), last_seq, ..known }
}

#[test]
fn another_message_in_a_place_that_is_held_means_another_store() {
    let talk = Talk::empty();
    let messages: Vec<_> = (1..=10).map(|seq| talk.message(seq, talk.peer)).collect();
    let tenth = messages[9].clone();
    _ = talk.state.merge_page(&page(talk.id, messages));
    _ = talk.state.apply_message(&tenth);
    _ = talk.state.merge_page(&page(talk.id, vec![tenth.clone()]));
    talk.state.adopt(entry(&talk, &tenth));
    assert!(!talk.state.takes_doubt(), "the same again is no contradiction");

    _ = talk.state.apply_message(&talk.message(6, talk.peer));
    assert!(talk.state.takes_doubt(), "by an event");
    _ = talk.state.merge_page(&page(talk.id, vec![talk.message(8, talk.me)]));
    assert!(talk.state.takes_doubt(), "by a page");
    talk.state.adopt(entry(&talk, &talk.message(10, talk.peer)));
    assert!(talk.state.takes_doubt(), "by the list");
    let sent = talk.message(9, talk.me);
    talk.state.with_outbox(|outbox| {
        let entry = crate::live::outbox::Entry {
            client_id: sent.client_id,
            conversation: talk.id,
            body: sent.body.clone(),
            written_at: sent.sent_at,
            refused: None,
            tab: 0,
            unkept: false,
        };
        let now = crate::live::outbox::Moment { uptime_ms: 0, wall_ms: sent.sent_at.0 };
        outbox.add(entry, now);
    });
    let (conversation, client_id) = (talk.id, sent.client_id);
    let sent = Sent { conversation, client_id, seq: sent.seq, sent_at: sent.sent_at };
    _ = talk.state.apply_sent(sent);
    assert!(talk.state.takes_doubt(), "by the answer to a message of one's own");
    assert!(!talk.state.takes_doubt());
}

#[test]
fn what_is_missing_is_asked_for_with_the_last_one_that_is_held() {
    let talk = Talk::empty();
    let messages: Vec<_> = (1..=10).map(|seq| talk.message(seq, talk.peer)).collect();
    _ = talk.state.merge_page(&page(talk.id, messages));
    // The store was restored up to message five and continued from there.
    _ = talk.state.apply_message(&talk.message(12, talk.peer));
    assert_eq!(talk.state.missing_newer(), Some((talk.id, Cursor::After(Seq(9)))));
    let newer = (10..=12).map(|seq| talk.message(seq, talk.peer)).collect();
    _ = talk.state.merge_page(&page(talk.id, newer));
    assert!(talk.state.takes_doubt());
}

#[test]
fn what_was_forgotten_is_read_from_its_end_and_what_is_gone_leaves_the_list() {
    let talk = Talk::empty();
    let messages: Vec<_> = (1..=500).map(|seq| talk.message(seq, talk.peer)).collect();
    _ = talk.state.merge_page(&page(talk.id, messages.clone()));
    talk.state.set_place(Some(Seq(480)), false);
    assert!(talk.state.turn_to(Seq(100)), "the reader is far back");
    let other = Conversation { id: ConversationId::new(), ..entry(&talk, &messages[0]) };
    talk.state.adopt(other.clone());
    talk.state.live.set(true);

    talk.state.forget();
    assert_eq!(talk.shown(), [0; 0]);
    assert_eq!(talk.state.missing_newer(), Some((talk.id, Cursor::Latest)));
    // A message that arrives during the fetch does not end it.
    let fourth = talk.message(4, talk.peer);
    _ = talk.state.apply_message(&fourth);
    let conversations = vec![entry(&talk, &fourth)];
    talk.state.adopt_list(ConversationPage { conversations, ..Default::default() }, true);
    assert_eq!(talk.state.list.get_untracked(), [talk.id], "{:?} is gone", other.id);
    assert_eq!(talk.state.missing_newer(), Some((talk.id, Cursor::Latest)));
    _ = talk.state.merge_page(&page(talk.id, messages[..3].to_vec()));
    assert_eq!(talk.shown(), [1, 2, 3, 4]);
    assert!(!talk.state.takes_doubt());
    assert_eq!(talk.state.missing_newer(), None);

    talk.state.forget();
    _ = talk.state.merge_page(&page(talk.id, Vec::new()));
    _ = talk.state.apply_message(&messages[0]);
    assert_eq!(talk.shown(), [1], "also one that has nothing any more");
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
    }
}

#[test]
fn what_is_unread_is_counted_beyond_the_pages_that_were_read() {
    let owner = Owner::new();
    owner.set();
    let state = State::new(Some(user("ben")));
    let counter = state.unread_counter();
    let first: Vec<_> = (0..3).map(|n| listed(1, 100 - n)).collect();
    let mut behind = listed(4, 50);
    let other = listed(5, 40);
    let elsewhere = [&behind, &other].map(|it| Unread { id: it.id, unread: it.unread });
    let page = ConversationPage {
        conversations: first.clone(),
        has_more: true,
        unread_elsewhere: elsewhere.to_vec(),
    };
    state.adopt_list(page.clone(), true);
    assert_eq!(counter(), 3 + 4 + 5);
    // The open conversation is known before the page is live, and joins the list afterwards.
    state.adopt(behind.clone());
    assert_eq!(counter(), 12);
    state.live.set(true);
    state.sort_list();
    assert_eq!(counter(), 12);
    let end = state.list_cursor().map(|cursor| cursor.id);
    assert_eq!(end, Some(first[2].id), "the list goes on behind the page, not behind an older one");
    // A message arrived there and was read.
    behind.unread = 0;
    behind.last_seq = Seq(5);
    behind.mine = Marks { delivered: Seq(5), read: Seq(5) };
    state.adopt(behind.clone());
    assert_eq!(counter(), 8);
    // The list is fetched again before the server has the read mark.
    state.adopt_list(page, true);
    assert_eq!(counter(), 8);
    let second = ConversationPage { conversations: vec![behind, other], ..Default::default() };
    state.adopt_list(second, false);
    assert_eq!(counter(), 8);
}

#[test]
fn entries_behind_the_first_page_count_no_more_than_the_server_does() {
    let owner = Owner::new();
    owner.set();
    let state = State::new(Some(user("ben")));
    state.live.set(true);
    let counter = state.unread_counter();
    let (first, read, grown) = (listed(1, 100), listed(4, 50), listed(5, 40));
    let first_page = |unread_elsewhere| ConversationPage {
        conversations: vec![first.clone()],
        has_more: true,
        unread_elsewhere,
    };
    let of = |it: &Conversation| Unread { id: it.id, unread: it.unread };
    state.adopt_list(first_page(vec![of(&read), of(&grown)]), true);
    let second =
        ConversationPage { conversations: vec![read.clone(), grown.clone()], ..Default::default() };
    state.adopt_list(second, false);
    assert_eq!(counter(), 1 + 4 + 5);
    // One conversation was read in another tab. In the other one a message arrived after the
    // request.
    state.adopt_list(first_page(vec![Unread { id: grown.id, unread: 4 }]), true);
    let before = Seq(grown.last_seq.0 - 1);
    state.lower_unread(&[(read.id, read.last_seq), (grown.id, before)]);
    assert_eq!(counter(), 1 + 5);
}

#[test]
fn a_conversation_of_which_nothing_was_read_shows_what_is_written_and_leaves_reading_to_its_page() {
    let talk = Talk::empty();
    let other = listed(0, 5);
    talk.state.adopt(other.clone());
    let open = talk.state.open_without_rows(other.id).expect("an entry");
    talk.state.with_outbox(|outbox| {
        let entry = crate::live::outbox::Entry {
            client_id: ClientId::new(),
            conversation: other.id,
            body: "written in the dark".to_owned(),
            written_at: Timestamp(1),
            refused: None,
            tab: 0,
            unkept: false,
        };
        outbox.add(entry, crate::live::outbox::Moment::default());
    });
    assert_eq!(open.keys.get_untracked().len(), 1);
    assert_eq!(talk.state.missing_newer(), None);
    assert_eq!(talk.state.latest_is_elsewhere(), None);
    assert_eq!(talk.state.show_newer(), Step::Nothing);
    assert!(!open.has_newer.get_untracked() && !open.has_older.get_untracked());
}

#[test]
fn what_is_held_is_shown_though_newer_ones_are_missing_which_are_then_fetched() {
    let talk = Talk::empty();
    let held: Vec<Message> = (1..=60).map(|seq| talk.message(seq, talk.peer)).collect();
    _ = talk.state.merge_page(&page(talk.id, held));
    _ = talk.state.merge_page(&HistoryPage { last_seq: Seq(400), ..page(talk.id, Vec::new()) });
    assert_eq!(talk.state.first_page_from_memory(talk.id, None), None, "too much is missing");
    let open = talk.state.open_held(talk.id, None).expect("rows are held");
    assert_eq!((open.first_seq(), open.last_seq()), (Seq(11), Seq(60)));
    assert_eq!(talk.state.missing_newer(), Some((talk.id, Cursor::After(Seq(59)))));
    let around = talk.state.open_held(talk.id, Some(Seq(30))).expect("the place is held");
    assert!(around.first_seq() < Seq(30) && around.last_seq() > Seq(30));
}
