//! The connection to NATS: what goes out by it, and whether it carries.
//!
//! Core publish and subscribe, nothing is kept there. A frame goes to the subject of the person it
//! is for; what nodes say to each other goes to a subject of theirs. Nobody waits for the broker:
//! what it does not take is left out, and everybody is told to read again when it takes something
//! again. Every [`BEAT`] it is asked something that it answers itself, by the way that events go:
//! so a line that died silently is found within seconds.
//!
//! When the database has another name (see [`super::space`]) the subjects change: everything that is
//! subscribed to is subscribed to anew, and then everybody reads again.
//!
//! Bounds: [`QUEUE`] events wait to go out. Tasks: one that sends, one that asks, one that hears the
//! other nodes; they end with the relay. Used by [`super::Relay`] and [`super::ears`].

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use async_nats::{Client, RequestErrorKind};
use bytes::Bytes;
use futures::StreamExt;
use protocol::{CloseCode, SessionId, UserId};
use serde::{Deserialize, Serialize};
use tokio::sync::{Notify, mpsc, oneshot, watch};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::again::Again;
use super::connect::{BrokerError, connect};
use super::ears::Ears;
use super::space::Space;
use crate::config;
use crate::hub::Hub;
use crate::store::Instance;
use crate::supervision::Supervisor;

/// Events that may wait to go out: a second of full load.
const QUEUE: usize = 65_536;
/// Taken from the queue at once.
const AT_ONCE: usize = 256;
/// Between two questions to the broker.
pub(super) const BEAT: Duration = Duration::from_secs(2);
/// An answer that takes longer is none.
const ANSWER_WITHIN: Duration = Duration::from_secs(2);
/// Questions without an answer before the connection is made anew.
const UNANSWERED: u32 = 2;
/// How long it may take until everything is subscribed to anew.
const MOVED_WITHIN: Duration = Duration::from_secs(10);
/// How long what waits may take to leave at the end.
const CLOSE_WITHIN: Duration = Duration::from_secs(3);

/// What nodes say to each other.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Notice {
    /// These sessions have ended.
    SessionsEnded(Vec<SessionId>),
    /// Something was lost: let everybody read again.
    ReadAgain,
    /// One came or goes, or hears or does not: look at the leases.
    NodesChanged,
}

enum Outgoing {
    Event(UserId, Bytes),
    Notice(Bytes),
    /// Everything before has left.
    End(oneshot::Sender<()>),
}

/// See the module.
pub(super) struct Broker {
    client: Client,
    epoch: String,
    /// The subjects, which change with the running database.
    space: watch::Sender<Space>,
    hub: Arc<Hub>,
    again: Again,
    ears: Ears,
    queue: mpsc::Sender<Outgoing>,
    waiting: Mutex<Option<mpsc::Receiver<Outgoing>>>,
    hears: AtomicBool,
    /// Who is there, or hears, has changed.
    changed: Notify,
    /// Something did not go out: others have to read again.
    missed: AtomicBool,
    /// Something did not come in: those who are here have to.
    lagged: Arc<AtomicBool>,
    /// Set once, at the start.
    supervisor: OnceLock<Supervisor>,
}

impl Broker {
    pub(super) async fn connect(
        config: &config::Broker,
        epoch: &str,
        instance: &Instance,
        hub: Arc<Hub>,
        again: Again,
    ) -> Result<Arc<Self>, BrokerError> {
        let lagged = Arc::new(AtomicBool::new(false));
        let client = connect(config, lagged.clone()).await?;
        let (queue, waiting) = mpsc::channel(QUEUE);
        Ok(Arc::new(Self {
            client,
            epoch: epoch.to_owned(),
            space: watch::Sender::new(Space::new(epoch, instance.clone())),
            hub,
            again,
            ears: Ears::default(),
            queue,
            waiting: Mutex::new(Some(waiting)),
            hears: AtomicBool::new(false),
            changed: Notify::new(),
            missed: AtomicBool::new(false),
            lagged,
            supervisor: OnceLock::new(),
        }))
    }

