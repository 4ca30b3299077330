//! I8: marks only move forward, read implies delivered, and no mark exceeds what the user's tabs
//! sent.

use std::collections::HashMap;

use protocol::{ConversationId, Marks, Seq, UserId};

use super::{Evidence, Invariant, Violation};
use crate::client_log::{Observation, Tab};

type Whose = (ConversationId, UserId);

/// Observations of one user's marks in one conversation.
#[derive(Default)]
struct Observed {
    /// The maximum that the user's tabs sent.
    sent: Marks,
    /// The maximum that reads had shown up to each time.
    shown: Vec<(u64, Marks)>,
    /// The latest receipt of each connection.
    received: HashMap<(Tab, u32), Marks>,
    /// The maximum that any client received.
    furthest: Marks,
}

pub(super) fn check(evidence: &Evidence, found: &mut Vec<Violation>) {
    let mut all: HashMap<Whose, Observed> = HashMap::new();
    for event in &evidence.events {
        match &event.observation {
            Observation::MarksSent { conversation, marks } => {
                let observed = all.entry((*conversation, event.user)).or_default();
                observed.sent = furthest(observed.sent, *marks);
            }
            Observation::Receipt { connection, conversation, whose, marks } => {
                let observed = all.entry((*conversation, *whose)).or_default();
                check_possible(observed, *marks, found);
                let before =
                    observed.received.insert((event.tab, *connection), *marks).unwrap_or_default();
                if evidence.limits.ordered_receipts && behind(*marks, before) {
                    let text = format!("{:?} received {before:?}, then {marks:?}", event.tab);
                    found.push(Violation::new(Invariant::I8, text));
                }
                observed.furthest = furthest(observed.furthest, *marks);
            }
            Observation::HistoryPage { conversation, requested, mine, theirs, peer, .. } => {
                for (whose, marks) in [(event.user, *mine), (*peer, *theirs)] {
                    let observed = all.entry((*conversation, whose)).or_default();
                    check_read(observed, event.at, *requested, marks, found);
                }
            }
            _ => {}
        }
    }
    check_stored(evidence, &all, found);
}

/// Checks the marks that a read returned.
fn check_read(
    observed: &mut Observed,
    at: u64,
    requested: u64,
    marks: Marks,
    found: &mut Vec<Violation>,
) {
    check_possible(observed, marks, found);
    let earlier = observed.shown.partition_point(|(shown, _)| *shown < requested);
    let before = earlier.checked_sub(1).and_then(|last| observed.shown.get(last));
    if let Some((_, before)) = before.filter(|(_, before)| behind(marks, *before)) {
        let text = format!("a read returned {before:?}, a later read {marks:?}");
        found.push(Violation::new(Invariant::I8, text));
    }
    let so_far = observed.shown.last().map_or(Marks::default(), |(_, marks)| *marks);
    observed.shown.push((at, furthest(so_far, marks)));
    observed.furthest = furthest(observed.furthest, marks);
}

/// Checks that read implies delivered and that the user's tabs sent these marks.
fn check_possible(observed: &Observed, marks: Marks, found: &mut Vec<Violation>) {
    if marks.read > marks.delivered {
        found.push(Violation::new(Invariant::I8, format!("read before delivered: {marks:?}")));
    }
    if behind(observed.sent, marks) {
        let text = format!("{marks:?}, although the tabs sent at most {:?}", observed.sent);
        found.push(Violation::new(Invariant::I8, text));
    }
}

fn check_stored(evidence: &Evidence, all: &HashMap<Whose, Observed>, found: &mut Vec<Violation>) {
    for (whose, observed) in all {
        let Some(stored) = evidence.stored.marks.get(whose) else { continue };
        check_possible(observed, *stored, found);
        if behind(*stored, observed.furthest) {
            let text = format!("{:?} was received, but {stored:?} is stored", observed.furthest);
            found.push(Violation::new(Invariant::I8, text));
        }
        let last = evidence.stored.last.get(&whose.0).copied().unwrap_or_default();
        if stored.delivered > Seq(last) {
            let text = format!("{stored:?} in a conversation of {last} messages");
            found.push(Violation::new(Invariant::I8, text));
        }
    }
}

fn behind(marks: Marks, other: Marks) -> bool {
    marks.delivered < other.delivered || marks.read < other.read
}

fn furthest(one: Marks, other: Marks) -> Marks {
    Marks { delivered: one.delivered.max(other.delivered), read: one.read.max(other.read) }
}
