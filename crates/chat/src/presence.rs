//! Whether people are there: pushed to those they talk with, never stored but for "last seen".
//!
//! Someone is online while they have a connection, and for a grace time after the last one ended.
//! Presence follows connections, and connections end by themselves when nothing is heard from
//! them, so nobody stays online for ever. Called by [`crate::Chat`].

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use protocol::{Presence, ServerFrame, Timestamp, UserId};
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::time::DelayQueue;

use crate::clock;
use crate::hub::Hub;
use crate::relay::Relay;
use crate::store::Store;
use crate::writer::{Write, Writer};

/// How many of the people one talks with are told at once that one came or went: the latest. The
/// others see it when they next read the list.
const TOLD: usize = 200;

pub(crate) struct PresenceBoard {
    /// Those whose last connection has ended less than the grace time ago. Held for a look-up
    /// only; no larger than the connections of a grace time.
    lingering: Mutex<HashMap<UserId, Instant>>,
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
        Self { lingering: Mutex::default(), hub, relay, store, writer, grace }
    }

    fn lingering(&self) -> MutexGuard<'_, HashMap<UserId, Instant>> {
        self.lingering.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What to show of someone.
    pub(crate) fn of(&self, user: UserId, last_seen: Option<Timestamp>) -> Presence {
        let online = self.hub.is_connected(user) || self.lingering().contains_key(&user);
        Presence { online, last_seen }
    }

    /// Someone's first connection has begun.
    pub(crate) async fn came(&self, user: UserId) {
        let was_away = self.lingering().remove(&user).is_none();
        if was_away {
            self.tell(user, true).await;
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
                    let until = Instant::now() + self.grace;
                    self.lingering().insert(user, until);
                    graces.insert_at(user, until);
                }
                Some(over) = std::future::poll_fn(|cx| graces.poll_expired(cx)), if !graces.is_empty() => {
                    self.gone(over.into_inner()).await;
                }
            }
        }
    }

    async fn gone(&self, user: UserId) {
        {
            let mut lingering = self.lingering();
            // They may have come back, and even left again: then a later grace decides.
            if lingering.get(&user).is_none_or(|until| *until > Instant::now()) {
                return;
            }
            lingering.remove(&user);
        }
        if !self.hub.is_connected(user) {
            self.tell(user, false).await;
        }
    }

    async fn tell(&self, user: UserId, online: bool) {
        // A full queue is no reason to wait: the next coming or going writes it.
        let _ = self.writer.submit(Write::SeenUser(user));
        let peers = match self.store.peers(user, TOLD).await {
            Ok(peers) => peers,
            Err(error) => {
                tracing::warn!(%error, user.id = %user, "nobody was told of a presence");
                return;
            }
        };
        let connected: Vec<UserId> =
            peers.into_iter().filter(|peer| self.hub.is_connected(*peer)).collect();
        let presence = Presence { online, last_seen: Some(clock::now()) };
        self.relay.publish(&connected, &ServerFrame::Presence { user, presence }, None);
    }
}