    pub(super) fn start(
        self: &Arc<Self>,
        tasks: &TaskTracker,
        end: &CancellationToken,
        supervisor: &Supervisor,
    ) {
        // The tasks that listen for people are made later. There is one supervisor.
        let _ = self.supervisor.set(supervisor.clone());
        let waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(waiting) = waiting {
            // Not one of the tasks that end first: what they publish last goes by it.
            let sending = self.clone().send(waiting);
            tokio::spawn(supervisor.essential("the task that sends to NATS", sending));
        }
        for (name, task) in [
            ("the task that asks NATS", futures_of(self.clone().ask())),
            ("the task that hears other nodes", futures_of(self.clone().hear_nodes())),
        ] {
            let end = end.clone();
            let until_the_end = async move {
                tokio::select! {
                    () = end.cancelled() => {}
                    () = task => {}
                }
            };
            tasks.spawn(supervisor.essential(name, until_the_end));
        }
    }

    /// The subjects, now and whenever they change.
    pub(super) fn space(&self) -> watch::Receiver<Space> {
        self.space.subscribe()
    }

    /// From now on nodes of this database are heard.
    pub(super) fn move_to(&self, instance: &Instance) {
        let is_moved = self.space.send_if_modified(|space| {
            let is_other = space.instance() != instance;
            if is_other {
                *space = Space::new(&self.epoch, instance.clone());
            }
            is_other
        });
        if is_moved {
            // The lease is to say so soon.
            self.changed.notify_one();
        }
    }

    pub(super) fn epoch(&self) -> &str {
        &self.epoch
    }

    pub(super) fn client(&self) -> &Client {
        &self.client
    }

    pub(super) fn hub(&self) -> &Hub {
        &self.hub
    }

    pub(super) fn ears(&self) -> &Ears {
        &self.ears
    }

    /// Runs a task that listens for one person; a panic in it is a failure of the process.
    pub(super) fn spawn(
        &self,
        task: impl Future<Output = ()> + Send + 'static,
    ) -> tokio::task::JoinHandle<()> {
        match self.supervisor.get() {
            Some(supervisor) => tokio::spawn(supervisor.temporary("a task that hears NATS", task)),
            None => tokio::spawn(task),
        }
    }

    /// Whether events of others come here, as far as is known.
    pub(super) fn hears(&self) -> bool {
        self.hears.load(Ordering::Acquire)
    }

    /// Of which database's nodes, if they do.
    pub(super) fn hears_in(&self) -> Option<Instance> {
        self.hears().then(|| self.space.borrow().instance().clone())
    }

    /// Passes an event on.
    pub(super) fn pass_on(&self, user: UserId, frame: Bytes) {
        self.put(Outgoing::Event(user, frame));
    }

    pub(super) fn say_ended(&self, sessions: &[SessionId]) {
        self.say(&Notice::SessionsEnded(sessions.to_vec()));
    }

    pub(super) fn ask_again(&self) {
        self.say(&Notice::ReadAgain);
    }

    /// Others look at the leases in a moment anyway, so nothing is missed where this is not heard.
    pub(super) fn say_nodes_changed(&self) {
        if self.hears() {
            self.say(&Notice::NodesChanged);
        }
    }

    /// Until a node says that it came or goes, or this one hears, or does not any more.
    pub(super) async fn nodes_changed(&self) {
        self.changed.notified().await;
    }

    fn say(&self, notice: &Notice) {
        // Ids and names: there is nothing in them that cannot be written.
        self.put(Outgoing::Notice(serde_json::to_vec(notice).unwrap_or_default().into()));
    }

    fn put(&self, outgoing: Outgoing) {
        if self.queue.try_send(outgoing).is_err() {
            self.has_missed();
        }
    }

    /// Something did not go out, or not in time.
    pub(super) fn has_missed(&self) {
        self.missed.store(true, Ordering::Release);
    }

    /// Sends what waits. What comes while the broker is away is left out.
    async fn send(self: Arc<Self>, mut waiting: mpsc::Receiver<Outgoing>) {
        let mut spaces = self.space();
        let mut some = Vec::with_capacity(AT_ONCE);
        while waiting.recv_many(&mut some, AT_ONCE).await > 0 {
            let space = spaces.borrow_and_update().clone();
            for one in some.drain(..) {
                let (subject, payload) = match one {
                    Outgoing::Event(user, frame) => (space.of(user), frame),
                    Outgoing::Notice(notice) => (space.of_nodes(), notice),
                    Outgoing::End(done) => {
                        // Whoever asked may not wait any more.
                        let _ = self.client.flush().await;
                        let _ = done.send(());
                        return;
                    }
                };
                if !self.hears() || self.client.publish(subject, payload).await.is_err() {
                    self.has_missed();
                }
            }
        }
    }

