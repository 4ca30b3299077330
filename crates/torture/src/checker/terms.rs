//! What differs from one kind of site to another: how soon all nodes must know that a session has
//! ended, and whether events come by one way. Said by the rounds.

use std::time::Duration;

/// See the module.
#[derive(Clone, Copy, Debug)]
pub struct Terms {
    /// Within this nothing may reach a session any more that has ended; none where nothing is
    /// promised but that its cookie opens nothing.
    pub ends_within: Option<Duration>,
    /// Whether a line hears the marks of a person in the order in which they moved. Where nodes pass
    /// them on to each other each way has its own delay, and a page keeps the furthest.
    pub one_way: bool,
}

impl Default for Terms {
    /// Of one server.
    fn default() -> Self {
        Self { ends_within: Some(Duration::from_secs(2)), one_way: true }
    }
}
