//! I9: screens equal the store after all faults are repaired. I10: nothing reaches a session after
//! its end.

use std::collections::HashMap;

use protocol::{ClientId, Seq};

use super::{Evidence, Invariant, Screen, Violation};
use crate::client_log::{Observation, Tab};

pub(super) fn check(evidence: &Evidence, found: &mut Vec<Violation>) {
    let lists = evidence.lists();
    for screen in &evidence.screens {
        let list = lists.get(&screen.conversation).map_or(&[][..], Vec::as_slice);
        let stored: Vec<_> = list.iter().map(|row| (row.seq, row.id)).collect();
        check_rows(screen, &stored, found);
        check_own_marks(evidence, screen, found);
        check_peer_marks(evidence, screen, found);
    }
    check_sessions(evidence, found);
}

/// Checks that a screen shows the stored messages.
fn check_rows(screen: &Screen, stored: &[(i64, ClientId)], found: &mut Vec<Violation>) {
    let wrong = if !screen.connected {
        "is not connected".to_owned()
    } else if screen.unsent > 0 {
        format!("still has {} messages in the outbox", screen.unsent)
    } else if screen.rows != stored {
        let index =
            screen.rows.iter().zip(stored).take_while(|(shown, stored)| shown == stored).count();
        format!(
            "shows {} messages of {}; the first difference is at message {}",
            screen.rows.len(),
            stored.len(),
            index + 1
        )
    } else {
        return;
    };
    let text = format!("{:?} in {} {wrong}", screen.tab, screen.conversation);
    found.push(Violation::new(Invariant::I9, text));
}

/// Checks that all messages of the conversation are marked as read: a tab repeats its marks until
/// they are stored.
fn check_own_marks(evidence: &Evidence, screen: &Screen, found: &mut Vec<Violation>) {
    let last = evidence.stored.last.get(&screen.conversation).copied().unwrap_or_default();
    let marks = evidence.stored.marks.get(&(screen.conversation, screen.user));
    let marks = marks.copied().unwrap_or_default();
    if marks.delivered < Seq(last) || marks.read < Seq(last) {
        let text = format!("{:?} has read {last} messages, but {marks:?} is stored", screen.tab);
        found.push(Violation::new(Invariant::I9, text));
    }
}

/// Checks that a tab shows the stored marks of the peer, even if a receipt was lost on the way.
fn check_peer_marks(evidence: &Evidence, screen: &Screen, found: &mut Vec<Violation>) {
    let stored = evidence.stored.marks.get(&(screen.conversation, screen.peer));
    let stored = stored.copied().unwrap_or_default();
    if screen.theirs != stored {
        let text = format!(
            "{:?} in {} shows {:?} of its peer, but {stored:?} is stored",
            screen.tab, screen.conversation, screen.theirs
        );
        found.push(Violation::new(Invariant::I9, text));
    }
}

/// Checks that nothing arrived after the end of a session.
fn check_sessions(evidence: &Evidence, found: &mut Vec<Violation>) {
    let within = evidence.limits.ends_within;
    let within = within.map(|within| u64::try_from(within.as_micros()).unwrap_or(u64::MAX));
    let mut ended: HashMap<Tab, u64> = HashMap::new();
    for event in &evidence.events {
        let mut limit = within;
        let what = match &event.observation {
            Observation::SignedOut => {
                ended.insert(event.tab, event.at);
                continue;
            }
            Observation::Received { seen, .. } => format!("message {}", seen.seq),
            Observation::Receipt { .. } => "a receipt".to_owned(),
            Observation::HistoryPage { .. } => "a page".to_owned(),
            Observation::Acknowledged { .. } => "an acknowledgement".to_owned(),
            Observation::AcceptedAfterSignOut(request) => {
                limit = Some(0);
                request.clone()
            }
            _ => continue,
        };
        let Some(end) = ended.get(&event.tab) else { continue };
        let late = event.at.saturating_sub(*end);
        if limit.is_some_and(|limit| late > limit) {
            let text = format!(
                "{:?} received {what} {} ms after the end of its session",
                event.tab,
                late / 1_000
            );
            found.push(Violation::new(Invariant::I10, text));
        }
    }
}
