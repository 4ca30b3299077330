//! I4, I5 and I6: messages that clients saw, against the one list of each conversation.

use std::collections::HashMap;

use protocol::ConversationId;

use super::{Evidence, Invariant, Violation};
use crate::client_log::{Event, Observation, SeenMessage, Tab};
use crate::store::Row;

pub(super) fn check(evidence: &Evidence, found: &mut Vec<Violation>) {
    let lists = evidence.lists();
    for (conversation, rows) in &lists {
        check_dense(*conversation, rows, found);
    }
    for (conversation, last) in &evidence.stored.last {
        let newest = lists.get(conversation).and_then(|rows| rows.last()).map_or(0, |row| row.seq);
        if newest != *last {
            let text = format!(
                "last_seq of {conversation} is {last}, but its newest message has seq {newest}"
            );
            found.push(Violation::new(Invariant::I4, text));
        }
    }
    for event in &evidence.events {
        match &event.observation {
            Observation::Received { conversation, seen } => {
                check_seen(event, lists.get(conversation), seen, found);
            }
            Observation::HistoryPage { conversation, messages, after, last_seq, .. } => {
                for seen in messages {
                    check_seen(event, lists.get(conversation), seen, found);
                }
                check_page(event, *after, messages, *last_seq, found);
            }
            _ => {}
        }
    }
    check_forward(evidence, found);
}

/// Checks that the seqs of a conversation have no gap.
fn check_dense(conversation: ConversationId, rows: &[&Row], found: &mut Vec<Violation>) {
    for (row, expected) in rows.iter().zip(1..) {
        if row.seq != expected {
            let text = format!("{conversation} has seq {} instead of {expected}", row.seq);
            found.push(Violation::new(Invariant::I4, text));
            return;
        }
    }
}

/// Checks that a client saw the stored message at this seq.
fn check_seen(
    event: &Event,
    rows: Option<&Vec<&Row>>,
    seen: &SeenMessage,
    found: &mut Vec<Violation>,
) {
    let row = rows.and_then(|rows| {
        let index = rows.binary_search_by_key(&seen.seq, |row| row.seq).ok()?;
        rows.get(index)
    });
    let wrong = match row {
        None => format!(
            "{:?} saw {} at seq {}, where no message is stored",
            event.tab, seen.id, seen.seq
        ),
        Some(row) if row.id != seen.id || row.sender != seen.sender => {
            format!(
                "{:?} saw {} at seq {}, where {} is stored",
                event.tab, seen.id, seen.seq, row.id
            )
        }
        Some(row) if row.body != seen.body => {
            format!("{:?} saw another text at seq {}", event.tab, seen.seq)
        }
        Some(_) => return,
    };
    found.push(Violation::new(Invariant::I4, wrong));
}

/// Checks that a page has no gaps, begins at the requested seq, and does not exceed its own `last`.
fn check_page(
    event: &Event,
    after: Option<i64>,
    seen: &[SeenMessage],
    last: i64,
    found: &mut Vec<Violation>,
) {
    let gaps = seen.windows(2).any(|pair| pair[1].seq != pair[0].seq + 1);
    let first = seen.first().map(|seen| seen.seq);
    let begins = match after {
        Some(after) if after < last => first == Some(after + 1),
        _ => true,
    };
    let ends = match (after, seen.last()) {
        (None, newest) => newest.map_or(0, |seen| seen.seq) == last,
        (_, newest) => newest.is_none_or(|seen| seen.seq <= last),
    };
    if gaps || !begins || !ends {
        let seqs: Vec<i64> = seen.iter().map(|seen| seen.seq).collect();
        let text = format!(
            "{:?} requested the page after {after:?} of {last} and received {seqs:?}",
            event.tab
        );
        found.push(Violation::new(Invariant::I4, text));
    }
}

/// The highest seq observed up to a time.
struct Maximum {
    at: u64,
    seq: i64,
}

/// The highest seq that any client saw (`seen`), and that was acknowledged to each tab
/// (`acknowledged`), by time.
#[derive(Default)]
struct Maxima {
    seen: Vec<Maximum>,
    acknowledged: HashMap<Tab, Vec<Maximum>>,
}

fn raise(list: &mut Vec<Maximum>, at: u64, seq: i64) {
    if list.last().is_none_or(|maximum| maximum.seq < seq) {
        list.push(Maximum { at, seq });
    }
}

/// Returns the highest seq observed before this moment.
fn before(list: &[Maximum], moment: u64) -> i64 {
    let later = list.partition_point(|maximum| maximum.at < moment);
    later.checked_sub(1).and_then(|last| list.get(last)).map_or(0, |maximum| maximum.seq)
}

/// Checks that each read shows everything observed before it was requested. This holds because
/// there is one store, and every later read sees a commit.
fn check_forward(evidence: &Evidence, found: &mut Vec<Violation>) {
    let mut by_conversation: HashMap<ConversationId, Maxima> = HashMap::new();
    for event in &evidence.events {
        match &event.observation {
            Observation::Acknowledged { conversation, seq, .. } => {
                let maxima = by_conversation.entry(*conversation).or_default();
                raise(maxima.acknowledged.entry(event.tab).or_default(), event.at, *seq);
            }
            Observation::Received { conversation, seen } => {
                raise(
                    &mut by_conversation.entry(*conversation).or_default().seen,
                    event.at,
                    seen.seq,
                );
            }
            Observation::HistoryPage { conversation, requested, last_seq, .. } => {
                let maxima = by_conversation.entry(*conversation).or_default();
                let acknowledged = maxima
                    .acknowledged
                    .get(&event.tab)
                    .map_or(0, |acknowledged| before(acknowledged, *requested));
                let seen = before(&maxima.seen, *requested);
                if *last_seq < acknowledged {
                    let text = format!(
                        "{:?} received an acknowledgement of seq {acknowledged}, then read to {last_seq}",
                        event.tab
                    );
                    found.push(Violation::new(Invariant::I6, text));
                }
                if *last_seq < seen {
                    let text =
                        format!("{:?} read up to {last_seq} after seq {seen} was seen", event.tab);
                    found.push(Violation::new(Invariant::I5, text));
                }
                raise(&mut maxima.seen, event.at, *last_seq);
            }
            _ => {}
        }
    }
}
