//! Tells every client of this node to resync, because events may have been lost. The clients are
//! told over a span of time, because each of them then queries the store.
//!
//! Called by [`super::Cluster`] and the broker. However many requests arrive, a run begins at most
//! once every [`AT_MOST_EVERY`]. Requests during a run or in that time lead to one more run.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use crate::hub::{Hub, pacing};

/// Clients told to resync per second.
const PER_SECOND: u32 = 2_000;
/// Shortest interval between the beginnings of two runs.
const AT_MOST_EVERY: Duration = Duration::from_secs(5);

/// The trigger of a resync. Cheap to clone.
#[derive(Clone, Default)]
pub(super) struct Resync(Arc<Notify>);

impl Resync {
    /// Requests a resync; returns at once.
    pub(super) fn request(&self) {
        self.0.notify_one();
    }

    /// Runs a resync for the requests. Ends with the token.
    pub(super) async fn run(self, hub: Arc<Hub>, end: CancellationToken) {
        let runs = async {
            loop {
                self.0.notified().await;
                let next = Instant::now() + AT_MOST_EVERY;
                tracing::debug!(connections = hub.connections(), "telling all clients to resync");
                let over = pacing::at_rate(&hub, PER_SECOND);
                pacing::visit(&hub, over, |outbound| outbound.push_resync()).await;
                sleep_until(next).await;
            }
        };
        tokio::select! {
            () = end.cancelled() => {}
            () = runs => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use protocol::{SessionId, UserId};

    use super::*;
    use crate::hub::{FrameText, Queued};

    #[tokio::test(start_paused = true)]
    async fn clients_resync_every_few_seconds_however_many_requests_arrive() {
        let hub = Hub::new(1_000, 10, Duration::ZERO);
        let joined = hub.join(UserId::new(), SessionId::new(), FrameText::default());
        let (mut connection, _) = joined.expect("room");
        assert!(matches!(connection.next().await, Ok(Queued::Frame(_))));
        let (resync, end) = (Resync::default(), CancellationToken::new());
        let task = tokio::spawn(resync.clone().run(hub, end.clone()));
        // Ten thousand requests in ten seconds.
        for _ in 0..10_000 {
            resync.request();
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        // The last requests are not forgotten.
        tokio::time::sleep(AT_MOST_EVERY).await;
        let mut resyncs = 0;
        while let Some(queued) = connection.try_next() {
            assert!(matches!(queued, Queued::Resync));
            resyncs += 1;
        }
        assert!((3..=4).contains(&resyncs), "{resyncs}");
        end.cancel();
        task.await.expect("ended");
    }
}
