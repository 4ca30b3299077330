//! The limits that differ between one server and several nodes: how soon all nodes must end a
//! session, and whether events arrive by one path. Set by the rounds.

use std::time::Duration;

#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Time after which nothing may reach an ended session. `None` if the only promise is that its
    /// cookie is rejected.
    pub ends_within: Option<Duration>,
    /// Whether a connection receives a user's marks in the order in which they moved. Between
    /// several nodes each path has its own delay, and the page keeps the maximum.
    pub ordered_receipts: bool,
}

impl Default for Limits {
    /// The limits of one server.
    fn default() -> Self {
        Self { ends_within: Some(Duration::from_secs(2)), ordered_receipts: true }
    }
}
