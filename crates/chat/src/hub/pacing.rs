//! Visits every connection of this node, spread over time, because each visited client then queries
//! the store.

use std::time::Duration;

use super::{Hub, Outbound};

/// Interval between two steps.
const STEP: Duration = Duration::from_millis(50);

/// Visits every connection that exists at the start, evenly over the given time. Connections made
/// meanwhile are not visited.
pub(crate) async fn visit(hub: &Hub, over: Duration, visit: impl Fn(&Outbound)) {
    let outbounds = hub.outbounds();
    let steps = usize::try_from(over.as_millis() / STEP.as_millis()).unwrap_or(usize::MAX).max(1);
    let mut some = outbounds.chunks(outbounds.len().div_ceil(steps).max(1)).peekable();
    while let Some(now) = some.next() {
        now.iter().for_each(&visit);
        if some.peek().is_some() {
            tokio::time::sleep(STEP).await;
        }
    }
}

/// Returns how long a visit of all connections takes at this rate.
pub(crate) fn at_rate(hub: &Hub, per_second: u32) -> Duration {
    let connections = u32::try_from(hub.connections()).unwrap_or(u32::MAX);
    Duration::from_secs(connections.into()) / per_second
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use protocol::{SessionId, UserId};
    use tokio::time::Instant;

    use super::*;
    use crate::hub::FrameText;

    #[tokio::test(start_paused = true)]
    async fn every_connection_is_visited_once_and_not_all_at_once() {
        let hub = Hub::new(1_000, 10, Duration::ZERO);
        let connections: Vec<_> = (0..250)
            .map(|_| hub.join(UserId::new(), SessionId::new(), FrameText::default()).expect("room"))
            .collect();
        let (began, visits) = (Instant::now(), Mutex::new(Vec::new()));
        visit(&hub, at_rate(&hub, 125), |outbound| {
            visits.lock().expect("a list").push((outbound.id(), began.elapsed()));
        })
        .await;
        let mut visits = visits.into_inner().expect("a list");
        let early = visits.iter().filter(|(_, at)| *at < Duration::from_secs(1)).count();
        assert!((100..=150).contains(&early), "{early}");
        visits.sort_unstable();
        visits.dedup_by_key(|(id, _)| *id);
        assert_eq!(visits.len(), connections.len());
        assert!(began.elapsed() <= Duration::from_secs(2));
    }
}
