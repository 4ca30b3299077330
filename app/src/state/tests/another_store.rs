//! A server whose store is not the one that the page has read before.

use leptos::prelude::*;
use protocol::{Conversation, ConversationId, ConversationPage, Cursor, Message, Sent, Seq};

use super::{TestConversation, page};

/// Returns the entry of a conversation whose newest message is `last`.
fn entry(test: &TestConversation, last: &Message) -> Conversation {
    let last_seq = last.seq;
    let known = test.state.summary(test.id).expect("an entry");
    Conversation { last: Some(last.clone()), last_seq, ..known }
}

#[test]
fn another_message_with_a_cached_seq_means_another_store() {
    let test = TestConversation::empty();
    let messages: Vec<_> = (1..=10).map(|seq| test.message(seq, test.peer)).collect();
    let tenth = messages[9].clone();
    _ = test.state.merge_page(&page(test.id, messages));
    _ = test.state.apply_message(&tenth);
    _ = test.state.merge_page(&page(test.id, vec![tenth.clone()]));
    test.state.adopt(entry(&test, &tenth));
    assert!(!test.state.take_contradiction(), "the same again is no contradiction");

    _ = test.state.apply_message(&test.message(6, test.peer));
    assert!(test.state.take_contradiction(), "by an event");
    _ = test.state.merge_page(&page(test.id, vec![test.message(8, test.me)]));
    assert!(test.state.take_contradiction(), "by a page");
    test.state.adopt(entry(&test, &test.message(10, test.peer)));
    assert!(test.state.take_contradiction(), "by the list");
    let sent = test.message(9, test.me);
    test.state.with_outbox(|outbox| {
        let entry = crate::live::outbox::UnsentMessage {
            client_id: sent.client_id,
            conversation: test.id,
            body: sent.body.clone(),
            written_at: sent.sent_at,
            refused: None,
            tab: 0,
            unsaved: false,
        };
        let now = crate::live::outbox::Moment { uptime_ms: 0, wall_ms: sent.sent_at.0 };
        outbox.add(entry, now);
    });
    let (conversation, client_id) = (test.id, sent.client_id);
    let sent = Sent { conversation, client_id, seq: sent.seq, sent_at: sent.sent_at };
    _ = test.state.apply_sent(sent);
    assert!(test.state.take_contradiction(), "by the answer to a message of one's own");
    assert!(!test.state.take_contradiction());
}

#[test]
fn a_fetch_of_missing_messages_includes_the_last_cached_one() {
    let test = TestConversation::empty();
    let messages: Vec<_> = (1..=10).map(|seq| test.message(seq, test.peer)).collect();
    _ = test.state.merge_page(&page(test.id, messages));
    // The store was restored up to message five and continued from there.
    _ = test.state.apply_message(&test.message(12, test.peer));
    assert_eq!(test.state.missing_newer(), Some((test.id, Cursor::After(Seq(9)))));
    let newer = (10..=12).map(|seq| test.message(seq, test.peer)).collect();
    _ = test.state.merge_page(&page(test.id, newer));
    assert!(test.state.take_contradiction());
}

#[test]
fn after_a_reset_the_newest_page_is_fetched_and_missing_conversations_leave_the_list() {
    let test = TestConversation::empty();
    let messages: Vec<_> = (1..=500).map(|seq| test.message(seq, test.peer)).collect();
    _ = test.state.merge_page(&page(test.id, messages.clone()));
    test.state.set_position(Some(Seq(480)), false);
    assert!(test.state.turn_to(Seq(100)), "the reader is far back");
    let other = Conversation { id: ConversationId::new(), ..entry(&test, &messages[0]) };
    test.state.adopt(other.clone());
    test.state.live.set(true);

    test.state.forget();
    assert_eq!(test.shown(), [0; 0]);
    assert_eq!(test.state.missing_newer(), Some((test.id, Cursor::Latest)));
    // A message that arrives during the fetch does not end it.
    let fourth = test.message(4, test.peer);
    _ = test.state.apply_message(&fourth);
    let conversations = vec![entry(&test, &fourth)];
    test.state.adopt_list(ConversationPage { conversations, ..Default::default() }, true);
    assert_eq!(test.state.list.get_untracked(), [test.id], "{:?} is gone", other.id);
    assert_eq!(test.state.missing_newer(), Some((test.id, Cursor::Latest)));
    _ = test.state.merge_page(&page(test.id, messages[..3].to_vec()));
    assert_eq!(test.shown(), [1, 2, 3, 4]);
    assert!(!test.state.take_contradiction());
    assert_eq!(test.state.missing_newer(), None);

    test.state.forget();
    _ = test.state.merge_page(&page(test.id, Vec::new()));
    _ = test.state.apply_message(&messages[0]);
    assert_eq!(test.shown(), [1], "also one that has nothing any more");
}
