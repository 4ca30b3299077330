//! The connection to NATS: publishes events, receives notices of other nodes, and checks that the
//! connection carries them.
//!
//! Uses core publish and subscribe; NATS stores nothing. A frame goes to the subject of its user, a
//! notice between nodes to a shared subject. No caller waits for the broker: an event that NATS
//! does not take is dropped, and every client is told to resync once NATS takes events again. Every
//! [`PROBE_EVERY`], a request that NATS itself answers, on the connection of the events, detects a dead
//! connection within seconds.
//!
//! When the database's instance name changes (see [`super::subject_space`]), all subscriptions move to new
//! subjects, and then every client resyncs.
//!
//! Bounds: [`QUEUE`] events wait to be published. Tasks: one publishes, one checks the connection,
//! one receives notices; they end with the chat. Used by [`super::Cluster`], [`super::subscriptions`] and
//! [`super::leader`].

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

use super::connect::{BrokerError, connect};
use super::resync::Resync;
use super::subject_space::SubjectSpace;
use super::subscriptions::Subscriptions;
use crate::config;
use crate::hub::{FrameText, Hub};
use crate::store::Instance;
use crate::supervision::Supervisor;

/// Events that may wait to be published: a second of full load.
const QUEUE: usize = 65_536;
/// Events taken from the queue at once.
const AT_ONCE: usize = 256;
/// Interval between two checks of the connection.
pub(super) const PROBE_EVERY: Duration = Duration::from_secs(2);
/// A check without an answer in this time has failed.
const ANSWER_WITHIN: Duration = Duration::from_secs(2);
/// Failed checks in a row before a reconnect is forced.
const UNANSWERED: u32 = 2;
/// Upper bound of the time that a move of all subscriptions may take.
const MOVED_WITHIN: Duration = Duration::from_secs(10);
/// Upper bound of the time that the flush at the end may take.
const CLOSE_WITHIN: Duration = Duration::from_secs(3);

/// A message between nodes. Nodes of other versions must read the same names.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Notice {
    /// These sessions have ended.
    SessionsEnded(Vec<SessionId>),
    /// Events were lost: every client must resync.
    #[serde(rename = "read_again")]
    Resync,
    /// A node's lease changed: check the leases.
    #[serde(rename = "nodes_changed")]
    LeasesChanged,
}

enum Outgoing {
    Event(UserId, FrameText),
    Notice(Bytes),
    /// Signals that everything queued before it has been sent.
    End(oneshot::Sender<()>),
}

/// The connection to NATS, with its queue and state.
pub(super) struct Broker {
    client: Client,
    epoch: String,
    /// The subjects, which change with the instance.
    space: watch::Sender<SubjectSpace>,
    hub: Arc<Hub>,
    resync: Resync,
    subscriptions: Subscriptions,
    queue: mpsc::Sender<Outgoing>,
    waiting: Mutex<Option<mpsc::Receiver<Outgoing>>>,
    is_receiving: AtomicBool,
    /// Wakes the lease task to check the leases.
    changed: Notify,
    /// An event may not have reached another node, or may not have arrived here: all clients must
    /// resync.
    missed: AtomicBool,
    /// The NATS client dropped incoming events: the clients of this node must resync.
    lagged: Arc<AtomicBool>,
    /// Set once by [`Self::start`].
    supervisor: OnceLock<Supervisor>,
}

