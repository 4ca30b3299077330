//! The part of the store for reports to the operator: its trait, parameters and results. Called by
//! [`crate::reports`], and for the operator's command by [`crate::begin`].

use std::fmt;
use std::str::FromStr;

use async_trait::async_trait;
use protocol::{ConversationId, Seq, Timestamp, User, UserId};
use uuid::Uuid;

use super::{Caller, Result};

/// The reports to the operator.
#[async_trait]
pub trait ReportStore: Send + Sync + 'static {
    /// Stores a report about the caller's peer, with copies of the chosen messages. Returns false
    /// and stores nothing if the caller cannot read the text of every message.
    async fn store_report(&self, me: Caller, new: NewReport<'_>, now: Timestamp) -> Result<bool>;

    /// At most `limit` open reports, the oldest first.
    async fn reports(&self, limit: usize) -> Result<Vec<Report>>;

    /// Deletes a report and its copies of messages. False if there is no such report.
    async fn close_report(&self, id: ReportId) -> Result<bool>;
}

/// The id of a report, which its author does not get.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReportId(pub Uuid);

impl FromStr for ReportId {
    type Err = uuid::Error;

    fn from_str(text: &str) -> std::result::Result<Self, Self::Err> {
        text.parse().map(Self)
    }
}

impl fmt::Display for ReportId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A report to store.
#[derive(Clone, Copy, Debug)]
pub struct NewReport<'a> {
    /// The id of the report.
    pub id: ReportId,
    /// The conversation with the reported user.
    pub conversation: ConversationId,
    /// The chosen messages, each once.
    pub messages: &'a [Seq],
    /// The reason; may be empty.
    pub reason: &'a str,
}

/// A stored report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The id of the report.
    pub id: ReportId,
    /// The author of the report. The names are empty if the account was deleted.
    pub reporter: User,
    /// The reported user; likewise.
    pub reported: User,
    /// The reason; may be empty.
    pub reason: String,
    /// When the report was stored.
    pub created_at: Timestamp,
    /// The chosen messages, in the order of their seqs.
    pub messages: Vec<ReportedMessage>,
}

/// A copy of a message in a report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReportedMessage {
    /// The number of the message in its conversation.
    pub seq: Seq,
    /// The user who sent the message.
    pub sender: UserId,
    /// The text.
    pub body: String,
    /// When the message was stored.
    pub sent_at: Timestamp,
}
