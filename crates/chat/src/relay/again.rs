//! Telling everybody at this node to read again, because events may have been lost. Not all at
//! once: they all ask the store.
//!
//! Called by [`super::Relay`], the broker and the node's lease. Asked again while it tells, it
//! begins once more afterwards, and never twice.

use std::sync::Arc;

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::hub::{Hub, spread};

/// How many are told in a second.
const PER_SECOND: u32 = 2_000;

/// See the module. Cheap to clone.
#[derive(Clone, Default)]
pub(super) struct Again(Arc<Notify>);

impl Again {
    /// Asks for it; returns at once.
    pub(super) fn ask(&self) {
        self.0.notify_one();
    }

    /// Tells them whenever it is asked for. Ends with the token.
    pub(super) async fn run(self, hub: Arc<Hub>, end: CancellationToken) {
        let telling = async {
            loop {
                self.0.notified().await;
                tracing::debug!(connections = hub.connections(), "all are told to read again");
                let over = spread::at_rate(&hub, PER_SECOND);
                spread::visit(&hub, over, |line| line.push_read_again()).await;
            }
        };
        tokio::select! {
            () = end.cancelled() => {}
            () = telling => {}
        }
    }
}