impl Broker {
    pub(super) async fn connect(
        config: &config::Broker,
        epoch: &str,
        instance: &Instance,
        hub: Arc<Hub>,
        resync: Resync,
    ) -> Result<Arc<Self>, BrokerError> {
        let lagged = Arc::new(AtomicBool::new(false));
        let client = connect(config, lagged.clone()).await?;
        let (queue, waiting) = mpsc::channel(QUEUE);
        Ok(Arc::new(Self {
            client,
            epoch: epoch.to_owned(),
            space: watch::Sender::new(SubjectSpace::new(epoch, instance.clone())),
            hub,
            resync,
            subscriptions: Subscriptions::default(),
            queue,
            waiting: Mutex::new(Some(waiting)),
            is_receiving: AtomicBool::new(false),
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
        // Kept for subscription tasks, which start later. An error means that it is set already.
        let _ = self.supervisor.set(supervisor.clone());
        let waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(waiting) = waiting {
            // Not tracked, because it must outlive the tracked tasks: it sends what they publish
            // last.
            let publishing = self.clone().publish_queued(waiting);
            tokio::spawn(supervisor.essential("the task that publishes to NATS", publishing));
        }
        for (name, task) in [
            ("the task that probes NATS", boxed(self.clone().probe())),
            (
                "the task that receives notices of other nodes",
                boxed(self.clone().receive_notices()),
            ),
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

    /// Returns the subjects and their changes.
    pub(super) fn subject_space(&self) -> watch::Receiver<SubjectSpace> {
        self.space.subscribe()
    }

    /// Moves all subscriptions to this instance.
    pub(super) fn move_to(&self, instance: &Instance) {
        let is_moved = self.space.send_if_modified(|space| {
            let is_other = space.instance() != instance;
            if is_other {
                *space = SubjectSpace::new(&self.epoch, instance.clone());
            }
            is_other
        });
        if is_moved {
            // The lease must report the change soon.
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

    pub(super) fn subscriptions(&self) -> &Subscriptions {
        &self.subscriptions
    }

    /// Spawns a subscription task; a panic in it is a failure of the process.
    pub(super) fn spawn(
        &self,
        task: impl Future<Output = ()> + Send + 'static,
    ) -> tokio::task::JoinHandle<()> {
        match self.supervisor.get() {
            Some(supervisor) => {
                tokio::spawn(supervisor.temporary("a task that receives events from NATS", task))
            }
            None => tokio::spawn(task),
        }
    }

    /// Returns whether the last check found that events of other nodes arrive.
    pub(super) fn is_receiving(&self) -> bool {
        self.is_receiving.load(Ordering::Acquire)
    }

    /// Returns the instance whose events arrive, if any do.
    pub(super) fn receives_from(&self) -> Option<Instance> {
        self.is_receiving().then(|| self.space.borrow().instance().clone())
    }

    /// Publishes an event to a user.
    pub(super) fn publish(&self, user: UserId, frame: FrameText) {
        self.enqueue(Outgoing::Event(user, frame));
    }

    pub(super) fn publish_ended(&self, sessions: &[SessionId]) {
        self.publish_notice(&Notice::SessionsEnded(sessions.to_vec()));
    }

    pub(super) fn publish_resync(&self) {
        self.publish_notice(&Notice::Resync);
    }

    /// A lost notice does no harm, because every node checks the leases regularly.
    pub(super) fn publish_leases_changed(&self) {
        if self.is_receiving() {
            self.publish_notice(&Notice::LeasesChanged);
        }
    }

    /// Waits until another node's lease changes, or the state of this node's connection does.
    pub(super) async fn leases_changed(&self) {
        self.changed.notified().await;
    }

    fn publish_notice(&self, notice: &Notice) {
        // Cannot fail: notices contain only ids and names.
        self.enqueue(Outgoing::Notice(serde_json::to_vec(notice).unwrap_or_default().into()));
    }

    fn enqueue(&self, outgoing: Outgoing) {
        if self.queue.try_send(outgoing).is_err() {
            self.note_missed();
        }
    }

    /// Records that an event may have been lost, or came too late.
    pub(super) fn note_missed(&self) {
        self.missed.store(true, Ordering::Release);
    }

    /// Publishes queued events, and drops those that come while NATS is unreachable.
    async fn publish_queued(self: Arc<Self>, mut waiting: mpsc::Receiver<Outgoing>) {
        let mut spaces = self.subject_space();
        let mut some = Vec::with_capacity(AT_ONCE);
        while waiting.recv_many(&mut some, AT_ONCE).await > 0 {
            let space = spaces.borrow_and_update().clone();
            for outgoing in some.drain(..) {
                let (subject, payload) = match outgoing {
                    Outgoing::Event(user, frame) => (space.of(user), frame.into_bytes()),
                    Outgoing::Notice(notice) => (space.of_nodes(), notice),
                    Outgoing::End(done) => {
                        // The caller may not wait any longer.
                        let _ = self.client.flush().await;
                        let _ = done.send(());
                        return;
                    }
                };
                if !self.is_receiving() || self.client.publish(subject, payload).await.is_err() {
                    self.note_missed();
                }
            }
        }
    }

    /// Receives notices of other nodes.
    async fn receive_notices(self: Arc<Self>) {
        let mut spaces = self.subject_space();
        loop {
            let subject = spaces.borrow_and_update().of_nodes();
            let Ok(mut notices) = self.client.subscribe(subject).await else { return };
            loop {
                tokio::select! {
                    biased;
                    notice = notices.next() => match notice {
                        Some(notice) => self.on_notice(&notice.payload),
                        None => return,
                    },
                    _ = spaces.changed() => break,
                }
            }
        }
    }

    fn on_notice(&self, notice: &[u8]) {
        // A newer node may send a notice that this version does not support.
        match serde_json::from_slice(notice) {
            Ok(Notice::SessionsEnded(sessions)) => {
                self.hub.close_sessions(&sessions, CloseCode::SessionEnded);
            }
            Ok(Notice::Resync) => self.resync.request(),
            Ok(Notice::LeasesChanged) => self.changed.notify_one(),
            Err(error) => tracing::debug!(%error, "ignored a notice of an unknown kind"),
        }
    }

    /// Checks the connection periodically, and triggers a resync after every possible loss.
    async fn probe(self: Arc<Self>) {
        let connects = || self.client.statistics().connects.load(Ordering::Relaxed);
        let (mut known, mut unanswered) = (connects(), 0);
        let mut begun = false;
        let mut spaces = self.subject_space();
        let mut has_moved = false;
        loop {
            if has_moved {
                self.wait_for_move(&spaces).await;
            }
            let answers = self.answers().await;
            let answered = self.is_receiving.swap(answers, Ordering::AcqRel);
            if answered != answers {
                self.changed.notify_one();
            }
            if answers {
                unanswered = 0;
                let is_reconnected = begun && (!answered || connects() != known);
                known = connects();
                begun = true;
                if is_reconnected {
                    tracing::info!("NATS answers again; all clients resync");
                }
                let has_missed = self.missed.swap(false, Ordering::AcqRel);
                if has_missed || is_reconnected || has_moved {
                    self.resync.request();
                    self.publish_resync();
                } else if self.lagged.swap(false, Ordering::AcqRel) {
                    self.resync.request();
                }
            } else {
                unanswered += 1;
                if answered || !begun {
                    tracing::warn!("NATS does not answer: events of other nodes arrive later");
                    begun = true;
                }
                if unanswered % UNANSWERED == 0
                    && self.client.connection_state() == async_nats::connection::State::Connected
                {
                    // The connection is established, but does not carry anything.
                    let _ = self.client.force_reconnect().await;
                }
            }
            has_moved = tokio::select! {
                () = sleep(PROBE_EVERY) => false,
                moved = spaces.changed() => moved.is_ok(),
            };
        }
    }

    /// Waits until all subscriptions have moved to the present instance. Events may have been
    /// published on the old subjects or on the new ones meanwhile, so the caller triggers a resync.
    async fn wait_for_move(&self, spaces: &watch::Receiver<SubjectSpace>) {
        let instance = spaces.borrow().instance().clone();
        tracing::info!(%instance, "the database server restarted or was replaced");
        if timeout(MOVED_WITHIN, self.subscriptions.are_active_on(&instance)).await.is_err() {
            self.note_missed();
        }
    }

    /// Returns whether NATS answers. NATS itself replies that the subject has no subscriber. NATS
    /// handles the commands of a connection in order, so the reply also proves that earlier
    /// subscriptions are active.
    pub(super) async fn answers(&self) -> bool {
        let nobody = self.space.borrow().of_nobody();
        let answer = timeout(ANSWER_WITHIN, self.client.request(nobody, Bytes::new())).await;
        match answer {
            Ok(Ok(_)) => true,
            Ok(Err(error)) => error.kind() == RequestErrorKind::NoResponders,
            Err(_) => false,
        }
    }

    /// Sends everything that is queued, within [`CLOSE_WITHIN`].
    pub(super) async fn close(&self) {
        let (done, is_done) = oneshot::channel();
        let leaving = async {
            if self.queue.send(Outgoing::End(done)).await.is_ok() {
                let _ = is_done.await;
            }
        };
        if timeout(CLOSE_WITHIN, leaving).await.is_err() {
            tracing::warn!("NATS did not accept all queued events before the shutdown");
        }
    }
}

fn boxed(
    task: impl Future<Output = ()> + Send + 'static,
) -> std::pin::Pin<Box<dyn Future<Output = ()> + Send>> {
    Box::pin(task)
}
