//! Whether people are there: pushed to those they talk with, never stored but for "last seen".
//!
//! Someone is online while they have a connection, and for a grace time after the last one ended.
//! Presence follows connections, and connections end by themselves when nothing is heard from
//! them; where nodes share a store, who is at which is kept in it, and a node that is not heard of
//! is given up with those who were at it. So nobody stays online for ever. Who may see it is asked in the store, for each telling:
//! both must show it. Called by [`crate::Chat`].

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use protocol::{Presence, ServerFrame, UserId};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::time::DelayQueue;

use crate::clock;
use crate::hub::Hub;
use crate::relay::Relay;
use crate::store::{NodeId, Result, Store};
use crate::writer::{Write, Writer};

/// How many of the people one talks with are told at once that one came, went or changed one's
/// name: the latest. The others see it when they next read the list.
pub(crate) const TOLD: usize = 200;

pub(crate) struct PresenceBoard {
    node: NodeId,
    hub: Arc<Hub>,
    relay: Relay,
    store: Arc<dyn Store>,
    writer: Writer,
    grace: Duration,
}

impl PresenceBoard {
    pub(crate) fn new(
        node: NodeId,
        hub: Arc<Hub>,
        relay: Relay,
        store: Arc<dyn Store>,
        writer: Writer,
        grace: Duration,
    ) -> Self {
        Self { node, hub, relay, store, writer, grace }
    }

    /// Those of these people who are there, at this node or another.
    pub(crate) async fn present(&self, users: &[UserId]) -> HashSet<UserId> {
        let (here, rest): (Vec<_>, Vec<_>) =
            users.iter().copied().partition(|user| self.hub.is_present(*user));
        let mut present: HashSet<UserId> = here.into_iter().collect();
        if let Some(shared) = self.store.shared()
            && !rest.is_empty()
        {
            match shared.present(&rest).await {
                Ok(elsewhere) => present.extend(elsewhere),
                Err(error) => tracing::warn!(%error, "who is at other nodes could not be asked"),
            }
        }
        present
    }

    /// Someone who was away from this node has a connection here again.
    pub(crate) async fn came(&self, user: UserId) {
        let was_nowhere = match self.store.shared() {
            Some(shared) => self.told(shared.arrive(self.node, user).await, user),
            None => true,
        };
        if was_nowhere {
            self.tell(user, true).await;
        }
    }

    /// Someone does not show any more whether they are there: those who saw it forget it.
    pub(crate) async fn hide(&self, user: UserId) {
        self.push(user, Presence::default()).await;
    }

    /// Someone shows again whether they are there.
    pub(crate) async fn show(&self, user: UserId) {
        if self.present(&[user]).await.contains(&user) {
            self.push(user, Presence { online: true, last_seen: Some(clock::now()) }).await;
        }
    }

    /// Waits out the grace of those who leave and tells their peers. Ends with the token.
    pub(crate) async fn watch(
        self: Arc<Self>,
        mut leavers: mpsc::UnboundedReceiver<UserId>,
        end: CancellationToken,
    ) {
        let mut graces = DelayQueue::new();
        loop {
            tokio::select! {
                () = end.cancelled() => return,
                Some(user) = leavers.recv() => {
                    graces.insert(user, self.grace);
                }
                Some(over) = std::future::poll_fn(|cx| graces.poll_expired(cx)), if !graces.is_empty() => {
                    self.gone(over.into_inner()).await;
                }
            }
        }
    }

    async fn gone(&self, user: UserId) {
        // They may have come back, and even left again: then a later grace decides.
        if !self.hub.end_grace(user) {
            return;
        }
        let is_nowhere = match self.store.shared() {
            Some(shared) => self.told(shared.depart(self.node, user).await, user),
            None => true,
        };
        if is_nowhere {
            self.tell(user, false).await;
        }
    }

    /// What the store says of someone; the next lease says again who is here, if it failed.
    fn told(&self, nowhere: Result<bool>, user: UserId) -> bool {
        nowhere.unwrap_or_else(|error| {
            tracing::warn!(%error, user.id = %user, "a coming or going was not noted");
            false
        })
    }

    /// Tells those who may see it that someone came or went.
    pub(crate) async fn tell(&self, user: UserId, online: bool) {
        // A full queue is no reason to wait: the next coming or going writes it.
        let _ = self.writer.submit(Write::SeenUser(user));
        self.push(user, Presence { online, last_seen: Some(clock::now()) }).await;
    }

    /// Tells those who may see it.
    async fn push(&self, user: UserId, presence: Presence) {
        let peers = match self.store.presence_peers(user, TOLD).await {
            Ok(peers) => peers,
            Err(error) => {
                tracing::warn!(%error, user.id = %user, "nobody was told of a presence");
                return;
            }
        };
        let reached: Vec<UserId> =
            peers.into_iter().filter(|peer| self.relay.reaches(*peer)).collect();
        self.relay.publish(&reached, &ServerFrame::Presence { user, presence }, None);
    }
}
