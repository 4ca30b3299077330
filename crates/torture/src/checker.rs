//! Decides, from what clients wrote down and what the store holds, whether the promises were kept.
//!
//! Pure: evidence in, violations out. It believes no client and no server, only that the clock
//! of the log is one. Linear in the length of the log. Called after every round; its tests feed it a
//! broken history for each invariant.
//!
//! # Layout
//! - `messages`: I1, I2, I3 and I7, about what was sent
//! - `reads`: I4, I5 and I6, about what was seen
//! - `marks`: I8
//! - `terms`: what differs from one kind of site to another
//! - `ends`: I9 and I10, about screens in the end and about sessions
//! - `copies`: I11, about a store and a copy of it

mod copies;
mod ends;
mod marks;
mod messages;
mod reads;
mod terms;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::fmt;

use protocol::{ClientId, ConversationId, Marks, UserId};
use serde::Serialize;

use crate::log::{Event, Tab};
use crate::store::{Row, Stored};
pub use copies::check_apart;
pub use terms::Terms;

/// What is promised.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, clap::ValueEnum)]
pub enum Invariant {
    /// Every acknowledged message is in the history exactly once.
    I1,
    /// Nothing is in the history that was not sent.
    I2,
    /// One row a sender and client id; an unanswered send is there once or not at all.
    I3,
    /// Numbers are dense, and everybody sees a prefix of one list.
    I4,
    /// Nobody sees less than before.
    I5,
    /// What was acknowledged is in the next read.
    I6,
    /// The messages of one tab keep their order.
    I7,
    /// Marks only move forward.
    I8,
    /// Soon after all was mended, all screens equal the store.
    I9,
    /// No event reaches a session two seconds after its end.
    I10,
    /// Nothing that was asked at one store is in a copy of it, or heard there.
    I11,
    /// While the disk fails nothing unsafe is acknowledged and the server says so; then all is well.
    Disk,
    /// The server ends and starts in order, and its store is whole.
    Server,
}

/// A promise that was not kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Violation {
    /// Which.
    pub invariant: Invariant,
    /// How, for a person.
    pub text: String,
}

impl Violation {
    /// See the fields.
    pub fn new(invariant: Invariant, text: impl Into<String>) -> Self {
        Self { invariant, text: text.into() }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.invariant, self.text)
    }
}

/// What a tab holds of a conversation in the end.
#[derive(Clone, Debug, Serialize)]
pub struct Screen {
    /// Which tab.
    pub tab: Tab,
    /// Whose.
    pub user: UserId,
    /// Where.
    pub conversation: ConversationId,
    /// Places and ids.
    pub rows: Vec<(i64, ClientId)>,
    /// Whom it is with.
    pub peer: UserId,
    /// How far the peer has come, as it shows.
    pub theirs: Marks,
    /// Messages it still wants to send.
    pub unsent: usize,
    /// Whether it is on the line.
    pub connected: bool,
}

/// All that is known of a round.
#[derive(Clone, Debug, Default)]
pub struct Evidence {
    /// In the order of their times.
    pub events: Vec<Event>,
    /// The store in the end.
    pub stored: Stored,
    /// The screens in the end.
    pub screens: Vec<Screen>,
    /// What is promised of this site.
    pub terms: Terms,
}

impl Evidence {
    /// The rows of each conversation that clients of this round used, by place.
    fn lists(&self) -> HashMap<ConversationId, Vec<&Row>> {
        let mut lists: HashMap<_, Vec<&Row>> = HashMap::new();
        for row in &self.stored.rows {
            lists.entry(row.conversation).or_default().push(row);
        }
        lists
    }
}

/// How many violations of one invariant are told; the rest is counted.
const TOLD: usize = 5;

/// All violations, a few of each kind in words.
pub fn check(evidence: &Evidence) -> Vec<Violation> {
    let mut found = Vec::new();
    messages::check(evidence, &mut found);
    reads::check(evidence, &mut found);
    marks::check(evidence, &mut found);
    ends::check(evidence, &mut found);
    if evidence.stored.integrity != "ok" {
        let text = format!("the store is not whole: {}", evidence.stored.integrity);
        found.push(Violation::new(Invariant::Server, text));
    }
    found
}

/// The same list, without the tenth of a kind.
pub fn abridged(found: &[Violation]) -> Vec<String> {
    let mut counts: HashMap<Invariant, usize> = HashMap::new();
    let mut lines = Vec::new();
    for violation in found {
        let count = counts.entry(violation.invariant).or_default();
        *count += 1;
        if *count <= TOLD {
            lines.push(violation.to_string());
        }
    }
    let mut more: Vec<_> = counts.into_iter().filter(|(_, count)| *count > TOLD).collect();
    more.sort_unstable();
    lines.extend(more.iter().map(|(kind, count)| format!("{kind:?}: {count} in all")));
    lines
}
