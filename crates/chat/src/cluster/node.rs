//! The lease of this process among the nodes on one store: renews it, detects nodes that are gone,
//! and derives which node leads.
//!
//! Does nothing on a store that nodes cannot share. [`crate::Chat`] runs it as one task, which ends
//! with the chat.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::Cluster;
use super::leader::{LeaderNode, Leadership};
use crate::hub::Hub;
use crate::presence::PresenceBoard;
use crate::store::{self, ClusterState, Instance, NodeId, NodeKey, Renewed, Store};

/// Lifetime of a lease; other nodes then treat this one as gone.
const LEASE: Duration = Duration::from_secs(10);
/// Interval of renewal.
const RENEW_EVERY: Duration = Duration::from_secs(3);
/// Shortest interval between two renewals, however many notices arrive.
const RENEW_AT_MOST_EVERY: Duration = Duration::from_millis(250);
/// Interval of resyncs while a node does not receive the events of the others.
const RESYNC_EVERY: Duration = Duration::from_secs(10);

/// A node and all that depends on its lease.
pub(crate) struct Node {
    pub(crate) id: NodeId,
    /// The key that signs leader requests to this node.
    pub(crate) key: NodeKey,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) hub: Arc<Hub>,
    pub(crate) cluster: Cluster,
    pub(crate) presence: Arc<PresenceBoard>,
    /// Publishes which node commits.
    pub(crate) leadership: watch::Sender<Leadership>,
}

impl Node {
    /// Renews the lease until the token is cancelled, then ends the lease.
    pub(crate) async fn hold_lease(self, end: CancellationToken) {
        let Some(shared) = self.store.cluster_state() else { return };
        let mut state = State {
            has_begun: false,
            received_from: None,
            is_degraded: false,
            resynced_at: Instant::now(),
        };
        loop {
            let receives_from = self.cluster.receives_from();
            match shared.renew(self.id, &self.key, receives_from.as_ref(), LEASE).await {
                Ok(renewed) => {
                    let is_changed = renewed.is_new || state.received_from != receives_from;
                    state.received_from = receives_from;
                    self.cluster.follow(&renewed);
                    self.on_renewed(shared, renewed, &mut state).await;
                    if is_changed {
                        self.cluster.publish_leases_changed();
                    }
                }
                Err(error) => tracing::warn!(%error, "could not renew the lease of this node"),
            }
            if state.is_degraded && state.resynced_at.elapsed() >= RESYNC_EVERY {
                state.resynced_at = Instant::now();
                self.cluster.resync_here();
            }
            let next_renewal = async {
                tokio::time::sleep(RENEW_AT_MOST_EVERY).await;
                let rest = RENEW_EVERY.saturating_sub(RENEW_AT_MOST_EVERY);
                // After a timeout the lease is due.
                let _ = tokio::time::timeout(rest, self.cluster.leases_changed()).await;
            };
            tokio::select! {
                () = end.cancelled() => break,
                () = next_renewal => {}
            }
        }
        if let Err(error) = shared.end(self.id).await {
            tracing::warn!(%error, "could not end the lease of this node");
        }
        self.cluster.publish_leases_changed();
    }

    async fn on_renewed(&self, shared: &dyn ClusterState, renewed: Renewed, state: &mut State) {
        let mut must_resync = renewed.node_failed;
        if renewed.is_new {
            if let Err(error) = self.announce(shared).await {
                tracing::warn!(%error, "could not announce the users of this node");
            }
            // The first lease begins with no users here. A later new one means that other nodes
            // gave this one up and may have told its users' peers that they are offline.
            must_resync |= state.has_begun;
        }
        state.has_begun = true;
        self.publish_leadership(&renewed, state.received_from.as_ref());
        if must_resync {
            self.cluster.resync_everywhere();
        }
        for user in renewed.gone {
            self.presence.publish(user, false).await;
        }
        let is_degraded =
            renewed.others > 0 && (renewed.is_degraded || !self.cluster.is_receiving());
        if is_degraded && !state.is_degraded {
            self.warn_of_degradation();
        }
        state.is_degraded = is_degraded;
    }

    /// Publishes the leader: the node with the oldest lease among those that receive each other's
    /// events.
    fn publish_leadership(&self, renewed: &Renewed, receives_from: Option<&Instance>) {
        let is_receiving = receives_from == Some(&renewed.instance) && self.cluster.is_receiving();
        let leadership = match renewed.leader {
            Some((id, key)) if renewed.others > 0 && is_receiving => {
                let leader =
                    LeaderNode::new(id, key, renewed.instance.clone(), renewed.secrets.clone());
                match id == self.id {
                    true => Leadership::Here(Arc::new(leader)),
                    false => Leadership::Elsewhere(Arc::new(leader)),
                }
            }
            _ => Leadership::Nobody,
        };
        let is_changed = self.leadership.send_if_modified(|now| {
            let is_other = *now != leadership;
            if is_other {
                *now = leadership;
            }
            is_other
        });
        if is_changed {
            tracing::info!(leads = ?*self.leadership.borrow(), "the leader has changed");
        }
    }

    async fn announce(&self, shared: &dyn ClusterState) -> store::Result<()> {
        for some in self.hub.present().chunks(1_000) {
            shared.announce(self.id, some).await?;
        }
        Ok(())
    }

    fn warn_of_degradation(&self) {
        if self.cluster.has_broker() {
            tracing::warn!(
                "a node does not receive the events of the others, or runs another version: all \
                 clients resync every 10 s"
            );
        } else {
            tracing::warn!(
                "another node uses this database, and this node has no NATS to receive its events: \
                 all clients resync every 10 s. Set DUET_NATS_URL on every node"
            );
        }
    }
}

struct State {
    has_begun: bool,
    /// The instance whose events this node receives, according to its lease.
    received_from: Option<Instance>,
    /// Whether this node or another does not receive the events of the others.
    is_degraded: bool,
    /// When the last resync because of `is_degraded` began.
    resynced_at: Instant,
}
