//! Decides from the log of the clients and the content of the store whether the server kept its
//! promises.
//!
//! Pure: evidence in, violations out. The checker trusts neither clients nor server; it only relies
//! on all log times coming from one clock. Its running time is linear in the length of the log.
//! Called after every round. Its tests contain a broken history for each invariant.
//!
//! # Layout
//! - `messages`: I1, I2, I3 and I7, about sent messages
//! - `reads`: I4, I5 and I6, about messages that clients saw
//! - `marks`: I8
//! - `limits`: the limits that differ between one server and several nodes
//! - `ends`: I9 and I10, about the final screens and ended sessions
//! - `copies`: I11, about a store and a copy of it

mod copies;
mod ends;
mod limits;
mod marks;
mod messages;
mod reads;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::fmt;

use protocol::{ClientId, ConversationId, Marks, UserId};
use serde::Serialize;

use crate::client_log::{Event, Tab};
use crate::store::{Row, Stored};
pub(crate) use copies::check_apart;
pub(crate) use limits::Limits;

/// The promises that the checker decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, clap::ValueEnum)]
pub(crate) enum Invariant {
    /// Every acknowledged message is in the history exactly once.
    I1,
    /// The history contains only messages that a client sent.
    I2,
    /// Each sender and client id have one row; an unanswered message is stored once or not at all.
    I3,
    /// Seqs have no gaps, and every user sees a prefix of one list.
    I4,
    /// A read never shows less than an earlier one.
    I5,
    /// The sender's next read contains each acknowledged message.
    I6,
    /// The messages of one tab keep their order.
    I7,
    /// Marks only move forward.
    I8,
    /// Soon after all faults are repaired, all screens equal the store.
    I9,
    /// No event reaches a session two seconds after its end.
    I10,
    /// A message sent to one store is neither stored nor received at a copy of it.
    I11,
    /// While the disk fails, the server acknowledges nothing unsafe and reports the failure;
    /// afterwards it recovers.
    Disk,
    /// The server starts and shuts down in order, and its store is intact.
    Server,
}

/// A promise that was not kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Violation {
    pub invariant: Invariant,
    /// Description for the report.
    pub text: String,
}

impl Violation {
    pub(crate) fn new(invariant: Invariant, text: impl Into<String>) -> Self {
        Self { invariant, text: text.into() }
    }
}

/// The harness reports that a server did not start or shut down in order.
impl From<anyhow::Error> for Violation {
    fn from(error: anyhow::Error) -> Self {
        Self::new(Invariant::Server, format!("{error:#}"))
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.invariant, self.text)
    }
}

/// The final state of one conversation in one tab.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Screen {
    pub tab: Tab,
    pub user: UserId,
    pub conversation: ConversationId,
    /// Seq and client id of each message.
    pub rows: Vec<(i64, ClientId)>,
    pub peer: UserId,
    /// The peer's marks as the tab shows them.
    pub theirs: Marks,
    /// Number of messages that are not acknowledged yet.
    pub unsent: usize,
    /// Whether the tab has a live connection.
    pub connected: bool,
}

/// Everything the checker needs of a round.
#[derive(Clone, Debug, Default)]
pub(crate) struct Evidence {
    /// Ordered by time.
    pub events: Vec<Event>,
    /// Content of the store after the round.
    pub stored: Stored,
    /// The screens at the end of the round.
    pub screens: Vec<Screen>,
    /// The limits of this kind of round.
    pub limits: Limits,
}

impl Evidence {
    /// Groups the stored rows by conversation, in the order of their seqs.
    fn lists(&self) -> HashMap<ConversationId, Vec<&Row>> {
        let mut lists: HashMap<_, Vec<&Row>> = HashMap::new();
        for row in &self.stored.rows {
            lists.entry(row.conversation).or_default().push(row);
        }
        lists
    }
}

/// Number of violations per invariant that are listed; the report counts the rest.
const LISTED: usize = 5;

/// Returns all violations of all invariants.
pub(crate) fn check(evidence: &Evidence) -> Vec<Violation> {
    let mut found = Vec::new();
    messages::check(evidence, &mut found);
    reads::check(evidence, &mut found);
    marks::check(evidence, &mut found);
    ends::check(evidence, &mut found);
    if evidence.stored.integrity != "ok" {
        let text = format!("the store is damaged: {}", evidence.stored.integrity);
        found.push(Violation::new(Invariant::Server, text));
    }
    found
}

/// Formats the first [`LISTED`] violations of each invariant, then the totals of those with more.
pub(crate) fn abridged(found: &[Violation]) -> Vec<String> {
    let mut counts: HashMap<Invariant, usize> = HashMap::new();
    let mut lines = Vec::new();
    for violation in found {
        let count = counts.entry(violation.invariant).or_default();
        *count += 1;
        if *count <= LISTED {
            lines.push(violation.to_string());
        }
    }
    let mut more: Vec<_> = counts.into_iter().filter(|(_, count)| *count > LISTED).collect();
    more.sort_unstable();
    lines.extend(more.iter().map(|(kind, count)| format!("{kind:?}: {count} in total")));
    lines
}
