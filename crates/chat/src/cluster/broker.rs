//! The connection to NATS, and the queue of events to publish.
//!
//! Uses core publish and subscribe; NATS stores nothing. A frame goes to the subject of its user, a
//! notice between nodes to a shared subject. No caller waits for the broker: an event that NATS
//! does not take is dropped, and every client is told to resync once NATS takes events again.
//!
//! Frames and notices are signed (see [`super::signed_events`]), so a message that no node of this
//! database signed has no effect; such messages are counted and logged.
//!
//! When the database's instance name changes (see [`super::subject_space`]), all subscriptions move
//! to new subjects, and then every client resyncs.
//!
//! - `probe`: checks that the connection carries events
//! - `notices`: messages from node to node
//! - `rejections`: counts and logs messages that were dropped
//!
//! Bounds: [`QUEUE`] events wait to be published. Tasks: one publishes, one checks the connection,
//! one receives notices, two exchange probes; they end with the chat. Used by [`super::Cluster`],
//! [`super::subscriptions`] and [`super::leader`].

mod notices;
mod probe;
mod rejections;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use async_nats::Client;
use bytes::Bytes;
use protocol::UserId;
use tokio::sync::{Notify, mpsc, oneshot, watch};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::connect::{self, BrokerError};
use super::resync::Resync;
use super::round_trips::RoundTrips;
use super::signed_events::{Check, Rejected, Senders, SharedClock, Signer};
use super::signing::SigningKeys;
use super::subject_space::SubjectSpace;
use super::subscriptions::Subscriptions;
use crate::config;
use crate::hub::{FrameText, Hub};
use crate::mutex::lock;
use crate::store::{ClusterState, Instance, NodeId, NodesSecrets, Renewed};
use crate::supervision::Supervisor;
use rejections::Rejections;

pub(super) use probe::PROBE_EVERY;

/// Events that may wait to be published: a second of full load.
const QUEUE: usize = 65_536;
/// Events taken from the queue at once.
const AT_ONCE: usize = 256;
/// Upper bound of the time that the flush at the end may take.
const CLOSE_WITHIN: Duration = Duration::from_secs(3);

enum Outgoing {
    Event(UserId, FrameText),
    Notice(Bytes),
    /// Signals that everything queued before it has been sent.
    End(oneshot::Sender<()>),
}

