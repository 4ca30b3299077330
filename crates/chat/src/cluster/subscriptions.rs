//! Subscriptions to users' events: one subject per user, subscribed while the user has a connection
//! on this node.
//!
//! One task per user waits for the broker only and fills the hub's queues; it ends with the user's
//! last connection. Called by [`super::Cluster`] only.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, Weak};
use std::time::Duration;

use async_nats::Subscriber;
use futures::StreamExt;
use protocol::UserId;
use tokio::sync::watch;
use tokio::time::timeout;
use tokio_util::task::AbortOnDropHandle;

use super::broker::Broker;
use super::signed_events::{Check, Rejected};
use crate::hub::FrameText;
use crate::mutex::lock;
use crate::store::Instance;

/// How long a new connection waits for its subscription. If the subscription takes longer, the
/// client is told to resync when it is active.
const ACTIVE_WITHIN: Duration = Duration::from_secs(1);

/// The present subscriptions. The lock is held for a look-up, never across an await.
#[derive(Default)]
pub(super) struct Subscriptions(Mutex<HashMap<UserId, Weak<Subscription>>>);

impl Subscriptions {
    fn lock(&self) -> MutexGuard<'_, HashMap<UserId, Weak<Subscription>>> {
        lock(&self.0)
    }

    /// Waits until all present subscriptions are active on this instance.
    pub(super) async fn are_active_on(&self, instance: &Instance) {
        // Collected before the loop, because dropping the last handle of a `Subscription` takes
        // the lock.
        let subscriptions: Vec<_> = self.lock().values().filter_map(Weak::upgrade).collect();
        for subscription in subscriptions {
            subscription.is_active_on(instance).await;
        }
    }
}

/// A subscription to a user's events. Dropping the last handle ends it.
pub(crate) struct Subscription {
    user: UserId,
    broker: Arc<Broker>,
    /// The instance on which the broker has confirmed the subscription.
    active: watch::Receiver<Option<Instance>>,
    _task: AbortOnDropHandle<()>,
}

impl Subscription {
    async fn is_active_on(&self, instance: &Instance) {
        let mut active = self.active.clone();
        // An error means that the NATS client has ended, and no event will come.
        let _ = active.wait_for(|active| active.as_ref() == Some(instance)).await;
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        let mut subscriptions = self.broker.subscriptions().lock();
        // A new subscription of the same user may have replaced this one.
        if subscriptions.get(&self.user).is_some_and(|found| found.strong_count() == 0) {
            subscriptions.remove(&self.user);
        }
    }
}

/// Starts a subscription or shares the present one, and waits until it is active, for at most
/// [`ACTIVE_WITHIN`].
pub(super) async fn open(broker: &Arc<Broker>, user: UserId) -> Arc<Subscription> {
    let subscription = find_or_start(broker, user);
    if let Some(instance) = broker.receives_from() {
        // After a timeout the client is told to resync when the subscription is active.
        let _ = timeout(ACTIVE_WITHIN, subscription.is_active_on(&instance)).await;
    }
    subscription
}

fn find_or_start(broker: &Arc<Broker>, user: UserId) -> Arc<Subscription> {
    let mut subscriptions = broker.subscriptions().lock();
    if let Some(subscription) = subscriptions.get(&user).and_then(Weak::upgrade) {
        return subscription;
    }
    let (activated, active) = watch::channel(None);
    let task = AbortOnDropHandle::new(broker.spawn(receive(broker.clone(), user, activated)));
    let broker = broker.clone();
    let subscription = Arc::new(Subscription { user, broker, active, _task: task });
    subscriptions.insert(user, Arc::downgrade(&subscription));
    subscription
}

async fn receive(broker: Arc<Broker>, user: UserId, activated: watch::Sender<Option<Instance>>) {
    let mut spaces = broker.subject_space();
    loop {
        let began = tokio::time::Instant::now();
        let space = spaces.borrow_and_update().clone();
        let check = broker.check(space.of(user));
        let Ok(events) = broker.client().subscribe(space.of(user)).await else {
            // The NATS client ends only with the process.
            return;
        };
        // The return of a later probe proves that the subscription is active.
        if !broker.answers().await {
            broker.note_missed();
        }
        // After a move, the broker triggers the resync of all clients; only a late first
        // subscription needs its own.
        let is_first = activated.borrow().is_none();
        activated.send_replace(Some(space.instance().clone()));
        if is_first && began.elapsed() >= ACTIVE_WITHIN {
            broker.hub().for_each_outbound(&[user], None, |outbound| outbound.push_resync());
        }
        let moved = async { drop(spaces.changed().await) };
        if receive_until(&broker, user, check, events, moved).await.is_none() {
            return;
        }
    }
}

/// Passes valid events on until the subscription must move. `None` if the NATS client has ended.
async fn receive_until(
    broker: &Broker,
    user: UserId,
    mut check: Check,
    mut events: Subscriber,
    moved: impl Future<Output = ()>,
) -> Option<()> {
    let mut changes = broker.keys();
    let mut keys = changes.borrow_and_update().clone();
    let mut moved = std::pin::pin!(moved);
    loop {
        tokio::select! {
            biased;
            event = events.next() => {
                let event = event?;
                if changes.has_changed().unwrap_or(false) {
                    keys = changes.borrow_and_update().clone();
                }
                let Some(frame) = broker.content(&mut check, &keys, &event.payload) else {
                    continue;
                };
                match FrameText::try_from(frame) {
                    Ok(frame) => broker.hub().for_each_outbound(&[user], None, |outbound| {
                        outbound.push(frame.clone());
                    }),
                    Err(_) => broker.count_rejected(Rejected::Unreadable),
                }
            }
            () = &mut moved => return Some(()),
        }
    }
}