    /// Hears what other nodes say.
    async fn hear_nodes(self: Arc<Self>) {
        let mut spaces = self.space();
        loop {
            let subject = spaces.borrow_and_update().of_nodes();
            let Ok(mut notices) = self.client.subscribe(subject).await else { return };
            loop {
                tokio::select! {
                    biased;
                    notice = notices.next() => match notice {
                        Some(notice) => self.hear(&notice.payload),
                        None => return,
                    },
                    _ = spaces.changed() => break,
                }
            }
        }
    }

    fn hear(&self, notice: &[u8]) {
        // A newer node may say what this one does not know.
        match serde_json::from_slice(notice) {
            Ok(Notice::SessionsEnded(sessions)) => {
                self.hub.close_sessions(&sessions, CloseCode::SessionEnded);
            }
            Ok(Notice::ReadAgain) => self.again.ask(),
            Ok(Notice::NodesChanged) => self.changed.notify_one(),
            Err(error) => tracing::debug!(%error, "a notice that is not known"),
        }
    }

    /// Asks the broker again and again whether it is there, and sees to it that nobody stays
    /// without what was lost.
    async fn ask(self: Arc<Self>) {
        let connects = || self.client.statistics().connects.load(Ordering::Relaxed);
        let (mut known, mut unanswered) = (connects(), 0);
        let mut begun = false;
        let mut spaces = self.space();
        let mut has_moved = false;
        loop {
            if has_moved {
                self.subscribed_anew(&spaces).await;
            }
            let answers = self.answers().await;
            let heard = self.hears.swap(answers, Ordering::AcqRel);
            if heard != answers {
                self.changed.notify_one();
            }
            if answers {
                unanswered = 0;
                let is_anew = begun && (!heard || connects() != known);
                known = connects();
                begun = true;
                if is_anew {
                    tracing::info!("NATS is heard again; everybody reads what they missed");
                }
                let has_missed = self.missed.swap(false, Ordering::AcqRel);
                if has_missed || is_anew || has_moved {
                    self.again.ask();
                    self.ask_again();
                } else if self.lagged.swap(false, Ordering::AcqRel) {
                    self.again.ask();
                }
            } else {
                unanswered += 1;
                if heard || !begun {
                    tracing::warn!("NATS is not heard: what is said at other nodes comes later");
                    begun = true;
                }
                if unanswered % UNANSWERED == 0
                    && self.client.connection_state() == async_nats::connection::State::Connected
                {
                    // A line that looks alive and is not.
                    let _ = self.client.force_reconnect().await;
                }
            }
            has_moved = tokio::select! {
                () = sleep(BEAT) => false,
                moved = spaces.changed() => moved.is_ok(),
            };
        }
    }

    /// Until everybody who is here is listened for by the subjects of the database as it is named
    /// now. Others passed on by those or by the ones before, and nobody knows how much.
    async fn subscribed_anew(&self, spaces: &watch::Receiver<Space>) {
        let instance = spaces.borrow().instance().clone();
        tracing::info!(%instance, "the database has started again, or is another one");
        if timeout(MOVED_WITHIN, self.ears.are_open_in(&instance)).await.is_err() {
            self.has_missed();
        }
    }

    /// Whether the broker answers. It says by itself that nobody listens there; what it was told
    /// before on this connection, it has heard.
    pub(super) async fn answers(&self) -> bool {
        let nobody = self.space.borrow().of_nobody();
        let answer = timeout(ANSWER_WITHIN, self.client.request(nobody, Bytes::new())).await;
        match answer {
            Ok(Ok(_)) => true,
            Ok(Err(error)) => error.kind() == RequestErrorKind::NoResponders,
            Err(_) => false,
        }
    }

    /// Lets what waits leave.
    pub(super) async fn close(&self) {
        let (done, is_done) = oneshot::channel();
        let leaving = async {
            if self.queue.send(Outgoing::End(done)).await.is_ok() {
                let _ = is_done.await;
            }
        };
        if timeout(CLOSE_WITHIN, leaving).await.is_err() {
            tracing::warn!("NATS did not take all that was to be passed on");
        }
    }
}

fn futures_of(
    task: impl Future<Output = ()> + Send + 'static,
) -> std::pin::Pin<Box<dyn Future<Output = ()> + Send>> {
    Box::pin(task)
}
