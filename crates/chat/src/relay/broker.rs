//! The connection to NATS: what goes out by it, and whether it carries.
//!
//! Core publish and subscribe, nothing is kept there. A frame goes to the subject of the person it
//! is for; what nodes say to each other goes to a subject of theirs. Nobody waits for the broker:
//! what it does not take is left out, and everybody is told to read again when it takes something
//! again. Every [`BEAT`] it is asked something that it answers itself, by the way that events go:
//! so a line that died silently is found within seconds.
//!
//! Bounds: [`QUEUE`] events wait to go out. Tasks: one that sends, one that asks, one that hears the
//! other nodes; they end with the relay. Used by [`super::Relay`] and [`super::ears`].

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_nats::{Client, ConnectErrorKind, ConnectOptions, Event, RequestErrorKind, ServerAddr};
use bytes::Bytes;
use futures::StreamExt;
use protocol::{CloseCode, SessionId, UserId};
use serde::{Deserialize, Serialize};
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::again::Again;
use super::ears::Ears;
use crate::config;
use crate::hub::Hub;

/// Events that may wait to go out: a second of full load.
const QUEUE: usize = 65_536;
/// Taken from the queue at once.
const AT_ONCE: usize = 256;
/// Between two questions to the broker.
const BEAT: Duration = Duration::from_secs(2);
/// An answer that takes longer is none.
const ANSWER_WITHIN: Duration = Duration::from_secs(2);
/// Questions without an answer before the connection is made anew.
const UNANSWERED: u32 = 2;
/// How long a connection may take to be made.
const CONNECT_WITHIN: Duration = Duration::from_secs(3);
/// Before a connection is tried again.
const TRY_AGAIN: Duration = Duration::from_millis(500);
/// How long what waits may take to leave at the end.
const CLOSE_WITHIN: Duration = Duration::from_secs(3);

/// Why a broker could not be used: one line for the operator.
#[derive(Debug, thiserror::Error)]
pub enum BrokerError {
    /// An address.
    #[error("DUET_NATS_URL: {0}. Write nats://TOKEN@HOST:4222 or tls://HOST:4222")]
    Url(String),
    /// The credentials file.
    #[error("cannot read the NATS credentials in {0}: {1}")]
    Credentials(String, std::io::Error),
    /// It does not let us in.
    #[error("NATS does not let this node in: {0}. Check DUET_NATS_URL and the credentials")]
    Refused(async_nats::ConnectError),
    /// Its certificate.
    #[error(
        "cannot trust NATS: {0}. Name the certificate of who signed its own in DUET_NATS_AUTHORITY"
    )]
    Untrusted(std::io::Error),
}

/// What nodes say to each other.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Notice {
    /// These sessions have ended.
    SessionsEnded(Vec<SessionId>),
    /// Something was lost: let everybody read again.
    ReadAgain,
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
    space: String,
    hub: Arc<Hub>,
    again: Again,
    ears: Ears,
    queue: mpsc::Sender<Outgoing>,
    waiting: Mutex<Option<mpsc::Receiver<Outgoing>>>,
    hears: AtomicBool,
    /// Something did not go out: others have to read again.
    missed: AtomicBool,
    /// Something did not come in: those who are here have to.
    lagged: Arc<AtomicBool>,
}

impl Broker {
    pub(super) async fn connect(
        config: &config::Broker,
        space: &str,
        hub: Arc<Hub>,
        again: Again,
    ) -> Result<Arc<Self>, BrokerError> {
        let lagged = Arc::new(AtomicBool::new(false));
        let client = connect(config, lagged.clone()).await?;
        let (queue, waiting) = mpsc::channel(QUEUE);
        Ok(Arc::new(Self {
            client,
            space: format!("duet.{space}"),
            hub,
            again,
            ears: Ears::default(),
            queue,
            waiting: Mutex::new(Some(waiting)),
            hears: AtomicBool::new(false),
            missed: AtomicBool::new(false),
            lagged,
        }))
    }

