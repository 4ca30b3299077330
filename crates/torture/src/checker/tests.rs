//! One correct history, and a broken one for each invariant.

use protocol::{ClientId, ConversationId, ErrorCode, Marks, Seq, UserId};

use super::{Evidence, Invariant, Screen, check};
use crate::log::{Event, Seen, Tab, What};
use crate::store::{Row, Stored};

/// Anna (tab 1) and Bob (tab 2) in one conversation. The clock advances one second per event.
struct Story {
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

impl Story {
    /// Anna sends messages 1 and 2, both acknowledged. Bob receives 1, reads both, and sends his
    /// marks.
    fn whole() -> Self {
        let evidence = Evidence {
            stored: Stored { integrity: "ok".to_owned(), ..Stored::default() },
            ..Evidence::default()
        };
        let (anna, bob, conversation) = (UserId::new(), UserId::new(), ConversationId::new());
        let mut story = Self { anna, bob, conversation, evidence, at: 0 };
        story.say(1);
        story.hear(BOB, 1);
        story.say(2);
        story.mark(2);
        story.receipt(marks(2, 0));
        story.receipt(marks(2, 2));
        story.page(BOB, 0, 2);
        story.evidence.stored.last.insert(conversation, 2);
        story.evidence.stored.marks.insert((conversation, bob), marks(2, 2));
        let rows = story.evidence.stored.rows.iter().map(|row| (row.seq, row.id)).collect();
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
        story.evidence.screens.push(screen);
        story
    }

    fn write(&mut self, tab: Tab, what: What) {
        self.at += 1_000_000;
        let user = if tab == ANNA { self.anna } else { self.bob };
        self.evidence.events.push(Event { at: self.at, wall: 0, tab, user, what });
    }

    fn row(&self, seq: i64) -> Row {
        self.evidence.stored.rows.iter().find(|row| row.seq == seq).expect("a row").clone()
    }

    fn seen(&self, seq: i64) -> Seen {
        let Row { sender, id, body, .. } = self.row(seq);
        Seen { seq, sender, id, body }
    }

    fn ask(&mut self, ordinal: u64) -> ClientId {
        let (id, conversation) = (ClientId::new(), self.conversation);
        let body = format!("{ordinal}");
        self.write(ANNA, What::Asked { id, conversation, body, ordinal });
        id
    }

    fn say(&mut self, seq: i64) {
        let id = self.ask(u64::try_from(seq).expect("a place"));
        let (conversation, sender, body) = (self.conversation, self.anna, format!("{seq}"));
        self.evidence.stored.rows.push(Row { conversation, seq, sender, id, body });
        self.write(ANNA, What::Told { id, conversation, seq });
    }

    fn hear(&mut self, tab: Tab, seq: i64) {
        let (conversation, seen) = (self.conversation, self.seen(seq));
        self.write(tab, What::Heard { conversation, seen });
    }

    fn mark(&mut self, up_to: i64) {
        self.mark_as(BOB, up_to);
    }

    fn mark_as(&mut self, tab: Tab, up_to: i64) {
        let conversation = self.conversation;
        self.write(tab, What::Marked { conversation, marks: marks(up_to, up_to) });
    }

    fn receipt(&mut self, marks: Marks) {
        let (conversation, whose) = (self.conversation, self.bob);
        self.write(ANNA, What::Receipt { line: 1, conversation, whose, marks });
    }

    fn page(&mut self, tab: Tab, after: i64, last: i64) {
        let messages = (after + 1..=last).map(|seq| self.seen(seq)).collect();
        let what = What::Page {
            conversation: self.conversation,
            asked: self.at + 1,
            after: Some(after),
            messages,
            last_seq: last,
            mine: if tab == BOB { marks(2, 2) } else { Marks::default() },
            theirs: if tab == BOB { Marks::default() } else { marks(2, 2) },
            peer: if tab == BOB { self.anna } else { self.bob },
        };
        self.write(tab, what);
    }

