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
}

/// As long as it is held, events for this person come here.
pub(crate) struct Ear {
    user: UserId,
    broker: Arc<Broker>,
    /// True from when the broker has heard of it.
    open: watch::Receiver<bool>,
    _task: AbortOnDropHandle<()>,
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
    if broker.hears() {
        let mut open = ear.open.clone();
        // Whoever waited in vain is told to read again as soon as it is open.
        let _ = timeout(OPEN_WITHIN, open.wait_for(|open| *open)).await;
    }
    ear
}

fn find_or_start(broker: &Arc<Broker>, user: UserId) -> Arc<Ear> {
    let mut ears = broker.ears().lock();
    if let Some(ear) = ears.get(&user).and_then(Weak::upgrade) {
        return ear;
    }
    let (opened, open) = watch::channel(false);
    let task = AbortOnDropHandle::new(tokio::spawn(listen(broker.clone(), user, opened)));
    let ear = Arc::new(Ear { user, broker: broker.clone(), open, _task: task });
    ears.insert(user, Arc::downgrade(&ear));
    ear
}

async fn listen(broker: Arc<Broker>, user: UserId, opened: watch::Sender<bool>) {
    let began = tokio::time::Instant::now();
    let subject = broker.subject_of(user);
    let Ok(mut events) = broker.client().subscribe(subject).await else {
        // The client has ended, and the process with it.
        return;
    };
    // An answer to what was asked behind the subscription: the broker has it.
    if !broker.answers().await {
        broker.has_missed();
    }
    opened.send_replace(true);
    if began.elapsed() >= OPEN_WITHIN {
        broker.hub().for_each_line(user, None, |line| line.push_read_again());
    }
    while let Some(event) = events.next().await {
        broker.hub().for_each_line(user, None, |line| line.push(event.payload.clone()));
    }
}
