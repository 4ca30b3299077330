//! Tells every client of this node to resync, because events may have been lost. The clients are
//! told over a span of time, because each of them then queries the store.
//!
//! Called by [`super::Cluster`] and the broker. Requests during a run lead to one more run after it.

use std::sync::Arc;

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::hub::{Hub, pacing};

/// Clients told to resync per second.
const PER_SECOND: u32 = 2_000;

/// The trigger of a resync. Cheap to clone.
#[derive(Clone, Default)]
pub(super) struct Resync(Arc<Notify>);

impl Resync {
    /// Requests a resync; returns at once.
    pub(super) fn request(&self) {
        self.0.notify_one();
    }

    /// Runs a resync for each request. Ends with the token.
    pub(super) async fn run(self, hub: Arc<Hub>, end: CancellationToken) {
        let runs = async {
            loop {
                self.0.notified().await;
                tracing::debug!(connections = hub.connections(), "telling all clients to resync");
                let over = pacing::at_rate(&hub, PER_SECOND);
                pacing::visit(&hub, over, |outbound| outbound.push_resync()).await;
            }
        };
        tokio::select! {
            () = end.cancelled() => {}
            () = runs => {}
        }
    }
}