    pub(super) fn start(self: &Arc<Self>, tasks: &TaskTracker, end: &CancellationToken) {
        let waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(waiting) = waiting {
            // Not one of the tasks that end first: what they publish last goes by it.
            tokio::spawn(self.clone().send(waiting));
        }
        for task in [futures_of(self.clone().ask()), futures_of(self.clone().hear_nodes())] {
            let end = end.clone();
            tasks.spawn(async move {
                tokio::select! {
                    () = end.cancelled() => {}
                    () = task => {}
                }
            });
        }
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

    pub(super) fn subject_of(&self, user: UserId) -> String {
        format!("{}.to.{}", self.space, user.0.as_simple())
    }

    /// Whether events of others come here, as far as is known.
    pub(super) fn hears(&self) -> bool {
        self.hears.load(Ordering::Acquire)
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
        let nodes = self.subject_of_nodes();
        let mut some = Vec::with_capacity(AT_ONCE);
        while waiting.recv_many(&mut some, AT_ONCE).await > 0 {
            for one in some.drain(..) {
                let (subject, payload) = match one {
                    Outgoing::Event(user, frame) => (self.subject_of(user), frame),
                    Outgoing::Notice(notice) => (nodes.clone(), notice),
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

    fn subject_of_nodes(&self) -> String {
        format!("{}.nodes", self.space)
    }

    /// Hears what other nodes say.
    async fn hear_nodes(self: Arc<Self>) {
        let Ok(mut notices) = self.client.subscribe(self.subject_of_nodes()).await else { return };
        while let Some(notice) = notices.next().await {
            // A newer node may say what this one does not know.
            match serde_json::from_slice(&notice.payload) {
                Ok(Notice::SessionsEnded(sessions)) => {
                    self.hub.close_sessions(&sessions, CloseCode::SessionEnded);
                }
                Ok(Notice::ReadAgain) => self.again.ask(),
                Err(error) => tracing::debug!(%error, "a notice that is not known"),
            }
        }
    }

    /// Asks the broker again and again whether it is there, and sees to it that nobody stays
    /// without what was lost.
    async fn ask(self: Arc<Self>) {
        let connects = || self.client.statistics().connects.load(Ordering::Relaxed);
        let (mut known, mut unanswered) = (connects(), 0);
        let mut begun = false;
        loop {
            let answers = self.answers().await;
            let heard = self.hears.swap(answers, Ordering::AcqRel);
            if answers {
                unanswered = 0;
                let is_anew = begun && (!heard || connects() != known);
                known = connects();
                begun = true;
                if is_anew {
                    tracing::info!("NATS is heard again; everybody reads what they missed");
                }
                if self.missed.swap(false, Ordering::AcqRel) || is_anew {
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
            tokio::time::sleep(BEAT).await;
        }
    }

    /// Whether the broker answers. It says by itself that nobody listens there; what it was told
    /// before on this connection, it has heard.
    pub(super) async fn answers(&self) -> bool {
        let nobody = format!("{}.nobody", self.space);
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

async fn connect(config: &config::Broker, lagged: Arc<AtomicBool>) -> Result<Client, BrokerError> {
    let mut servers = Vec::new();
    for url in config.url.split(',') {
        servers.push(url.trim().parse::<ServerAddr>().map_err(|error| {
            // The URL may hold a token, so it is not repeated.
            BrokerError::Url(error.to_string())
        })?);
    }
    let options = options(config, &servers, lagged.clone()).await?;
    let error = match options.connect(servers.clone()).await {
        Ok(client) => return Ok(client),
        Err(error) => error,
    };
    match error.kind() {
        ConnectErrorKind::Io | ConnectErrorKind::TimedOut | ConnectErrorKind::Dns => {}
        _ => return Err(BrokerError::Refused(error)),
    }
    if let Some(why) = distrust(&error) {
        return Err(BrokerError::Untrusted(why));
    }
    // It is a hint, not the truth: people can talk without it, a little later.
    tracing::warn!(%error, "NATS cannot be reached yet; it is tried again");
    let options = options_again(config, &servers, lagged).await?;
    options.connect(servers).await.map_err(BrokerError::Refused)
}

/// What is wrong with its certificate, if that is why there is no connection: it comes as an error of
/// the line, as if the server were away.
fn distrust(error: &async_nats::ConnectError) -> Option<std::io::Error> {
    let mut source = std::error::Error::source(error);
    while let Some(inner) = source {
        if let Some(io) = inner.downcast_ref::<std::io::Error>()
            && io.kind() == std::io::ErrorKind::InvalidData
        {
            return Some(std::io::Error::new(io.kind(), io.to_string()));
        }
        source = inner.source();
    }
    None
}

async fn options_again(
    config: &config::Broker,
    servers: &[ServerAddr],
    lagged: Arc<AtomicBool>,
) -> Result<ConnectOptions, BrokerError> {
    Ok(options(config, servers, lagged).await?.retry_on_initial_connect())
}

async fn options(
    config: &config::Broker,
    servers: &[ServerAddr],
    lagged: Arc<AtomicBool>,
) -> Result<ConnectOptions, BrokerError> {
    let mut options = ConnectOptions::new()
        .name("duet")
        .no_echo()
        .connection_timeout(CONNECT_WITHIN)
        .ping_interval(BEAT * 2)
        .max_reconnects(None)
        .reconnect_delay_callback(|tries| if tries <= 1 { Duration::ZERO } else { TRY_AGAIN })
        .event_callback(move |event| {
            let lagged = lagged.clone();
            async move {
                match event {
                    Event::SlowConsumer(_) => lagged.store(true, Ordering::Release),
                    other => tracing::debug!(event = %other, "NATS"),
                }
            }
        });
    if let Some(server) = servers.iter().find(|server| server.has_user_pass()) {
        let name = server.username().unwrap_or_default().to_owned();
        options = match server.password() {
            Some(password) => options.user_and_password(name, password.to_owned()),
            None => options.token(name),
        };
    }
    if let Some(file) = &config.credentials {
        options = options
            .credentials_file(file)
            .await
            .map_err(|error| BrokerError::Credentials(file.display().to_string(), error))?;
    }
    if let Some(authority) = &config.authority {
        options = options.add_root_certificates(authority.clone());
    }
    Ok(options)
}
