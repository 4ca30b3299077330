//! I4, I5 and I6: messages that clients saw, against the one list of each conversation.

use std::collections::HashMap;

use protocol::ConversationId;

use super::{Evidence, Invariant, Violation};
use crate::log::{Event, Seen, Tab, What};
use crate::store::Row;

pub(super) fn check(evidence: &Evidence, found: &mut Vec<Violation>) {
    let lists = evidence.lists();
    for (conversation, rows) in &lists {
        dense(*conversation, rows, found);
    }
    for (conversation, last) in &evidence.stored.last {
        let newest = lists.get(conversation).and_then(|rows| rows.last()).map_or(0, |row| row.seq);
        if newest != *last {
            let text = format!("{conversation} counts to {last}, its newest is at {newest}");
            found.push(Violation::new(Invariant::I4, text));
        }
    }
    for event in &evidence.events {
        match &event.what {
            What::Heard { conversation, seen } => {
                same(event, lists.get(conversation), seen, found);
            }
            What::Page { conversation, messages, after, last_seq, .. } => {
                for seen in messages {
                    same(event, lists.get(conversation), seen, found);
                }
                page(event, *after, messages, *last_seq, found);
            }
            _ => {}
        }
    }
    forward(evidence, found);
}

fn dense(conversation: ConversationId, rows: &[&Row], found: &mut Vec<Violation>) {
    for (row, place) in rows.iter().zip(1..) {
        if row.seq != place {
            let text = format!("{conversation} has {} where {place} belongs", row.seq);
            found.push(Violation::new(Invariant::I4, text));
            return;
        }
    }
}

/// Checks that a client saw the stored message at this seq.
fn same(event: &Event, rows: Option<&Vec<&Row>>, seen: &Seen, found: &mut Vec<Violation>) {
    let row = rows.and_then(|rows| {
        let place = rows.binary_search_by_key(&seen.seq, |row| row.seq).ok()?;
        rows.get(place)
    });
    let wrong = match row {
        None => format!("{:?} saw {} at {}, where nothing is", event.tab, seen.id, seen.seq),
        Some(row) if row.id != seen.id || row.sender != seen.sender => {
            format!("{:?} saw {} at {}, where {} is", event.tab, seen.id, seen.seq, row.id)
        }
        Some(row) if row.body != seen.body => {
            format!("{:?} saw another text at {}", event.tab, seen.seq)
        }
        Some(_) => return,
    };
    found.push(Violation::new(Invariant::I4, wrong));
}

/// Checks that a page has no gaps, begins at the requested seq, and does not exceed its own `last`.
fn page(event: &Event, after: Option<i64>, seen: &[Seen], last: i64, found: &mut Vec<Violation>) {
    let holes = seen.windows(2).any(|pair| pair[1].seq != pair[0].seq + 1);
    let first = seen.first().map(|seen| seen.seq);
    let begins = match after {
        Some(after) if after < last => first == Some(after + 1),
        _ => true,
    };
    let ends = match (after, seen.last()) {
        (None, newest) => newest.map_or(0, |seen| seen.seq) == last,
        (_, newest) => newest.is_none_or(|seen| seen.seq <= last),
    };
    if holes || !begins || !ends {
        let places: Vec<i64> = seen.iter().map(|seen| seen.seq).collect();
        let text = format!("{:?} asked after {after:?} of {last} and got {places:?}", event.tab);
        found.push(Violation::new(Invariant::I4, text));
    }
}

/// The highest seq observed up to a time.
struct Known {
    at: u64,
    seq: i64,
}

/// The highest seq that any client saw (`seen`) or that was acknowledged to a tab (`told`), by
/// time.
#[derive(Default)]
struct Knowledge {
    seen: Vec<Known>,
    told: HashMap<Tab, Vec<Known>>,
}

fn learn(list: &mut Vec<Known>, at: u64, seq: i64) {
    if list.last().is_none_or(|known| known.seq < seq) {
        list.push(Known { at, seq });
    }
}

/// Returns the highest seq observed before this moment.
fn before(list: &[Known], moment: u64) -> i64 {
    let later = list.partition_point(|known| known.at < moment);
    later.checked_sub(1).and_then(|last| list.get(last)).map_or(0, |known| known.seq)
}

/// Checks that each read shows everything observed before it was requested. This holds because
/// there is one store, and every later read sees a commit.
fn forward(evidence: &Evidence, found: &mut Vec<Violation>) {
    let mut knowledge: HashMap<ConversationId, Knowledge> = HashMap::new();
    for event in &evidence.events {
        match &event.what {
            What::Told { conversation, seq, .. } => {
                let known = knowledge.entry(*conversation).or_default();
                learn(known.told.entry(event.tab).or_default(), event.at, *seq);
            }
            What::Heard { conversation, seen } => {
                learn(&mut knowledge.entry(*conversation).or_default().seen, event.at, seen.seq);
            }
            What::Page { conversation, asked, last_seq, .. } => {
                let known = knowledge.entry(*conversation).or_default();
                let told = known.told.get(&event.tab).map_or(0, |told| before(told, *asked));
                let seen = before(&known.seen, *asked);
                if *last_seq < told {
                    let text = format!("{:?} was told {told}, then read {last_seq}", event.tab);
                    found.push(Violation::new(Invariant::I6, text));
                }
                if *last_seq < seen {
                    let text = format!("{:?} read to {last_seq} after {seen} was seen", event.tab);
                    found.push(Violation::new(Invariant::I5, text));
                }
                learn(&mut known.seen, event.at, *last_seq);
            }
            _ => {}
        }
    }
}