/// The connection to NATS, with its queue and state.
pub(super) struct Broker {
    /// This node.
    node: NodeId,
    client: Client,
    round_trips: RoundTrips,
    epoch: String,
    /// The subjects, which change with the instance.
    space: watch::Sender<SubjectSpace>,
    /// The keys of events and notices, which change with the instance and the nodes' secrets.
    keys: watch::Sender<Arc<SigningKeys>>,
    /// The secrets of the present keys. Never locked across an await.
    secrets: Mutex<NodesSecrets>,
    clock: SharedClock,
    senders: Arc<Senders>,
    rejections: Rejections,
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
        node: NodeId,
        epoch: &str,
        shared: &dyn ClusterState,
        hub: Arc<Hub>,
        resync: Resync,
    ) -> Result<Arc<Self>, BrokerError> {
        let lagged = Arc::new(AtomicBool::new(false));
        let client = connect::connect(config, lagged.clone()).await?;
        let witness = connect::connect_witness(config).await?;
        let (queue, waiting) = mpsc::channel(QUEUE);
        let (instance, secrets) = (shared.instance(), shared.secrets().clone());
        let keys = Arc::new(SigningKeys::of_events(&secrets, epoch, instance));
        Ok(Arc::new(Self {
            node,
            round_trips: RoundTrips::new(node, client.clone(), witness),
            client,
            epoch: epoch.to_owned(),
            space: watch::Sender::new(SubjectSpace::new(epoch, instance.clone())),
            keys: watch::Sender::new(keys),
            secrets: Mutex::new(secrets),
            clock: SharedClock::new(shared.clock()),
            senders: Arc::default(),
            rejections: Rejections::default(),
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
        let waiting = lock(&self.waiting).take();
        if let Some(waiting) = waiting {
            // Not tracked, because it must outlive the tracked tasks: it sends what they publish
            // last.
            let publishing = self.clone().publish_queued(waiting);
            tokio::spawn(supervisor.essential("the task that publishes to NATS", publishing));
        }
        let (prober, witness) = (self.clone(), self.clone());
        for (name, task) in [
            ("the task that probes NATS", boxed(self.clone().probe())),
            (
                "the task that sends probes to NATS",
                boxed(async move { prober.round_trips.send_probes().await }),
            ),
            (
                "the task that returns probes from NATS",
                boxed(async move { witness.round_trips.be_witness().await }),
            ),
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

    /// Follows the database: moves all subscriptions to its instance, and adopts the nodes' secrets
    /// and the clock.
    pub(super) fn follow(&self, renewed: &Renewed) {
        if self.clock.set(renewed.clock) {
            // Nodes may have refused each other's messages as too old.
            self.note_missed();
        }
        let is_moved = *self.space.borrow().instance() != renewed.instance;
        self.adopt(&renewed.secrets, &renewed.instance, is_moved);
        if is_moved {
            let space = SubjectSpace::new(&self.epoch, renewed.instance.clone());
            self.space.send_replace(space);
            // The lease must report the change soon.
            self.changed.notify_one();
        }
    }

    fn adopt(&self, new: &NodesSecrets, instance: &Instance, is_moved: bool) {
        let mut secrets = lock(&self.secrets);
        if *secrets == *new && !is_moved {
            return;
        }
        if !secrets.are_accepted_with(new) || !new.are_accepted_with(&secrets) {
            // Other nodes may have refused messages of this one, or this one theirs.
            self.note_missed();
        }
        *secrets = new.clone();
        self.keys.send_replace(Arc::new(SigningKeys::of_events(new, &self.epoch, instance)));
    }

    /// Returns the keys of events and notices, and their changes.
    pub(super) fn keys(&self) -> watch::Receiver<Arc<SigningKeys>> {
        self.keys.subscribe()
    }

    /// Starts the check of the messages on a subject. Call this before subscribing.
    pub(super) fn check(&self, subject: String) -> Check {
        self.senders.check(self.node, subject, self.clock.now())
    }

    /// Returns the content of a valid message; counts an invalid one.
    pub(super) fn content(
        &self,
        check: &mut Check,
        keys: &SigningKeys,
        message: &Bytes,
    ) -> Option<Bytes> {
        let content = check.content(keys, self.clock.now(), message);
        content.map_err(|rejected| self.count_rejected(rejected)).ok()
    }

    pub(super) fn count_rejected(&self, rejected: Rejected) {
        self.rejections.count(rejected);
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

    /// Waits until another node's lease changes, or the state of this node's connection does.
    pub(super) async fn leases_changed(&self) {
        self.changed.notified().await;
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

    /// Signs and publishes queued events, and drops those that come while NATS is unreachable.
    async fn publish_queued(self: Arc<Self>, mut waiting: mpsc::Receiver<Outgoing>) {
        let mut spaces = self.subject_space();
        let mut signer = Signer::new(self.node);
        let mut some = Vec::with_capacity(AT_ONCE);
        while waiting.recv_many(&mut some, AT_ONCE).await > 0 {
            let space = spaces.borrow_and_update().clone();
            let keys = self.keys.borrow().clone();
            let now = self.clock.now();
            for outgoing in some.drain(..) {
                let (subject, content) = match outgoing {
                    Outgoing::Event(user, frame) => (space.of(user), frame.into_bytes()),
                    Outgoing::Notice(notice) => (space.of_nodes(), notice),
                    Outgoing::End(done) => {
                        // The caller may not wait any longer.
                        let _ = self.client.flush().await;
                        let _ = done.send(());
                        return;
                    }
                };
                if !self.is_receiving() {
                    self.note_missed();
                    continue;
                }
                let message = signer.sign(&keys, now, &subject, &content);
                if self.client.publish(subject, message).await.is_err() {
                    self.note_missed();
                }
            }
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
