//! The order of the list, and the unread counts.

use leptos::prelude::*;
use protocol::{
    Conversation, ConversationId, ConversationPage, Marks, Message, Person, Presence, Seq,
    Standing, Timestamp, Unread,
};

use super::{TestConversation, listed, page, user};
use crate::live::summary::Freshness;
use crate::state::State;

#[test]
fn a_new_message_moves_its_conversation_to_the_top_regardless_of_clocks() {
    let test = TestConversation::empty();
    test.state.live.set(true);
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
        standing: Standing::default(),
    };
    let listed = || test.state.list.get_untracked();
    test.state.adopt(other.clone());
    assert_eq!(listed(), [other.id, test.id]);
    _ = test.state.apply_message(&test.message(1, test.peer));
    assert_eq!(listed(), [test.id, other.id]);
    // A page of history does not move a conversation.
    _ = test.state.merge_page(&page(test.id, vec![test.message(1, test.peer)]));
    let news = Message { conversation: other.id, ..test.message(2, test.me) };
    _ = test.state.apply_message(&news);
    assert_eq!(listed(), [other.id, test.id]);
    // A repeated message changes nothing.
    _ = test.state.apply_message(&test.message(1, test.peer));
    assert_eq!(listed(), [other.id, test.id]);
}

#[test]
fn a_deleted_request_is_fetched_when_its_sender_writes_again() {
    let test = TestConversation::empty();
    _ = test.state.apply_message(&test.message(1, test.peer));
    test.state.change_standing(test.id, |it| it.unlisted = true);
    let mine = test.state.apply_message(&test.message(2, test.me));
    assert_eq!(mine.freshness, Freshness::Current);
    let theirs = test.state.apply_message(&test.message(3, test.peer));
    assert_eq!(theirs.freshness, Freshness::Outdated);
}

#[test]
fn a_conversation_that_stays_at_the_top_keeps_its_sort_key() {
    let test = TestConversation::empty();
    test.state.live.set(true);
    for seq in 1..=3 {
        _ = test.state.apply_message(&test.message(seq, test.peer));
    }
    // The store gives the next conversation a key above the stored keys only. A clock that was set
    // back adds nothing to that.
    let stored = test.state.summary(test.id).expect("an entry").active_at;
    let next = listed(1, stored.0 + 1);
    test.state.adopt(next.clone());
    assert_eq!(test.state.list.get_untracked(), [next.id, test.id]);
    assert_eq!(stored, test.message(1, test.peer).sent_at);
}

#[test]
fn the_unread_count_includes_conversations_beyond_the_fetched_pages() {
    let owner = Owner::new();
    owner.set();
    let state = State::new(Some(user("ben")));
    let counter = state.unread_counter();
    let first: Vec<_> = (0..3).map(|n| listed(1, 100 - n)).collect();
    let mut behind = listed(4, 50);
    let other = listed(5, 40);
    let elsewhere = [&behind, &other].map(|entry| Unread { id: entry.id, unread: entry.unread });
    let page = ConversationPage {
        requests: 0,
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
fn unread_counts_beyond_the_first_page_never_exceed_the_servers() {
    let owner = Owner::new();
    owner.set();
    let state = State::new(Some(user("ben")));
    state.live.set(true);
    let counter = state.unread_counter();
    let (first, read, grown) = (listed(1, 100), listed(4, 50), listed(5, 40));
    let first_page = |unread_elsewhere| ConversationPage {
        requests: 0,
        conversations: vec![first.clone()],
        has_more: true,
        unread_elsewhere,
    };
    let of = |entry: &Conversation| Unread { id: entry.id, unread: entry.unread };
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
fn display_names_that_several_peers_have_are_known() {
    let owner = Owner::new();
    owner.set();
    let state = State::new(Some(user("ben")));
    state.live.set(true);
    let named = |name: &str, at| {
        let mut entry = listed(1, at);
        name.clone_into(&mut entry.peer.user.display_name);
        entry
    };
    let (one, mut two) = (named("Anna", 100), named("Anna", 90));
    let conversations = vec![one, two.clone(), named("Carl", 80), named("", 70), named("", 60)];
    state.adopt_list(ConversationPage { conversations, ..Default::default() }, true);
    assert_eq!(state.shared_names(), ["Anna"]);
    "Anna B.".clone_into(&mut two.peer.user.display_name);
    state.adopt(two);
    assert_eq!(state.shared_names(), [""; 0]);
}

#[test]
fn requests_are_in_a_list_of_their_own_and_counted_once() {
    let test = TestConversation::empty();
    let state = &test.state;
    state.live.set(true);
    let request = |active_at| Conversation {
        standing: Standing { request: true, ..Standing::default() },
        ..listed(1, active_at)
    };
    let (first, second) = (request(1), request(2));
    let page = ConversationPage { requests: 2, ..ConversationPage::default() };
    state.adopt_list(page, true);
    for conversation in [&first, &second] {
        state.adopt(conversation.clone());
    }
    let unread = state.unread_counter();
    assert_eq!(state.list.get_untracked(), [test.id]);
    assert_eq!(state.requests.get_untracked(), [second.id, first.id]);
    assert_eq!((state.requests_count.get_untracked(), unread()), (2, 0));
    state.change_standing(first.id, |standing| standing.request = false);
    assert_eq!(state.list.get_untracked(), [first.id, test.id]);
    assert_eq!((state.requests_count.get_untracked(), unread()), (1, 1));
    state.change_standing(second.id, |it| (it.request, it.unlisted) = (false, true));
    assert!(state.requests.get_untracked().is_empty());
    assert_eq!(state.list.get_untracked(), [first.id, test.id]);
    assert_eq!(state.requests_count.get_untracked(), 0);
    // The answer of the server says the same again.
    state.adopt(Conversation { standing: Standing::default(), ..first.clone() });
    assert_eq!(state.requests_count.get_untracked(), 0);
}

#[test]
fn muted_and_blocked_conversations_are_not_counted_as_unread() {
    let test = TestConversation::empty();
    test.state.live.set(true);
    let one = listed(3, 1);
    test.state.adopt(one.clone());
    let unread = test.state.unread_counter();
    assert_eq!(unread(), 3);
    for standing in [
        Standing { blocked: true, ..Standing::default() },
        Standing { muted_until: Some(Timestamp::FOREVER), ..Standing::default() },
    ] {
        test.state.change_standing(one.id, |it| *it = standing);
        assert_eq!(unread(), 0);
    }
    test.state.change_standing(one.id, |it| it.muted_until = Some(Timestamp(-1)));
    assert_eq!(unread(), 3, "the mute is over");
}
