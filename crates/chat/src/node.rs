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

use crate::hub::Hub;
use crate::presence::PresenceBoard;
use crate::relay::Relay;
use crate::store::{self, ClusterState, Instance, NodeId, NodeKey, Renewed, Store};
use crate::writer::{Lead, Leads};

/// Lifetime of a lease; other nodes then treat this one as gone.
const LEASE: Duration = Duration::from_secs(10);
/// Interval of renewal.
const RENEW_EVERY: Duration = Duration::from_secs(3);
/// Interval of resyncs while a node does not receive the events of the others.
const READ_AGAIN_EVERY: Duration = Duration::from_secs(10);

/// A node and all that depends on its lease.
pub(crate) struct Node {
    pub(crate) id: NodeId,
    /// The key that signs leader requests to this node.
    pub(crate) key: NodeKey,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) hub: Arc<Hub>,
    pub(crate) relay: Relay,
    pub(crate) presence: Arc<PresenceBoard>,
    /// Publishes which node commits.
    pub(crate) leads: watch::Sender<Leads>,
}

impl Node {
    /// Renews the lease until the token is cancelled, then ends the lease.
    pub(crate) async fn hold_lease(self, end: CancellationToken) {
        let Some(shared) = self.store.cluster_state() else { return };
        let mut state =
            State { has_begun: false, heard: None, is_divided: false, read_at: Instant::now() };
        loop {
            let hears_in = self.relay.hears_in();
            match shared.renew(self.id, &self.key, hears_in.as_ref(), LEASE).await {
                Ok(renewed) => {
                    let is_news = renewed.is_new || state.heard != hears_in;
                    state.heard = hears_in;
                    // The database restarted or was replaced, so its instance name changed.
                    self.relay.move_to(&renewed.instance);
                    self.on_renewed(shared, renewed, &mut state).await;
                    if is_news {
                        self.relay.say_nodes_changed();
                    }
                }
                Err(error) => tracing::warn!(%error, "this node could not say that it is there"),
            }
            if state.is_divided && state.read_at.elapsed() >= READ_AGAIN_EVERY {
                state.read_at = Instant::now();
                self.relay.read_again_here();
            }
            tokio::select! {
                () = end.cancelled() => break,
                () = self.relay.nodes_changed() => {}
                () = tokio::time::sleep(RENEW_EVERY) => {}
            }
        }
        if let Err(error) = shared.end(self.id).await {
            tracing::warn!(%error, "the other nodes were not told that this one ends");
        }
        self.relay.say_nodes_changed();
    }

    async fn on_renewed(&self, shared: &dyn ClusterState, renewed: Renewed, state: &mut State) {
        let mut read_again = renewed.one_fell;
        if renewed.is_new {
            if let Err(error) = self.announce(shared).await {
                tracing::warn!(%error, "who is at this node could not be said");
            }
            // The first lease begins with no users here. A later new one means that other nodes
            // gave this one up and may have told its users' peers that they are offline.
            read_again |= state.has_begun;
        }
        state.has_begun = true;
        self.say_who_leads(shared, &renewed, state.heard.as_ref());
        if read_again {
            self.relay.read_again_everywhere();
        }
        for user in renewed.gone {
            self.presence.tell(user, false).await;
        }
        let is_divided = renewed.others > 0 && (renewed.one_is_deaf || !self.relay.hears());
        if is_divided && !state.is_divided {
            self.warn_of_division();
        }
        state.is_divided = is_divided;
    }

    /// Publishes the leader: the node with the oldest lease among those that receive each other's
    /// events.
    fn say_who_leads(
        &self,
        shared: &dyn ClusterState,
        renewed: &Renewed,
        hears_in: Option<&Instance>,
    ) {
        let hears = hears_in == Some(&renewed.instance) && self.relay.hears();
        let leads = match renewed.first {
            Some((first, key)) if renewed.others > 0 && hears => {
                let lead = Lead::new(first, key, renewed.instance.clone(), shared.secret());
                match first == self.id {
                    true => Leads::Here(Arc::new(lead)),
                    false => Leads::Elsewhere(Arc::new(lead)),
                }
            }
            _ => Leads::Nobody,
        };
        let is_changed = self.leads.send_if_modified(|now| {
            let is_other = *now != leads;
            if is_other {
                *now = leads;
            }
            is_other
        });
        if is_changed {
            tracing::info!(leads = ?*self.leads.borrow(), "which node commits has changed");
        }
    }

    async fn announce(&self, shared: &dyn ClusterState) -> store::Result<()> {
        for some in self.hub.present().chunks(1_000) {
            shared.announce(self.id, some).await?;
        }
        Ok(())
    }

    fn warn_of_division(&self) {
        if self.relay.has_broker() {
            tracing::warn!(
                "a node does not hear the others, or is of another version: people read again \
                 every 10 s"
            );
        } else {
            tracing::warn!(
                "another node stands on this database, and this one has no NATS to hear it by: \
                 people read again every 10 s. Set DUET_NATS_URL on each of them"
            );
        }
    }
}

struct State {
    has_begun: bool,
    /// The instance whose events this node receives, according to its lease.
    heard: Option<Instance>,
    /// Whether this node or another does not receive the events of the others.
    is_divided: bool,
    /// When the last resync because of `is_divided` began.
    read_at: Instant,
}
