//! What comes in by the broker: a subject for each person, subscribed to while that person has a
//! connection here.
//!
//! One task a person, which waits for nothing but the broker and fills queues of the hub; it ends
//! with the person's last connection. Called by [`super::Relay`] alone.

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

/// How long someone who connects waits for the broker; longer, and they are told to read again when
/// it has answered.
const OPEN_WITHIN: Duration = Duration::from_secs(1);

/// Those who are listened for. The lock is held for a look-up, never across an await.
#[derive(Default)]
pub(super) struct Ears(Mutex<HashMap<UserId, Weak<Ear>>>);

impl Ears {
    fn lock(&self) -> MutexGuard<'_, HashMap<UserId, Weak<Ear>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Until all that there are just now are open for the events of this database.
    pub(super) async fn are_open_in(&self, instance: &Instance) {
        // Held until here: an ear that ends takes the lock.
        let ears: Vec<_> = self.lock().values().filter_map(Weak::upgrade).collect();
        for ear in ears {
            ear.is_open_in(instance).await;
        }
    }
}

/// As long as it is held, events for this person come here.
pub(crate) struct Ear {
    user: UserId,
    broker: Arc<Broker>,
    /// For the events of which database, from when the broker has heard of it.
    open: watch::Receiver<Option<Instance>>,
    _task: AbortOnDropHandle<()>,
}

impl Ear {
    async fn is_open_in(&self, instance: &Instance) {
        let mut open = self.open.clone();
        // An error means that the client has ended, and with it all that comes.
        let _ = open.wait_for(|open| open.as_ref() == Some(instance)).await;
    }
}

impl Drop for Ear {
    fn drop(&mut self) {
        let mut ears = self.broker.ears().lock();
        // Another one may have taken its place.
        if ears.get(&self.user).is_some_and(|ear| ear.strong_count() == 0) {
            ears.remove(&self.user);
        }
    }
}

/// Opens an ear, or shares the one that is open, and waits until the broker knows of it.
pub(super) async fn open(broker: &Arc<Broker>, user: UserId) -> Arc<Ear> {
    let ear = find_or_start(broker, user);
    if let Some(instance) = broker.hears_in() {
        // Whoever waited in vain is told to read again as soon as it is open.
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
            // The client has ended, and the process with it.
            return;
        };
        // An answer to what was asked behind the subscription: the broker has it.
        if !broker.answers().await {
            broker.has_missed();
        }
        // Whoever moved is told to read again by whoever moves all.
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
