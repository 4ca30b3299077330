//! One correct history, and a broken one for each invariant.

use protocol::{ClientId, ConversationId, ErrorCode, Marks, Seq, UserId};

use super::{Evidence, Invariant, Screen, check};
use crate::client_log::{Event, Observation, SeenMessage, Tab};
use crate::store::{Row, Stored};

/// Anna (tab 1) and Bob (tab 2) in one conversation. The clock advances one second per event.
struct History {
    anna: UserId,
    bob: UserId,
    conversation: ConversationId,
    evidence: Evidence,
    at: u64,
}

const ANNA: Tab = Tab(1);
const BOB: Tab = Tab(2);

fn marks(delivered: i64, read: i64) -> Marks {
    Marks { delivered: Seq(delivered), read: Seq(read) }
}

impl History {
    /// Anna sends messages 1 and 2, both acknowledged. Bob receives 1, reads both, and sends his
    /// marks.
    fn correct() -> Self {
        let evidence = Evidence {
            stored: Stored { integrity: "ok".to_owned(), ..Stored::default() },
            ..Evidence::default()
        };
        let (anna, bob, conversation) = (UserId::new(), UserId::new(), ConversationId::new());
        let mut history = Self { anna, bob, conversation, evidence, at: 0 };
        history.send(1);
        history.receive(BOB, 1);
        history.send(2);
        history.mark(2);
        history.receipt(marks(2, 0));
        history.receipt(marks(2, 2));
        history.page(BOB, 0, 2);
        history.evidence.stored.last.insert(conversation, 2);
        history.evidence.stored.marks.insert((conversation, bob), marks(2, 2));
        let rows = history.evidence.stored.rows.iter().map(|row| (row.seq, row.id)).collect();
        let screen = Screen {
            tab: BOB,
            user: bob,
            conversation,
            rows,
            peer: anna,
            theirs: Marks::default(),
            unsent: 0,
            connected: true,
        };
        history.evidence.screens.push(screen);
        history
    }

    fn write(&mut self, tab: Tab, observation: Observation) {
        self.at += 1_000_000;
        let user = if tab == ANNA { self.anna } else { self.bob };
        self.evidence.events.push(Event { at: self.at, wall: 0, tab, user, observation });
    }

    fn row(&self, seq: i64) -> Row {
        self.evidence.stored.rows.iter().find(|row| row.seq == seq).expect("a row").clone()
    }

    fn seen(&self, seq: i64) -> SeenMessage {
        let Row { sender, id, body, .. } = self.row(seq);
        SeenMessage { seq, sender, id, body }
    }

    fn attempt(&mut self, ordinal: u64) -> ClientId {
        let (id, conversation) = (ClientId::new(), self.conversation);
        let body = format!("{ordinal}");
        self.write(ANNA, Observation::Attempted { id, conversation, body, ordinal });
        id
    }

    fn send(&mut self, seq: i64) {
        let id = self.attempt(u64::try_from(seq).expect("a seq"));
        let (conversation, sender, body) = (self.conversation, self.anna, format!("{seq}"));
        self.evidence.stored.rows.push(Row { conversation, seq, sender, id, body });
        self.write(ANNA, Observation::Acknowledged { id, conversation, seq });
    }

    fn receive(&mut self, tab: Tab, seq: i64) {
        let (conversation, seen) = (self.conversation, self.seen(seq));
        self.write(tab, Observation::Received { conversation, seen });
    }

    fn mark(&mut self, up_to: i64) {
        self.mark_as(BOB, up_to);
    }

    fn mark_as(&mut self, tab: Tab, up_to: i64) {
        let conversation = self.conversation;
        self.write(tab, Observation::MarksSent { conversation, marks: marks(up_to, up_to) });
    }

    fn receipt(&mut self, marks: Marks) {
        let (conversation, whose) = (self.conversation, self.bob);
        self.write(ANNA, Observation::Receipt { connection: 1, conversation, whose, marks });
    }

    fn page(&mut self, tab: Tab, after: i64, last: i64) {
        let messages = (after + 1..=last).map(|seq| self.seen(seq)).collect();
        let observation = Observation::HistoryPage {
            conversation: self.conversation,
            requested: self.at + 1,
            after: Some(after),
            messages,
            last_seq: last,
            mine: if tab == BOB { marks(2, 2) } else { Marks::default() },
            theirs: if tab == BOB { Marks::default() } else { marks(2, 2) },
            peer: if tab == BOB { self.anna } else { self.bob },
        };
        self.write(tab, observation);
    }