    /// Asserts that the checker reports this invariant as violated.
    fn breaks(self, invariant: Invariant) {
        let found = check(&self.evidence);
        assert!(found.iter().any(|violation| violation.invariant == invariant), "{found:?}");
    }
}

#[test]
fn a_whole_history_breaks_nothing() {
    let found = check(&Story::whole().evidence);
    assert_eq!(found, []);
}

#[test]
fn an_unanswered_send_may_be_stored_or_not() {
    let mut story = Story::whole();
    let id = story.ask(3);
    story.write(ANNA, What::Unknown { id });
    assert_eq!(check(&story.evidence), []);
    story.say(3);
    story.evidence.events.pop();
    let stored = story.row(3).id;
    story.write(ANNA, What::Unknown { id: stored });
    story.evidence.stored.last.insert(story.conversation, 3);
    story.evidence.screens.clear();
    assert_eq!(check(&story.evidence), []);
}

#[test]
fn i1_an_acknowledged_message_that_is_gone() {
    let mut story = Story::whole();
    let (id, conversation) = (story.ask(3), story.conversation);
    story.write(ANNA, What::Told { id, conversation, seq: 3 });
    story.breaks(Invariant::I1);
}

#[test]
fn i1_an_acknowledged_message_at_another_place() {
    let mut story = Story::whole();
    story.say(3);
    let row = story.evidence.stored.rows.last_mut().expect("a row");
    row.seq = 4;
    story.breaks(Invariant::I1);
}

#[test]
fn i2_a_message_that_nobody_sent() {
    let mut story = Story::whole();
    let (conversation, sender) = (story.conversation, story.bob);
    let stranger = Row { conversation, seq: 3, sender, id: ClientId::new(), body: "?".to_owned() };
    story.evidence.stored.rows.push(stranger);
    story.breaks(Invariant::I2);
}

#[test]
fn i2_a_forged_text() {
    let mut story = Story::whole();
    story.evidence.stored.rows[0].body = "forged 1".to_owned();
    story.breaks(Invariant::I2);
}

#[test]
fn i2_a_message_that_was_refused_for_ever() {
    let mut story = Story::whole();
    story.say(3);
    story.evidence.events.pop();
    let id = story.row(3).id;
    story.write(ANNA, What::Refused { id, code: ErrorCode::NotFound });
    story.breaks(Invariant::I2);
}

#[test]
fn i3_a_message_that_is_stored_twice() {
    let mut story = Story::whole();
    let again = Row { seq: 3, ..story.row(2) };
    story.evidence.stored.rows.push(again);
    story.breaks(Invariant::I3);
}

#[test]
fn i3_a_repeat_with_another_answer() {
    let mut story = Story::whole();
    let (id, conversation) = (story.row(1).id, story.conversation);
    story.write(ANNA, What::Told { id, conversation, seq: 7 });
    story.breaks(Invariant::I3);
}

#[test]
fn i4_a_hole_in_the_numbers() {
    let mut story = Story::whole();
    story.evidence.stored.rows.remove(0);
    story.breaks(Invariant::I4);
}

#[test]
fn i4_a_counter_that_is_ahead() {
    let mut story = Story::whole();
    story.evidence.stored.last.insert(story.conversation, 3);
    story.breaks(Invariant::I4);
}

#[test]
fn i4_two_readers_with_two_orders() {
    let mut story = Story::whole();
    let (conversation, seen) = (story.conversation, Seen { seq: 1, ..story.seen(2) });
    story.write(BOB, What::Heard { conversation, seen });
    story.breaks(Invariant::I4);
}

#[test]
fn i4_a_page_with_a_hole() {
    let mut story = Story::whole();
    story.page(BOB, 0, 2);
    let Some(Event { what: What::Page { messages, .. }, .. }) = story.evidence.events.last_mut()
    else {
        panic!("no page")
    };
    messages.remove(0);
    story.breaks(Invariant::I4);
}

#[test]
fn i5_a_read_that_shows_less_than_before() {
    let mut story = Story::whole();
    story.page(BOB, 0, 1);
    story.breaks(Invariant::I5);
}

#[test]
fn i6_an_acknowledged_message_that_the_next_read_does_not_show() {
    let mut story = Story::whole();
    story.say(3);
    story.page(ANNA, 0, 2);
    story.breaks(Invariant::I6);
}

#[test]
fn i7_two_messages_of_one_tab_that_changed_places() {
    let mut story = Story::whole();
    for event in &mut story.evidence.events {
        if let What::Asked { ordinal, .. } = &mut event.what {
            *ordinal = 3 - *ordinal;
        }
    }
    story.breaks(Invariant::I7);
}

#[test]
fn i8_a_receipt_that_goes_back() {
    let mut story = Story::whole();
    story.receipt(marks(2, 1));
    story.breaks(Invariant::I8);
}

#[test]
fn i8_a_mark_that_nobody_said() {
    let mut story = Story::whole();
    story.receipt(marks(3, 2));
    story.breaks(Invariant::I8);
}

#[test]
fn i8_read_before_delivered() {
    let mut story = Story::whole();
    story.receipt(marks(1, 2));
    story.breaks(Invariant::I8);
}

#[test]
fn i8_a_stored_mark_behind_what_was_told() {
    let mut story = Story::whole();
    let whose = (story.conversation, story.bob);
    story.evidence.stored.marks.insert(whose, marks(2, 1));
    story.breaks(Invariant::I8);
}

#[test]
fn i9_a_screen_that_lacks_a_message() {
    let mut story = Story::whole();
    story.evidence.screens[0].rows.pop();
    story.breaks(Invariant::I9);
}

#[test]
fn i9_a_message_that_is_still_to_be_sent() {
    let mut story = Story::whole();
    story.evidence.screens[0].unsent = 1;
    story.breaks(Invariant::I9);
}

#[test]
fn i9_a_mark_that_was_not_kept() {
    let mut story = Story::whole();
    story.say(3);
    story.evidence.stored.last.insert(story.conversation, 3);
    let newest = (3, story.row(3).id);
    story.evidence.screens[0].rows.push(newest);
    story.breaks(Invariant::I9);
}

#[test]
fn i9_a_receipt_that_was_lost() {
    let mut story = Story::whole();
    let rows = story.evidence.screens[0].rows.clone();
    let (anna, bob, conversation) = (story.anna, story.bob, story.conversation);
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
    story.evidence.stored.marks.insert((conversation, anna), marks(2, 2));
    story.evidence.screens[0].theirs = marks(2, 2);
    story.mark_as(ANNA, 2);
    story.evidence.screens.push(screen.clone());
    assert_eq!(check(&story.evidence), []);
    screen.theirs = marks(2, 1);
    story.evidence.screens[1] = screen;
    story.breaks(Invariant::I9);
}

#[test]
fn i8_among_nodes_a_receipt_may_be_overtaken() {
    let mut story = Story::whole();
    story.receipt(marks(2, 1));
    story.evidence.terms.one_way = false;
    assert_eq!(check(&story.evidence), []);
}

#[test]
fn i10_among_nodes_the_end_of_a_session_may_take_longer() {
    let mut story = Story::whole();
    story.write(BOB, What::SignedOut);
    (0..3).for_each(|_| story.hear(BOB, 2));
    story.evidence.terms.ends_within = Some(std::time::Duration::from_secs(3));
    assert_eq!(check(&story.evidence), []);
    story.evidence.terms.ends_within = None;
    story.write(BOB, What::AfterEnd("a new line".to_owned()));
    story.breaks(Invariant::I10);
}

#[test]
fn i10_a_message_after_the_end_of_the_session() {
    let mut story = Story::whole();
    story.write(BOB, What::SignedOut);
    story.hear(BOB, 1);
    assert_eq!(check(&story.evidence), [], "a second later is in time");
    story.hear(BOB, 2);
    story.hear(BOB, 2);
    story.breaks(Invariant::I10);
}

#[test]
fn a_file_that_is_not_whole() {
    let mut story = Story::whole();
    story.evidence.stored.integrity = "row 3 missing from index".to_owned();
    story.breaks(Invariant::Server);
}
