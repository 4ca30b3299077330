//! The time limits of connections and requests. [`crate::config::Config`] carries them, so that
//! tests can shorten them; the operator cannot change them.

use std::time::Duration;

/// How long a client may take for each part of a connection. The live connection has further limits
/// in `socket` and `heartbeat`.
#[derive(Clone, Copy, Debug)]
pub struct TimeLimits {
    /// For a complete request head, and for the pause between two requests on one connection.
    pub head: Duration,
    /// For a complete request body.
    pub body: Duration,
    /// For the answer to a complete request.
    pub answer: Duration,
    /// For a client that takes no byte while the server has bytes to send.
    pub no_progress: Duration,
    /// The span in which a client has to take 8 KiB while the server has more to
    /// send.
    pub slow_span: Duration,
}

/// Fewest bytes that a client has to take in [`TimeLimits::slow_span`]: 140 bytes a second, less
/// than the slowest mobile networks carry.
pub(crate) const LEAST_TAKEN_BYTES: usize = 8 * 1024;

impl Default for TimeLimits {
    fn default() -> Self {
        Self {
            head: Duration::from_secs(10),
            body: Duration::from_secs(15),
            answer: Duration::from_secs(20),
            no_progress: Duration::from_secs(15),
            slow_span: Duration::from_secs(60),
        }
    }
}
