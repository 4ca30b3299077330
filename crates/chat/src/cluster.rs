//! Everything that exists because several nodes may share one store.
//!
//! A node without a broker uses none of this, except that its lease tells other nodes on its
//! Postgres that it runs. The rest of the crate reaches this module through two seams:
//! - [`Cluster`], held by [`crate::relay::Relay`]: events to and from other nodes, and resyncs
//! - [`ClusterCommits`], an implementation of [`crate::writer::Commits`]: which node commits a batch
//!
//! A loss in the broker costs only time, because clients that may have missed an event are told to
//! resync. Nothing here decides a write: the store does.
//!
//! - `node`: the lease of this process, failed nodes, and the choice of the leader
//! - `broker`: the connection to NATS, publishing, and the check that events arrive
//! - `connect`: opening that connection, and its errors
//! - `round_trips`: probes that prove that the connection works and subscriptions are active
//! - `subscriptions`: one subscription per user with a connection here
//! - `signed_events`, `signing`: signatures of events, notices and leader requests
//! - `subject_space`: the subjects of one running database
//! - `resync`: resyncs of all connections here, spread over time
//! - `leader`, `leader_requests`: the node that commits for all, and how requests travel
//! - `merge`: merging the batches of several nodes into one transaction

mod broker;
mod connect;
mod leader;
mod leader_requests;
mod merge;
mod node;
mod resync;
mod round_trips;
mod signed_events;
mod signing;
mod subject_space;
mod subscriptions;

use std::sync::Arc;

use protocol::{Epoch, SessionId, UserId};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::health::Health;
use crate::hub::{FrameText, Hub};
use crate::store::{ClusterState, Instance, NodeId, Renewed, Store};
use crate::supervision::Supervisor;
use broker::Broker;
use leader::LeaderClient;
use resync::Resync;

pub use connect::BrokerError;
pub(crate) use leader::{Leadership, answer_leader_requests};
pub(crate) use merge::ClusterCommits;
pub(crate) use node::Node;
pub(crate) use subscriptions::Subscription;

/// The other nodes, as this one reaches them. Cheap to clone.
#[derive(Clone, Default)]
pub(crate) struct Cluster {
    resync: Resync,
    /// `None` on a node that runs without a broker.
    broker: Option<Arc<Broker>>,
}

impl Cluster {
    /// Connects this node to a broker. The epoch and the instance keep stores that share a broker apart.
    ///
    /// # Errors
    /// One line for the operator. A broker that cannot be reached at present is not an error.
    pub(crate) async fn connect(
        broker: &crate::config::Broker,
        node: NodeId,
        epoch: Epoch,
        shared: &dyn ClusterState,
        hub: Arc<Hub>,
    ) -> Result<Self, BrokerError> {
        let resync = Resync::default();
        let epoch = epoch.to_string();
        let broker = Broker::connect(broker, node, &epoch, shared, hub, resync.clone()).await?;
        Ok(Self { resync, broker: Some(broker) })
    }

    /// Returns the commits of a node with a broker; `None` without one, because then no other node
    /// can lead. `leadership` names the node that leads.
    pub(crate) fn commits(
        &self,
        node: NodeId,
        leadership: watch::Receiver<Leadership>,
        store: &Arc<dyn Store>,
        health: &Arc<Health>,
    ) -> Option<Arc<ClusterCommits>> {
        let leader = LeaderClient::new(self.broker.clone()?, node, leadership);
        Some(Arc::new(ClusterCommits::new(store.clone(), leader, health.clone())))
    }

    /// Starts the resync task and the broker's tasks. They end with the token.
    pub(crate) fn start(
        &self,
        hub: Arc<Hub>,
        tasks: &TaskTracker,
        end: &CancellationToken,
        supervisor: &Supervisor,
    ) {
        let resync = self.resync.clone().run(hub, end.clone());
        tasks.spawn(supervisor.essential("the task that tells clients to resync", resync));
        if let Some(broker) = &self.broker {
            broker.start(tasks, end, supervisor);
        }
    }

    /// Returns whether there is a broker.
    pub(crate) fn has_broker(&self) -> bool {
        self.broker.is_some()
    }

    /// Subscribes to a user's events from other nodes, until the returned value is dropped. `None`
    /// without a broker.
    pub(crate) async fn subscribe(&self, user: UserId) -> Option<Arc<Subscription>> {
        match &self.broker {
            Some(broker) => Some(subscriptions::open(broker, user).await),
            None => None,
        }
    }

    /// Publishes an event to a user's connections on other nodes.
    pub(crate) fn publish(&self, user: UserId, frame: &FrameText) {
        if let Some(broker) = &self.broker {
            broker.publish(user, frame.clone());
        }
    }

    /// Tells other nodes to close the connections of these sessions.
    pub(crate) fn publish_ended(&self, sessions: &[SessionId]) {
        if let Some(broker) = &self.broker {
            broker.publish_ended(sessions);
        }
    }

    /// Returns whether this node receives the events of other nodes.
    pub(crate) fn is_receiving(&self) -> bool {
        self.broker.as_ref().is_some_and(|broker| broker.is_receiving())
    }

    /// Returns the instance whose events this node receives, if it does.
    fn receives_from(&self) -> Option<Instance> {
        self.broker.as_ref()?.receives_from()
    }

    /// Follows a change of the database's instance name, of the nodes' secrets or of the clock.
    fn follow(&self, renewed: &Renewed) {
        if let Some(broker) = &self.broker {
            broker.follow(renewed);
        }
    }

    /// Tells other nodes to check the leases, because this node's lease has changed.
    fn publish_leases_changed(&self) {
        if let Some(broker) = &self.broker {
            broker.publish_leases_changed();
        }
    }

    /// Waits until the leases should be checked; never returns without a broker.
    async fn leases_changed(&self) {
        match &self.broker {
            Some(broker) => broker.leases_changed().await,
            None => std::future::pending().await,
        }
    }

    /// Tells every client of this node to resync.
    fn resync_here(&self) {
        self.resync.request();
    }

    /// Tells every client of every node to resync.
    fn resync_everywhere(&self) {
        self.resync.request();
        if let Some(broker) = &self.broker {
            broker.publish_resync();
        }
    }

    /// Publishes the events that are queued for the broker. Called when nothing more is published.
    pub(crate) async fn close(&self) {
        if let Some(broker) = &self.broker {
            broker.close().await;
        }
    }
}
