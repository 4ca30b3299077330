use super::*;

const TAB: u64 = 7;

fn entry(conversation: ConversationId, body: &str) -> UnsentMessage {
    UnsentMessage {
        client_id: ClientId::new(),
        conversation,
        body: body.to_owned(),
        written_at: Timestamp(0),
        refused: None,
        tab: TAB,
        unsaved: false,
    }
}

const START: Moment = Moment { uptime_ms: 0, wall_ms: 0 };

fn bodies(entries: &[UnsentMessage]) -> Vec<&str> {
    entries.iter().map(|entry| entry.body.as_str()).collect()
}

fn with(entries: &[UnsentMessage]) -> Outbox {
    let mut outbox = Outbox::new(TAB);
    for entry in entries {
        outbox.add(entry.clone(), START);
    }
    outbox
}

fn later(ms: u64) -> Refusal {
    Refusal { code: ErrorCode::RateLimited, retry_after_ms: Some(ms) }
}

#[test]
fn a_message_without_an_answer_is_detected_and_sent_again() {
    let mut outbox = Outbox::new(TAB);
    let message = entry(ConversationId::new(), "lost answer");
    outbox.add(message.clone(), START);
    assert_eq!(outbox.take_due(1_000), std::slice::from_ref(&message));
    assert!(!outbox.is_stuck(1_000 + ANSWER_WITHIN_MS));
    assert!(outbox.is_stuck(1_001 + ANSWER_WITHIN_MS));
    outbox.disconnected();
    assert!(!outbox.is_stuck(i64::MAX));
    assert_eq!(outbox.take_due(50_000), [message]);
}

#[test]
fn the_second_message_is_sent_after_the_first_was_answered() {
    let (here, there) = (ConversationId::new(), ConversationId::new());
    let (first, second, other) = (entry(here, "one"), entry(here, "two"), entry(there, "other"));
    let mut outbox = with(&[first.clone(), second, other]);
    assert_eq!(bodies(&outbox.take_due(0)), ["one", "other"]);
    assert!(outbox.take_due(0).is_empty());
    outbox.settle(first.client_id);
    assert_eq!(bodies(&outbox.take_due(0)), ["two"]);
}

#[test]
fn a_refusal_to_retry_later_delays_the_queue_without_reordering() {
    let here = ConversationId::new();
    let (first, second) = (entry(here, "one"), entry(here, "two"));
    let mut outbox = with(&[first.clone(), second]);
    outbox.take_due(0);
    assert!(outbox.refuse(first.client_id, later(5_000), 0).is_none());
    assert!(outbox.take_due(4_999).is_empty());
    assert_eq!(outbox.next_due_ms(0), Some(5_000));
    assert_eq!(bodies(&outbox.take_due(5_000)), ["one"]);
}

#[test]
fn a_final_refusal_marks_the_message_not_sent_and_releases_the_queue() {
    let here = ConversationId::new();
    let (first, second) = (entry(here, "one"), entry(here, "two"));
    let mut outbox = with(&[first.clone(), second.clone()]);
    outbox.take_due(0);
    let refused = outbox.refuse(first.client_id, ErrorCode::NotFound.into(), 0);
    assert_eq!(refused.and_then(|entry| entry.refused), Some(ErrorCode::NotFound));
    assert_eq!(bodies(&outbox.take_due(0)), ["two"]);
    outbox.settle(second.client_id);
    assert_eq!(outbox.len(), 1, "it is kept until retried or deleted");
    outbox.retry(first.client_id);
    assert_eq!(bodies(&outbox.take_due(0)), ["one"]);
}

#[test]
fn a_message_is_sent_again_with_the_same_id_after_a_lost_connection() {
    let first = entry(ConversationId::new(), "one");
    let mut outbox = with(std::slice::from_ref(&first));
    outbox.take_due(0);
    outbox.disconnected();
    assert_eq!(outbox.take_due(0), [first]);
}

