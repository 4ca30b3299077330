//! I8: marks only move forward, read implies delivered, and no mark exceeds what the user's tabs
//! sent.

use std::collections::HashMap;

use protocol::{ConversationId, Marks, Seq, UserId};

use super::{Evidence, Invariant, Violation};
use crate::log::{Tab, What};

type Whose = (ConversationId, UserId);

/// Observations of one user's marks in one conversation.
#[derive(Default)]
struct Known {
    /// The maximum that the user's tabs sent.
    said: Marks,
    /// The maximum that reads had shown up to each time.
    shown: Vec<(u64, Marks)>,
    /// The latest receipt of each connection.
    told: HashMap<(Tab, u32), Marks>,
    /// The maximum that any client received.
    furthest: Marks,
}

pub(super) fn check(evidence: &Evidence, found: &mut Vec<Violation>) {
    let mut all: HashMap<Whose, Known> = HashMap::new();
    for event in &evidence.events {
        match &event.what {
            What::Marked { conversation, marks } => {
                let known = all.entry((*conversation, event.user)).or_default();
                known.said = furthest(known.said, *marks);
            }
            What::Receipt { line, conversation, whose, marks } => {
                let known = all.entry((*conversation, *whose)).or_default();
                possible(known, *marks, found);
                let before = known.told.insert((event.tab, *line), *marks).unwrap_or_default();
                if evidence.terms.one_way && behind(*marks, before) {
                    let text = format!("{:?} was told {before:?}, then {marks:?}", event.tab);
                    found.push(Violation::new(Invariant::I8, text));
                }
                known.furthest = furthest(known.furthest, *marks);
            }
            What::Page { conversation, asked, mine, theirs, peer, .. } => {
                for (whose, marks) in [(event.user, *mine), (*peer, *theirs)] {
                    let known = all.entry((*conversation, whose)).or_default();
                    read(known, event.at, *asked, marks, found);
                }
            }
            _ => {}
        }
    }
    in_the_end(evidence, &all, found);
}

fn read(known: &mut Known, at: u64, asked: u64, marks: Marks, found: &mut Vec<Violation>) {
    possible(known, marks, found);
    let earlier = known.shown.partition_point(|(shown, _)| *shown < asked);
    let before = earlier.checked_sub(1).and_then(|last| known.shown.get(last));
    if let Some((_, before)) = before.filter(|(_, before)| behind(marks, *before)) {
        let text = format!("a read showed {before:?}, a later one {marks:?}");
        found.push(Violation::new(Invariant::I8, text));
    }
    let so_far = known.shown.last().map_or(Marks::default(), |(_, marks)| *marks);
    known.shown.push((at, furthest(so_far, marks)));
    known.furthest = furthest(known.furthest, marks);
}

fn possible(known: &Known, marks: Marks, found: &mut Vec<Violation>) {
    if marks.read > marks.delivered {
        found.push(Violation::new(Invariant::I8, format!("read before delivered: {marks:?}")));
    }
    if behind(known.said, marks) {
        let text = format!("{marks:?} although no more than {:?} was said", known.said);
        found.push(Violation::new(Invariant::I8, text));
    }
}

fn in_the_end(evidence: &Evidence, all: &HashMap<Whose, Known>, found: &mut Vec<Violation>) {
    for (whose, known) in all {
        let Some(stored) = evidence.stored.marks.get(whose) else { continue };
        possible(known, *stored, found);
        if behind(*stored, known.furthest) {
            let text = format!("{:?} was told, {stored:?} is stored", known.furthest);
            found.push(Violation::new(Invariant::I8, text));
        }
        let last = evidence.stored.last.get(&whose.0).copied().unwrap_or_default();
        if stored.delivered > Seq(last) {
            let text = format!("{stored:?} in a conversation of {last}");
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