    /// Asserts that the checker reports this invariant as violated.
    fn breaks(self, invariant: Invariant) {
        let found = check(&self.evidence);
        assert!(found.iter().any(|violation| violation.invariant == invariant), "{found:?}");
    }
}

#[test]
fn a_correct_history_violates_nothing() {
    let found = check(&History::correct().evidence);
    assert_eq!(found, []);
}

#[test]
fn an_unanswered_send_may_be_stored_or_not() {
    let mut history = History::correct();
    let id = history.attempt(3);
    history.write(ANNA, Observation::Unknown { id });
    assert_eq!(check(&history.evidence), []);
    history.send(3);
    history.evidence.events.pop();
    let stored = history.row(3).id;
    history.write(ANNA, Observation::Unknown { id: stored });
    history.evidence.stored.last.insert(history.conversation, 3);
    history.evidence.screens.clear();
    assert_eq!(check(&history.evidence), []);
}

#[test]
fn i1_an_acknowledged_message_is_not_stored() {
    let mut history = History::correct();
    let (id, conversation) = (history.attempt(3), history.conversation);
    history.write(ANNA, Observation::Acknowledged { id, conversation, seq: 3 });
    history.breaks(Invariant::I1);
}

#[test]
fn i1_an_acknowledged_message_is_stored_at_another_seq() {
    let mut history = History::correct();
    history.send(3);
    let row = history.evidence.stored.rows.last_mut().expect("a row");
    row.seq = 4;
    history.breaks(Invariant::I1);
}

#[test]
fn i2_a_stored_message_was_never_sent() {
    let mut history = History::correct();
    let (conversation, sender) = (history.conversation, history.bob);
    let stranger = Row { conversation, seq: 3, sender, id: ClientId::new(), body: "?".to_owned() };
    history.evidence.stored.rows.push(stranger);
    history.breaks(Invariant::I2);
}

#[test]
fn i2_a_forged_text_is_stored() {
    let mut history = History::correct();
    history.evidence.stored.rows[0].body = "forged 1".to_owned();
    history.breaks(Invariant::I2);
}

#[test]
fn i2_a_permanently_refused_message_is_stored() {
    let mut history = History::correct();
    history.send(3);
    history.evidence.events.pop();
    let id = history.row(3).id;
    history.write(ANNA, Observation::Refused { id, code: ErrorCode::NotFound });
    history.breaks(Invariant::I2);
}

#[test]
fn i3_a_message_is_stored_twice() {
    let mut history = History::correct();
    let again = Row { seq: 3, ..history.row(2) };
    history.evidence.stored.rows.push(again);
    history.breaks(Invariant::I3);
}

#[test]
fn i3_a_retry_is_acknowledged_with_another_seq() {
    let mut history = History::correct();
    let (id, conversation) = (history.row(1).id, history.conversation);
    history.write(ANNA, Observation::Acknowledged { id, conversation, seq: 7 });
    history.breaks(Invariant::I3);
}

#[test]
fn i4_the_seqs_have_a_gap() {
    let mut history = History::correct();
    history.evidence.stored.rows.remove(0);
    history.breaks(Invariant::I4);
}

#[test]
fn i4_last_seq_exceeds_the_newest_message() {
    let mut history = History::correct();
    history.evidence.stored.last.insert(history.conversation, 3);
    history.breaks(Invariant::I4);
}

#[test]
fn i4_two_readers_see_different_orders() {
    let mut history = History::correct();
    let (conversation, seen) = (history.conversation, SeenMessage { seq: 1, ..history.seen(2) });
    history.write(BOB, Observation::Received { conversation, seen });
    history.breaks(Invariant::I4);
}

#[test]
fn i4_a_page_has_a_gap() {
    let mut history = History::correct();
    history.page(BOB, 0, 2);
    let Some(Event { observation: Observation::HistoryPage { messages, .. }, .. }) =
        history.evidence.events.last_mut()
    else {
        panic!("the last event is no page")
    };
    messages.remove(0);
    history.breaks(Invariant::I4);
}

#[test]
fn i5_a_read_shows_less_than_an_earlier_read() {
    let mut history = History::correct();
    history.page(BOB, 0, 1);
    history.breaks(Invariant::I5);
}

