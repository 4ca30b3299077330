//! The server's clock, as timestamps. For display and expiry only: nothing may be ordered by the
//! clock, because clocks are set back and differ between nodes. Called wherever a time is stored or
//! compared with a stored one.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use protocol::Timestamp;

pub(crate) fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(millis(since))
}

pub(crate) fn before(moment: Timestamp, span: Duration) -> Timestamp {
    Timestamp(moment.0.saturating_sub(millis(span)))
}

pub(crate) fn after(moment: Timestamp, span: Duration) -> Timestamp {
    Timestamp(moment.0.saturating_add(millis(span)))
}

fn millis(span: Duration) -> i64 {
    i64::try_from(span.as_millis()).unwrap_or(i64::MAX)
}
