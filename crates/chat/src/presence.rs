//! Presence: pushes online state to peers. Only the last-seen time is stored for good.
//!
//! A user is online while they have a connection, and for a grace period after the last one ended.
//! No user stays online for ever: a silent connection times out, and where nodes share a store, the
//! store lists the users of each node and drops the list when the node's lease expires. Every push
//! queries the store for the peers who may see the presence, because both users must share it.
//! Called by [`crate::Chat`], and by [`crate::cluster`] for the users of failed nodes.

use std::collections::HashSet;
use std::sync::Arc;

use protocol::{Presence, ServerFrame, Timestamp, UserId};
use tokio_util::sync::CancellationToken;

use crate::clock;
use crate::hub::Hub;
use crate::relay::Relay;
use crate::store::{NodeId, Result, Store};
use crate::writer::{Write, Writer};

/// How many peers are notified of a presence or name change: the most recently active. The others
/// see the change when they next fetch the list.
pub(crate) const MOST_NOTIFIED: usize = 200;

pub(crate) struct PresenceBoard {
    node: NodeId,
    hub: Arc<Hub>,
    relay: Relay,
    store: Arc<dyn Store>,
    writer: Writer,
}

impl PresenceBoard {
    pub(crate) fn new(
        node: NodeId,
        hub: Arc<Hub>,
        relay: Relay,
        store: Arc<dyn Store>,
        writer: Writer,
    ) -> Self {
        Self { node, hub, relay, store, writer }
    }

    /// Returns which of these users are online, at this node or another.
    pub(crate) async fn present(&self, users: &[UserId]) -> HashSet<UserId> {
        let (here, rest): (Vec<_>, Vec<_>) =
            users.iter().copied().partition(|user| self.hub.is_present(*user));
        let mut present: HashSet<UserId> = here.into_iter().collect();
        if let Some(shared) = self.store.cluster_state()
            && !rest.is_empty()
        {
            match shared.present(&rest).await {
                Ok(elsewhere) => present.extend(elsewhere),
                Err(error) => tracing::warn!(%error, "could not read who is online at other nodes"),
            }
        }
        present
    }

    /// Handles the return of a user who was away from this node.
    pub(crate) async fn on_connected(&self, user: UserId) {
        let was_nowhere = match self.store.cluster_state() {
            Some(shared) => self.or_log(shared.arrive(self.node, user).await, user),
            None => true,
        };
        if was_nowhere {
            self.publish(user, true).await;
        }
    }

    /// Withdraws a user's presence from the peers who saw it.
    pub(crate) async fn hide(&self, user: UserId) {
        self.push(user, Presence::default()).await;
    }

    /// Publishes a user's presence again.
    pub(crate) async fn show(&self, user: UserId) {
        if self.present(&[user]).await.contains(&user) {
            self.push(user, Presence { online: true, last_seen: Some(clock::now()) }).await;
        }
    }

    /// Publishes to a blocked peer that the user, who is online, went offline; after the block, that
    /// the user is online.
    pub(crate) fn show_block(&self, user: UserId, peer: UserId, blocked: bool, now: Timestamp) {
        let presence = Presence { online: !blocked, last_seen: Some(now) };
        self.relay.publish(&[peer], &ServerFrame::Presence { user, presence }, None);
    }

    /// Waits for the grace period of each leaver, then notifies their peers. Ends with the token.
    pub(crate) async fn watch(self: Arc<Self>, end: CancellationToken) {
        loop {
            tokio::select! {
                () = end.cancelled() => return,
                user = self.hub.next_leaver() => self.on_grace_over(user).await,
            }
        }
    }

    async fn on_grace_over(&self, user: UserId) {
        let is_nowhere = match self.store.cluster_state() {
            Some(shared) => self.or_log(shared.depart(self.node, user).await, user),
            None => true,
        };
        if is_nowhere {
            self.publish(user, false).await;
        }
    }

    /// Returns the store's answer, or false after logging an error: the next new lease announces
    /// the users of this node again.
    fn or_log(&self, nowhere: Result<bool>, user: UserId) -> bool {
        nowhere.unwrap_or_else(|error| {
            tracing::warn!(%error, user.id = %user, "could not store a presence change");
            false
        })
    }

    /// Notifies the peers who may see a user's presence that the user came online or went offline.
    pub(crate) async fn publish(&self, user: UserId, online: bool) {
        // A full queue is ignored, because the next presence change submits the write again.
        let _ = self.writer.submit(Write::SeenUser(user));
        self.push(user, Presence { online, last_seen: Some(clock::now()) }).await;
    }

    async fn push(&self, user: UserId, presence: Presence) {
        let peers = match self.store.presence_peers(user, MOST_NOTIFIED).await {
            Ok(peers) => peers,
            Err(error) => {
                tracing::warn!(%error, user.id = %user, "could not publish a presence change");
                return;
            }
        };
        let reached: Vec<UserId> =
            peers.into_iter().filter(|peer| self.relay.reaches(*peer)).collect();
        self.relay.publish(&reached, &ServerFrame::Presence { user, presence }, None);
    }
}
