//! Checks that the connection to NATS carries events, and triggers a resync after every possible
//! loss.
//!
//! Every [`PROBE_EVERY`], a round trip on the connection of the events (see
//! [`crate::cluster::round_trips`]) detects a dead connection within seconds. Only this check sets
//! [`Broker::is_receiving`].
//! [`Broker::start`] starts the task, which ends with the chat; [`crate::cluster::subscriptions`]
//! calls [`Broker::answers`] to prove that a subscription is active.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use super::Broker;
use crate::cluster::round_trips::is_connected;
use crate::cluster::subject_space::SubjectSpace;

/// Interval between two checks of the connection.
pub(in crate::cluster) const PROBE_EVERY: Duration = Duration::from_secs(2);
/// Failed checks in a row before a reconnect is forced.
const UNANSWERED: u32 = 2;
/// Upper bound of the time that a move of all subscriptions may take.
const MOVED_WITHIN: Duration = Duration::from_secs(10);

impl Broker {
    /// Checks the connection periodically, and triggers a resync after every possible loss.
    pub(super) async fn probe(self: Arc<Self>) {
        let connects = || self.client.statistics().connects.load(Ordering::Relaxed);
        let (mut known, mut unanswered) = (connects(), 0);
        let mut begun = false;
        let mut spaces = self.subject_space();
        let mut has_moved = false;
        loop {
            if has_moved {
                self.wait_for_move(&spaces).await;
            }
            let answers = self.answers().await;
            let answered = self.is_receiving.swap(answers, Ordering::AcqRel);
            if answered != answers {
                self.changed.notify_one();
            }
            if answers {
                unanswered = 0;
                let is_reconnected = begun && (!answered || connects() != known);
                known = connects();
                begun = true;
                if is_reconnected {
                    tracing::info!("NATS answers again; all clients resync");
                }
                let has_missed = self.missed.swap(false, Ordering::AcqRel);
                if has_missed || is_reconnected || has_moved {
                    self.resync.request();
                    self.publish_resync();
                } else if self.lagged.swap(false, Ordering::AcqRel) {
                    self.resync.request();
                }
            } else {
                unanswered += 1;
                if answered || !begun {
                    tracing::warn!("NATS does not answer: events of other nodes arrive later");
                    begun = true;
                }
                if unanswered % UNANSWERED == 0 {
                    self.reconnect().await;
                }
            }
            self.rejections.log();
            has_moved = tokio::select! {
                () = sleep(PROBE_EVERY) => false,
                moved = spaces.changed() => moved.is_ok(),
            };
        }
    }

    /// Connects anew where a connection is established, but does not carry anything.
    async fn reconnect(&self) {
        if is_connected(&self.client) {
            // An error means that the NATS client has ended.
            let _ = self.client.force_reconnect().await;
        }
        self.round_trips.reconnect_witness().await;
    }

    /// Waits until all subscriptions have moved to the present instance. Events may have been
    /// published on the old subjects or on the new ones meanwhile, so the caller triggers a resync.
    async fn wait_for_move(&self, spaces: &watch::Receiver<SubjectSpace>) {
        let instance = spaces.borrow().instance().clone();
        tracing::info!(%instance, "the database server restarted or was replaced");
        if timeout(MOVED_WITHIN, self.subscriptions.are_active_on(&instance)).await.is_err() {
            self.note_missed();
        }
    }

    /// Returns whether a probe that is published from now on returns. Then all subscriptions that
    /// were made before are active, and events reach this node.
    pub(in crate::cluster) async fn answers(&self) -> bool {
        self.round_trips.probe().await
    }
}
