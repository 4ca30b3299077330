//! Whether people are there: pushed to those they talk with, never stored but for "last seen".
//!
//! Someone is online while they have a connection, and for a grace time after the last one ended.
//! Presence follows connections, and connections end by themselves when nothing is heard from
//! them, so nobody stays online for ever. Who may see it is asked in the store, for each telling:
//! both must show it. Called by [`crate::Chat`].

use std::sync::Arc;
use std::time::Duration;

use protocol::{Presence, ServerFrame, Timestamp, UserId};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::time::DelayQueue;

use crate::clock;
use crate::hub::Hub;
use crate::relay::Relay;
use crate::store::Store;
use crate::writer::{Write, Writer};

/// How many of the people one talks with are told at once that one came, went or changed one's
/// name: the latest. The others see it when they next read the list.
pub(crate) const TOLD: usize = 200;

pub(crate) struct PresenceBoard {
    hub: Arc<Hub>,
    relay: Relay,
    store: Arc<dyn Store>,
    writer: Writer,
    grace: Duration,
}

impl PresenceBoard {
    pub(crate) fn new(
        hub: Arc<Hub>,
        relay: Relay,
        store: Arc<dyn Store>,
        writer: Writer,
        grace: Duration,
    ) -> Self {
        Self { hub, relay, store, writer, grace }
    }

    /// What to show of someone to whoever may see it.
    pub(crate) fn of(&self, user: UserId, last_seen: Option<Timestamp>) -> Presence {
        Presence { online: self.hub.is_present(user), last_seen }
    }

    /// Someone who was away has a connection again.
    pub(crate) async fn came(&self, user: UserId) {
        self.tell(user, true).await;
    }

    /// Someone does not show any more whether they are there: those who saw it forget it.
    pub(crate) async fn hide(&self, user: UserId) {
        self.push(user, Presence::default()).await;
    }

    /// Someone shows again whether they are there.
    pub(crate) async fn show(&self, user: UserId) {
        if self.hub.is_present(user) {
            self.push(user, self.of(user, Some(clock::now()))).await;
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
        if self.hub.end_grace(user) {
            self.tell(user, false).await;
        }
    }

    async fn tell(&self, user: UserId, online: bool) {
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
        let connected: Vec<UserId> =
            peers.into_iter().filter(|peer| self.hub.is_connected(*peer)).collect();
        self.relay.publish(&connected, &ServerFrame::Presence { user, presence }, None);
    }
}
