//! I1, I2, I3 and I7: sent messages against stored messages.

use std::collections::HashMap;

use protocol::{ClientId, ConversationId, Retry, UserId};

use super::{Evidence, Invariant, Violation};
use crate::client_log::{Observation, Tab};
use crate::store::Row;

/// Number of characters of a body in the report.
const SHOWN: usize = 40;

/// A sent message according to the log.
struct Sent<'a> {
    tab: Tab,
    ordinal: u64,
    conversation: ConversationId,
    body: &'a str,
    acknowledged: Option<(ConversationId, i64)>,
    /// Whether the server refused the message permanently.
    refused: bool,
    unknown: bool,
}

type Key = (UserId, ClientId);

pub(super) fn check(evidence: &Evidence, found: &mut Vec<Violation>) {
    let sent = collect_sent(evidence, found);
    let mut stored: HashMap<Key, Vec<&Row>> = HashMap::new();
    for row in &evidence.stored.rows {
        stored.entry((row.sender, row.id)).or_default().push(row);
    }
    for (key, rows) in &stored {
        check_rows(sent.get(key), rows, found);
    }
    for (key, message) in &sent {
        check_sent(key, message, stored.get(key).map_or(&[], Vec::as_slice), found);
    }
    check_order(&sent, &stored, found);
}

/// Collects the sent messages and their answers from the log.
fn collect_sent<'a>(evidence: &'a Evidence, found: &mut Vec<Violation>) -> HashMap<Key, Sent<'a>> {
    let mut sent: HashMap<Key, Sent<'a>> = HashMap::new();
    for event in &evidence.events {
        match &event.observation {
            Observation::Attempted { id, conversation, body, ordinal } => {
                sent.entry((event.user, *id)).or_insert(Sent {
                    tab: event.tab,
                    ordinal: *ordinal,
                    conversation: *conversation,
                    body,
                    acknowledged: None,
                    refused: false,
                    unknown: false,
                });
            }
            Observation::Acknowledged { id, conversation, seq } => match sent
                .get_mut(&(event.user, *id))
            {
                None => {
                    let text =
                        format!("{id} was acknowledged to {:?}, which did not send it", event.tab);
                    found.push(Violation::new(Invariant::I2, text));
                }
                Some(message) => {
                    let acknowledged = *message.acknowledged.get_or_insert((*conversation, *seq));
                    if acknowledged != (*conversation, *seq) {
                        let text = format!(
                            "{id} was acknowledged at seq {} and at seq {seq}",
                            acknowledged.1
                        );
                        found.push(Violation::new(Invariant::I3, text));
                    }
                }
            },
            Observation::Refused { id, code } if code.retry() == Retry::Never => {
                if let Some(message) = sent.get_mut(&(event.user, *id)) {
                    message.refused = true;
                }
            }
            Observation::Unknown { id } => {
                if let Some(message) = sent.get_mut(&(event.user, *id)) {
                    message.unknown = true;
                }
            }
            _ => {}
        }
    }
    sent
}

/// Checks the rows of one sender and client id.
fn check_rows(sent: Option<&Sent<'_>>, rows: &[&Row], found: &mut Vec<Violation>) {
    let Some(row) = rows.first() else { return };
    if rows.len() > 1 {
        let seqs: Vec<i64> = rows.iter().map(|row| row.seq).collect();
        let text = format!("{} of {} is stored at seqs {seqs:?}", row.id, row.sender);
        found.push(Violation::new(Invariant::I3, text));
    }
    match sent {
        None => {
            let text = format!("{} is stored at seq {} and was never sent", row.id, row.seq);
            found.push(Violation::new(Invariant::I2, text));
        }
        Some(sent) => {
            for row in rows {
                if row.body != sent.body || row.conversation != sent.conversation {
                    let begins: String = row.body.chars().take(SHOWN).collect();
                    let text = format!("{} is not stored as sent: {begins:?}", row.id);
                    found.push(Violation::new(Invariant::I2, text));
                }
            }
        }
    }
}

/// Checks one sent message.
fn check_sent(key: &Key, sent: &Sent<'_>, rows: &[&Row], found: &mut Vec<Violation>) {
    if let Some((conversation, seq)) = sent.acknowledged {
        if rows.is_empty() {
            let text = format!("{} was acknowledged at seq {seq} and is not stored", key.1);
            found.push(Violation::new(Invariant::I1, text));
        } else if !rows.iter().any(|row| row.seq == seq && row.conversation == conversation) {
            let text = format!(
                "{} was acknowledged at seq {seq} and is stored at seq {}",
                key.1, rows[0].seq
            );
            found.push(Violation::new(Invariant::I1, text));
        }
    } else if sent.refused && !sent.unknown && !rows.is_empty() {
        let text = format!("{} was refused permanently and is stored", key.1);
        found.push(Violation::new(Invariant::I2, text));
    }
}

/// Checks the order: each tab sends one message of a conversation at a time, in the order of
/// ordinals.
fn check_order(
    sent: &HashMap<Key, Sent<'_>>,
    stored: &HashMap<Key, Vec<&Row>>,
    found: &mut Vec<Violation>,
) {
    let mut by_tab: HashMap<(Tab, ConversationId), Vec<(u64, i64)>> = HashMap::new();
    for (key, message) in sent {
        let Some(row) = stored.get(key).and_then(|rows| rows.first()) else { continue };
        let seqs = by_tab.entry((message.tab, message.conversation)).or_default();
        seqs.push((message.ordinal, row.seq));
    }
    for ((tab, _), mut seqs) in by_tab {
        seqs.sort_unstable();
        for pair in seqs.windows(2) {
            if pair[1].1 <= pair[0].1 {
                let text = format!(
                    "{tab:?} sent its message {} before its message {}, stored at seqs {} and {}",
                    pair[0].0, pair[1].0, pair[0].1, pair[1].1
                );
                found.push(Violation::new(Invariant::I7, text));
            }
        }
    }
}