#[test]
fn without_a_session_all_messages_are_kept() {
    let first = entry(ConversationId::new(), "one");
    let mut outbox = with(std::slice::from_ref(&first));
    outbox.take_due(0);
    assert!(outbox.refuse(first.client_id, ErrorCode::Unauthenticated.into(), 0).is_none());
    assert_eq!(outbox.get(first.client_id), Some(&first));
}

#[test]
fn messages_of_another_tab_are_left_to_that_tab_at_first() {
    let here = ConversationId::new();
    let theirs = UnsentMessage { tab: TAB + 1, ..entry(here, "theirs") };
    let mine = entry(here, "mine");
    let mut outbox = with(&[theirs, mine]);
    assert!(outbox.take_due(0).is_empty(), "mine waits behind it");
    assert_eq!(bodies(&outbox.take_due(ADOPT_AFTER_MS)), ["theirs"]);
}

#[test]
fn a_wrong_clock_delays_no_message() {
    const DAY: i64 = 24 * 60 * 60 * 1_000;
    let here = ConversationId::new();
    let written =
        |at| UnsentMessage { tab: TAB + 1, written_at: Timestamp(at), ..entry(here, "theirs") };
    // Written while the clock was a day ahead and found after the clock was corrected; then the
    // reverse.
    for (written_at, expected_wait) in
        [(DAY, ADOPT_AFTER_MS), (-DAY, 0), (0, ADOPT_AFTER_MS), (-4_000, ADOPT_AFTER_MS - 4_000)]
    {
        let mut outbox = Outbox::new(TAB);
        outbox.add(written(written_at), Moment { uptime_ms: 500, wall_ms: 0 });
        assert_eq!(outbox.next_due_ms(500), Some(500 + expected_wait));
        assert_eq!(outbox.take_due(500 + expected_wait).len(), 1);
    }
}

#[test]
fn a_change_by_another_tab_does_not_restart_the_wait() {
    let theirs = UnsentMessage { tab: TAB + 1, ..entry(ConversationId::new(), "theirs") };
    let mut outbox = Outbox::new(TAB);
    outbox.add(theirs.clone(), START);
    outbox.add(theirs, Moment { uptime_ms: 9_000, wall_ms: 9_000 });
    assert_eq!(outbox.next_due_ms(9_000), Some(ADOPT_AFTER_MS));
}

#[test]
fn the_queue_keeps_its_order_when_the_clock_is_set_back() {
    let here = ConversationId::new();
    let mut outbox = Outbox::new(TAB);
    // An id with a timestamp one day ahead.
    let ahead = ClientId::new().0.as_u128() + ((24 * 60 * 60 * 1_000) << 80);
    let first =
        UnsentMessage { client_id: ClientId(uuid::Uuid::from_u128(ahead)), ..entry(here, "one") };
    outbox.add(first.clone(), START);
    let second = UnsentMessage { client_id: outbox.next_id(here), ..entry(here, "two") };
    outbox.add(second.clone(), START);
    let third = UnsentMessage { client_id: outbox.next_id(here), ..entry(here, "three") };
    outbox.add(third, START);
    assert_eq!(bodies(&outbox.take_due(0)), ["one"]);
    outbox.settle(first.client_id);
    assert_eq!(bodies(&outbox.take_due(0)), ["two"]);
    outbox.settle(second.client_id);
    assert_eq!(bodies(&outbox.take_due(0)), ["three"]);
}

#[test]
fn a_message_in_flight_waits_for_its_own_answer() {
    let first = entry(ConversationId::new(), "one");
    let mut outbox = with(std::slice::from_ref(&first));
    outbox.take_due(0);
    outbox.settled_elsewhere(first.client_id);
    assert_eq!(outbox.settle(first.client_id), Some(first.clone()), "its words are needed");
    let mut outbox = with(std::slice::from_ref(&first));
    outbox.settled_elsewhere(first.client_id);
    assert!(outbox.is_empty());
}

#[test]
fn a_late_storage_event_restores_no_settled_message() {
    let first = entry(ConversationId::new(), "one");
    let mut outbox = with(std::slice::from_ref(&first));
    outbox.settle(first.client_id);
    outbox.add(first, START);
    assert!(outbox.is_empty());
}
