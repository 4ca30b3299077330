//! Subscriptions to users' events: one subject per user, subscribed while the user has a connection
//! on this node.
//!
//! One task per user waits for the broker only and fills the hub's queues; it ends with the user's
//! last connection. Called by [`super::Relay`] only.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use futures::StreamExt;
use protocol::UserId;
use tokio::sync::watch;
use tokio::time::timeout;
use tokio_util::task::AbortOnDropHandle;

use super::broker::Broker;
use crate::store::Instance;

/// How long a new connection waits for its subscription. If the subscription takes longer, the
/// client is told to resync when it is active.
const OPEN_WITHIN: Duration = Duration::from_secs(1);

/// The present subscriptions. The lock is held for a look-up, never across an await.
#[derive(Default)]
pub(super) struct Ears(Mutex<HashMap<UserId, Weak<Ear>>>);

impl Ears {
    fn lock(&self) -> MutexGuard<'_, HashMap<UserId, Weak<Ear>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until all present subscriptions are active on this instance.
    pub(super) async fn are_open_in(&self, instance: &Instance) {
        // Collected before the loop, because dropping the last handle of an `Ear` takes the lock.
        let ears: Vec<_> = self.lock().values().filter_map(Weak::upgrade).collect();
        for ear in ears {
            ear.is_open_in(instance).await;
        }
    }
}

/// A subscription to a user's events. Dropping the last handle ends it.
pub(crate) struct Ear {
    user: UserId,
    broker: Arc<Broker>,
    /// The instance on which the broker has confirmed the subscription.
    open: watch::Receiver<Option<Instance>>,
    _task: AbortOnDropHandle<()>,
}

impl Ear {
    async fn is_open_in(&self, instance: &Instance) {
        let mut open = self.open.clone();
        // An error means that the NATS client has ended, and no event will come.
        let _ = open.wait_for(|open| open.as_ref() == Some(instance)).await;
    }
}

impl Drop for Ear {
    fn drop(&mut self) {
        let mut ears = self.broker.ears().lock();
        // A new subscription of the same user may have replaced this one.
        if ears.get(&self.user).is_some_and(|ear| ear.strong_count() == 0) {
            ears.remove(&self.user);
        }
    }
}

/// Starts a subscription or shares the present one, and waits until it is active, for at most
/// [`OPEN_WITHIN`].
pub(super) async fn open(broker: &Arc<Broker>, user: UserId) -> Arc<Ear> {
    let ear = find_or_start(broker, user);
    if let Some(instance) = broker.hears_in() {
        // After a timeout the client is told to resync when the subscription is active.
        let _ = timeout(OPEN_WITHIN, ear.is_open_in(&instance)).await;
    }
    ear
}

fn find_or_start(broker: &Arc<Broker>, user: UserId) -> Arc<Ear> {
    let mut ears = broker.ears().lock();
    if let Some(ear) = ears.get(&user).and_then(Weak::upgrade) {
        return ear;
    }
    let (opened, open) = watch::channel(None);
    let task = AbortOnDropHandle::new(broker.spawn(listen(broker.clone(), user, opened)));
    let ear = Arc::new(Ear { user, broker: broker.clone(), open, _task: task });
    ears.insert(user, Arc::downgrade(&ear));
    ear
}

async fn listen(broker: Arc<Broker>, user: UserId, opened: watch::Sender<Option<Instance>>) {
    let mut spaces = broker.space();
    loop {
        let began = tokio::time::Instant::now();
        let space = spaces.borrow_and_update().clone();
        let Ok(mut events) = broker.client().subscribe(space.of(user)).await else {
            // The NATS client ends only with the process.
            return;
        };
        // The reply to a later request proves that the subscription is active.
        if !broker.answers().await {
            broker.has_missed();
        }
        // After a move, the broker triggers the resync of all clients; only a late first
        // subscription needs its own.
        let is_first = opened.borrow().is_none();
        opened.send_replace(Some(space.instance().clone()));
        if is_first && began.elapsed() >= OPEN_WITHIN {
            broker.hub().for_each_line(user, None, |line| line.push_read_again());
        }
        let mut moves = std::pin::pin!(spaces.changed());
        loop {
            tokio::select! {
                biased;
                event = events.next() => {
                    let Some(event) = event else { return };
                    broker.hub().for_each_line(user, None, |line| line.push(event.payload.clone()));
                }
                _ = &mut moves => break,
            }
        }
    }
}
