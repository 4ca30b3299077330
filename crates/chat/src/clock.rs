//! The server's clock, as a timestamp. Only for showing and for lifetimes: nothing is ordered by it.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use protocol::Timestamp;

/// Now.
pub(crate) fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(millis(since))
}

/// This long before a moment.
pub(crate) fn before(moment: Timestamp, span: Duration) -> Timestamp {
    Timestamp(moment.0.saturating_sub(millis(span)))
}

/// This long after a moment.
pub(crate) fn after(moment: Timestamp, span: Duration) -> Timestamp {
    Timestamp(moment.0.saturating_add(millis(span)))
}

fn millis(span: Duration) -> i64 {
    i64::try_from(span.as_millis()).unwrap_or(i64::MAX)
}