#[test]
fn i6_the_next_read_lacks_an_acknowledged_message() {
    let mut history = History::correct();
    history.send(3);
    history.page(ANNA, 0, 2);
    history.breaks(Invariant::I6);
}

#[test]
fn i7_two_messages_of_one_tab_are_stored_in_reverse_order() {
    let mut history = History::correct();
    for event in &mut history.evidence.events {
        if let Observation::Attempted { ordinal, .. } = &mut event.observation {
            *ordinal = 3 - *ordinal;
        }
    }
    history.breaks(Invariant::I7);
}

#[test]
fn i8_a_receipt_moves_a_mark_backwards() {
    let mut history = History::correct();
    history.receipt(marks(2, 1));
    history.breaks(Invariant::I8);
}

#[test]
fn i8_a_receipt_exceeds_the_sent_marks() {
    let mut history = History::correct();
    history.receipt(marks(3, 2));
    history.breaks(Invariant::I8);
}

#[test]
fn i8_a_read_mark_exceeds_the_delivered_mark() {
    let mut history = History::correct();
    history.receipt(marks(1, 2));
    history.breaks(Invariant::I8);
}

#[test]
fn i8_a_stored_mark_is_behind_a_receipt() {
    let mut history = History::correct();
    let whose = (history.conversation, history.bob);
    history.evidence.stored.marks.insert(whose, marks(2, 1));
    history.breaks(Invariant::I8);
}

#[test]
fn i9_a_screen_lacks_a_message() {
    let mut history = History::correct();
    history.evidence.screens[0].rows.pop();
    history.breaks(Invariant::I9);
}

#[test]
fn i9_a_message_is_still_unsent() {
    let mut history = History::correct();
    history.evidence.screens[0].unsent = 1;
    history.breaks(Invariant::I9);
}

#[test]
fn i9_a_mark_is_not_stored() {
    let mut history = History::correct();
    history.send(3);
    history.evidence.stored.last.insert(history.conversation, 3);
    let newest = (3, history.row(3).id);
    history.evidence.screens[0].rows.push(newest);
    history.breaks(Invariant::I9);
}

#[test]
fn i9_a_lost_receipt_is_missing_on_a_screen() {
    let mut history = History::correct();
    let rows = history.evidence.screens[0].rows.clone();
    let (anna, bob, conversation) = (history.anna, history.bob, history.conversation);
    let mut screen = Screen {
        tab: ANNA,
        user: anna,
        conversation,
        rows,
        peer: bob,
        theirs: marks(2, 2),
        unsent: 0,
        connected: true,
    };
    history.evidence.stored.marks.insert((conversation, anna), marks(2, 2));
    history.evidence.screens[0].theirs = marks(2, 2);
    history.mark_as(ANNA, 2);
    history.evidence.screens.push(screen.clone());
    assert_eq!(check(&history.evidence), []);
    screen.theirs = marks(2, 1);
    history.evidence.screens[1] = screen;
    history.breaks(Invariant::I9);
}

#[test]
fn i8_receipts_may_arrive_out_of_order_with_several_nodes() {
    let mut history = History::correct();
    history.receipt(marks(2, 1));
    history.evidence.limits.ordered_receipts = false;
    assert_eq!(check(&history.evidence), []);
}

#[test]
fn i10_ending_a_session_may_take_longer_with_several_nodes() {
    let mut history = History::correct();
    history.write(BOB, Observation::SignedOut);
    (0..3).for_each(|_| history.receive(BOB, 2));
    history.evidence.limits.ends_within = Some(std::time::Duration::from_secs(3));
    assert_eq!(check(&history.evidence), []);
    history.evidence.limits.ends_within = None;
    history.write(BOB, Observation::AcceptedAfterSignOut("a new connection".to_owned()));
    history.breaks(Invariant::I10);
}

#[test]
fn i10_a_message_arrives_after_the_end_of_the_session() {
    let mut history = History::correct();
    history.write(BOB, Observation::SignedOut);
    history.receive(BOB, 1);
    assert_eq!(check(&history.evidence), [], "a second later is in time");
    history.receive(BOB, 2);
    history.receive(BOB, 2);
    history.breaks(Invariant::I10);
}

#[test]
fn a_damaged_store_is_reported() {
    let mut history = History::correct();
    history.evidence.stored.integrity = "row 3 missing from index".to_owned();
    history.breaks(Invariant::Server);
}
