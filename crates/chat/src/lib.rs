//! The chat domain: accounts, conversations, messages, receipts, presence. No HTTP, no Leptos.
//!
//! [`Chat`] is the only entry point. `server` builds one and gives it to `app`'s server functions
//! and to its sockets; a handle is cheap to clone.
//!
//! # Layout
//! - [`accounts`](Chat::sign_up): sign-up, sign-in, sign-out; sessions and their tokens
//! - [`settings`](Chat::settings), [`sessions`](Chat::sessions): changes to a user's own account,
//!   and the list of its sign-ins; [`deletion`](Chat::delete_account): deleting the account
//! - [`invitations`](Chat::create_invitation): invitation links
//! - [`people`](Chat::find_people): user search
//! - [`conversations`](Chat::open_conversation): opening, listing, reading
//! - [`messages`](Chat::send_message): sending and marking by a call
//! - [`Connection`]: the same over a live connection, with typing
//! - `writer`: group commit, then answers and events, in this order
//! - `hub`, `relay`, `presence`: live connections, event delivery, online state
//! - `cluster`: several nodes on one store: leases, the broker, the leader, resyncs
//! - `health`: failures of the store, and its readiness
//! - `supervision`: detects a task that ended unexpectedly
//! - [`store`]: durable state; all SQL is below it
//!
//! # Life of a message
//! [`Connection::on_text`] checks the body and the rate and hands the message to the writer. The
//! writer puts all queued writes into one transaction of the [`store`], which checks membership,
//! recognises repeats and assigns the next seq. After the commit the writer answers `sent` to the
//! connection and gives the event to the relay. The relay serialises the event once and queues it
//! in the hub for every other connection of both users.

#![warn(missing_docs)]

mod accounts;
mod clock;
mod cluster;
mod config;
mod connection;
mod conversations;
mod deletion;
mod error;
mod finding;
mod health;
mod hub;
mod invitations;
mod messages;
mod people;
mod presence;
mod relay;
mod sessions;
mod settings;
pub mod store;
mod supervision;
mod throttle;
mod writer;

use std::sync::Arc;
use std::time::Duration;

use protocol::{CloseCode, Epoch, SessionId};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use accounts::{Authenticated, Client, Session, SignedIn};
pub use cluster::BrokerError;
pub use config::{Broker, Config, Database, Rates, Registration};
pub use connection::Connection;
pub use error::{Error, Result};
pub use finding::folded;
pub use health::Readiness;
pub use hub::{FrameText, Outgoing};
pub use store::moving::{MoveError, Moved, Progress, Stage, move_store};
pub use store::sqlite::accept_store;

use accounts::Passwords;
use cluster::{Cluster, Leadership, Node};
use health::{Health, Work};
use hub::{Full, Hub, pacing};
use presence::PresenceBoard;
use relay::Relay;
use store::postgres::PostgresStore;
use store::sqlite::SqliteStore;
use store::{NodeId, NodeKey, Store, postgres, sqlite};
use supervision::Supervisor;
use throttle::Throttle;
use writer::{Commits, LocalCommits, Writer};

/// How often the sessions of open connections are checked. Sign-out closes connections at once; the
/// check finds expired sessions, and those that another node ended without being able to report it.
const SESSIONS_EVERY: Duration = Duration::from_secs(5);
/// How often expired sessions and limiter state are removed.
const TIDY_EVERY: Duration = Duration::from_secs(10 * 60);
/// Connections closed per second when this node stops and other nodes take them over.
const CLOSED_PER_SECOND: u32 = 1_000;
/// Upper bound of that time, regardless of the number of connections.
const CLOSED_WITHIN: Duration = Duration::from_secs(10);
/// Sessions per query.
const SESSIONS_AT_ONCE: usize = 500;

/// A chat on one store; the entry point to everything users can do. Cheap to clone.
#[derive(Clone)]
pub struct Chat(Arc<Parts>);

struct Parts {
    config: Config,
    store: Arc<dyn Store>,
    writer: Writer,
    hub: Arc<Hub>,
    relay: Relay,
    presence: Arc<PresenceBoard>,
    passwords: Passwords,
    throttle: Throttle,
    health: Arc<Health>,
    /// The tasks of this chat. They end with [`Chat::close`].
    tasks: TaskTracker,
    supervisor: Supervisor,
    end: CancellationToken,
}

/// Why a chat could not start.
#[derive(Debug, thiserror::Error)]
pub enum BeginError {
    /// The file of the embedded store could not be opened.
    #[error(transparent)]
    Sqlite(#[from] sqlite::OpenError),
    /// The shared store could not be opened.
    #[error(transparent)]
    Postgres(#[from] postgres::OpenError),
    /// The broker could not be used.
    #[error(transparent)]
    Broker(#[from] BrokerError),
    /// A broker is configured with a store that only one process can open.
    #[error(
        "NATS connects several nodes, which share a Postgres: set DUET_DATABASE_URL, \
         or unset DUET_NATS_URL"
    )]
    BrokerAlone,
    /// Password hashing could not be prepared.
    #[error("cannot prepare password hashing: {0}")]
    Passwords(Error),
    /// The operating system returned no random numbers.
    #[error("the operating system returned no random numbers")]
    Randomness,
}

async fn open_store(config: &Config) -> std::result::Result<Arc<dyn Store>, BeginError> {
    Ok(match &config.database {
        Database::Sqlite(file) => Arc::new(SqliteStore::open(file).await?),
        Database::Postgres { url, connections } => {
            let wait = config.database_wait;
            Arc::new(PostgresStore::open_within(url, *connections, wait).await?)
        }
    })
}

/// Creates or migrates the tables of a store and closes it: for a server whose database role may
/// not create tables.
///
/// # Errors
/// One line for the operator.
pub async fn migrate(config: &Config) -> std::result::Result<(), BeginError> {
    open_store(config).await?.close().await;
    Ok(())
}

impl Chat {
    /// Opens the store and starts the chat's tasks. Call [`Chat::close`] at the end.
    ///
    /// # Errors
    /// One line for the operator.
    pub async fn begin(config: Config) -> std::result::Result<Self, BeginError> {
        let store = open_store(&config).await?;
        Self::on(config, store).await
    }

    /// As [`Chat::begin`], on an open store.
    pub(crate) async fn on(
        config: Config,
        store: Arc<dyn Store>,
    ) -> std::result::Result<Self, BeginError> {
        let passwords =
            Passwords::new(config.password_hashes_at_once).map_err(BeginError::Passwords)?;
        let (hub, leavers) = Hub::new(
            config.max_connections,
            config.max_connections_per_user,
            config.presence_grace,
        );
        let cluster = match (&config.broker, store.cluster_state()) {
            (Some(broker), Some(shared)) => {
                Cluster::connect(broker, store.epoch(), shared.instance(), hub.clone()).await?
            }
            (Some(_), None) => return Err(BeginError::BrokerAlone),
            (None, _) => Cluster::default(),
        };
        let relay = Relay::new(hub.clone(), cluster.clone());
        let tasks = TaskTracker::new();
        let health = Arc::new(Health::default());
        let end = CancellationToken::new();
        let supervisor = Supervisor::new(end.clone());
        let (leadership, leader) = watch::channel(Leadership::Nobody);
        let id = NodeId::new();
        let key = NodeKey::new().map_err(|_| BeginError::Randomness)?;
        let clustered = cluster.commits(id, leader, &store, &health);
        let commits: Arc<dyn Commits> = match &clustered {
            Some(clustered) => clustered.clone(),
            None => Arc::new(LocalCommits::new(store.clone(), health.clone())),
        };
        let (writer, writing) = Writer::start(commits, relay.clone());
        tasks.spawn(supervisor.essential("the writer", writing));
        if let Some(commits) = clustered {
            let answering = cluster::answer_leader_requests(commits, tasks.clone(), end.clone());
            tasks.spawn(supervisor.temporary("the task that answers leader requests", answering));
        }
        cluster.start(hub.clone(), &tasks, &end, &supervisor);
        tasks.spawn(watch_store(store.clone(), supervisor.clone(), end.clone()));
        let presence = Arc::new(PresenceBoard::new(
            id,
            hub.clone(),
            relay.clone(),
            store.clone(),
            writer.clone(),
            config.presence_grace,
        ));
        let watching = presence.clone().watch(leavers, end.clone());
        tasks.spawn(supervisor.essential("presence", watching));
        let throttle = Throttle::new(&config.rates, store.clone());
        let node = Node {
            id,
            key,
            store: store.clone(),
            hub: hub.clone(),
            cluster,
            presence: presence.clone(),
            leadership,
        };
        let leasing = node.hold_lease(end.clone());
        // A node with a store of its own holds no lease.
        match store.cluster_state().is_some() {
            true => tasks.spawn(supervisor.essential("the lease of this node", leasing)),
            false => tasks.spawn(supervisor.temporary("the lease of this node", leasing)),
        };
        let parts = Parts {
            config,
            store,
            writer,
            hub,
            relay,
            presence,
            passwords,
            throttle,
            health,
            tasks,
            supervisor: supervisor.clone(),
            end,
        };
        let chat = Self(Arc::new(parts));
        chat.0.tasks.spawn(supervisor.essential("the tidying task", chat.clone().keep_tidy()));
        Ok(chat)
    }

    /// Returns the build of the page that this process serves, if known.
    pub fn build(&self) -> Option<&str> {
        self.0.config.build.as_deref()
    }

    /// Returns the epoch of the store.
    pub fn epoch(&self) -> Epoch {
        self.store().epoch()
    }

    /// Returns whether a message could be stored now; queries the store on every call.
    pub async fn is_writable(&self) -> bool {
        let checked = self.store().check_writable().await;
        checked.inspect_err(|error| self.0.health.failed(Work::Check, error)).is_ok()
    }

    /// Returns whether the store can be written and read, taking recent failures into account.
    /// Concurrent callers share one check per second.
    pub async fn readiness(&self) -> Readiness {
        self.0.health.readiness(&self.0.store).await
    }

    /// Reports the error of a call. Store failures are logged, at most one line per kind and
    /// interval.
    pub fn note_failure(&self, error: &Error) {
        if let Error::Store(error) = error {
            self.0.health.failed(Work::Call, error);
        }
    }

    /// Returns whether this node receives the events of other nodes; always false without a broker.
    pub fn receives_other_nodes(&self) -> bool {
        self.relay().cluster().is_receiving()
    }

    /// Returns the name of an essential task or thread that has ended, if any. The process must
    /// then exit.
    pub fn has_failed(&self) -> Option<&'static str> {
        self.0.supervisor.has_failed()
    }

    /// Waits until an essential task or thread has ended and returns its name.
    pub async fn failed(&self) -> &'static str {
        self.0.supervisor.failed().await
    }

    /// Returns the number of live connections of this node.
    pub fn connections(&self) -> usize {
        self.hub().connections()
    }

    /// Registers a live connection for a session.
    ///
    /// # Errors
    /// The close code to send instead: `TooMany` if the user has too many connections, `Unavailable`
    /// if the node has too many or the store failed, `SessionEnded` if the session has ended.
    pub async fn connect(&self, session: Session) -> std::result::Result<Connection, CloseCode> {
        let user = session.user.id;
        // Events that arrive before `hello` are dropped; the client fetches that state after
        // `hello`.
        let subscription = self.relay().cluster().subscribe(user).await;
        let hello = connection::hello(self, &session);
        let joined = self.hub().join(user, session.id, hello);
        let (guard, was_away) = joined.map_err(|full| match full {
            Full::Node => CloseCode::Unavailable,
            Full::User => CloseCode::TooMany,
        })?;
        // A sign-out between the cookie check and `join` finds no connection to close.
        match self.is_valid(session.id).await {
            Ok(true) => {}
            Ok(false) => return Err(CloseCode::SessionEnded),
            Err(error) => {
                self.note_failure(&error);
                return Err(CloseCode::Unavailable);
            }
        }
        if was_away {
            self.presence().on_connected(user).await;
        }
        Ok(Connection::new(self.clone(), session, guard, subscription))
    }

    /// Closes every live connection with [`CloseCode::Restart`]. If there are other nodes, the
    /// closes are spread over time, and each connection stays live until its own close.
    pub async fn close_connections(&self) {
        let over = match self.has_other_nodes() {
            true => pacing::at_rate(self.hub(), CLOSED_PER_SECOND).min(CLOSED_WITHIN),
            false => Duration::ZERO,
        };
        pacing::visit(self.hub(), over, |outbound| outbound.close(CloseCode::Restart)).await;
    }

    /// Returns whether clients of this node can reconnect to another node at once.
    pub fn has_other_nodes(&self) -> bool {
        self.relay().cluster().has_broker()
    }

    /// Writes all queued messages and marks, ends the tasks, and closes the store.
    pub async fn close(&self) {
        // Connections that were made during the spread.
        pacing::visit(self.hub(), Duration::ZERO, |outbound| outbound.close(CloseCode::Restart))
            .await;
        self.0.end.cancel();
        self.writer().close().await;
        self.0.tasks.close();
        self.0.tasks.wait().await;
        self.relay().cluster().close().await;
        self.store().close().await;
    }

    async fn is_valid(&self, session: SessionId) -> Result<bool> {
        let life = self.session_life(clock::now());
        Ok(!self.store().good_sessions(&[session], life).await?.is_empty())
    }

    async fn keep_tidy(self) {
        let mut sessions = tokio::time::interval(SESSIONS_EVERY);
        let seen_every = TIDY_EVERY.min(self.seen_every() / 2).max(Duration::from_millis(1));
        let mut seen = tokio::time::interval(seen_every);
        let mut rest = tokio::time::interval(TIDY_EVERY);
        loop {
            let done = tokio::select! {
                () = self.0.end.cancelled() => return,
                _ = sessions.tick() => self.close_ended_sessions().await,
                _ = seen.tick() => self.record_use_of_connected_sessions().await,
                _ = rest.tick() => {
                    self.delete_expired().await
                }
            };
            // The next tick retries.
            if let Err(error) = done {
                self.note_failure(&error);
            }
        }
    }

    async fn delete_expired(&self) -> Result<()> {
        self.throttle().tidy().await?;
        Ok(self.store().forget_old_sessions(self.session_life(clock::now())).await?)
    }

    /// Counts an open connection as use of its session, even if the connection only receives: the
    /// user reads the page, and an expired session would sign them out of it.
    async fn record_use_of_connected_sessions(&self) -> Result<()> {
        let now = clock::now();
        let noted_before = clock::before(now, self.seen_every());
        for some in self.hub().sessions().chunks(SESSIONS_AT_ONCE) {
            self.store().see_sessions(some, now, noted_before).await?;
        }
        Ok(())
    }

    async fn close_ended_sessions(&self) -> Result<()> {
        let life = self.session_life(clock::now());
        for some in self.hub().sessions().chunks(SESSIONS_AT_ONCE) {
            let good = self.store().good_sessions(some, life).await?;
            let ended: Vec<_> = some.iter().copied().filter(|id| !good.contains(id)).collect();
            self.hub().close_sessions(&ended, CloseCode::SessionEnded);
        }
        Ok(())
    }

    fn config(&self) -> &Config {
        &self.0.config
    }

    fn store(&self) -> &dyn Store {
        self.0.store.as_ref()
    }

    fn writer(&self) -> &Writer {
        &self.0.writer
    }

    fn hub(&self) -> &Arc<Hub> {
        &self.0.hub
    }

    fn relay(&self) -> &Relay {
        &self.0.relay
    }

    fn presence(&self) -> &PresenceBoard {
        &self.0.presence
    }

    fn passwords(&self) -> &Passwords {
        &self.0.passwords
    }

    fn throttle(&self) -> &Throttle {
        &self.0.throttle
    }
}

/// Reports a thread of the store that has ended. Ends with the chat.
async fn watch_store(store: Arc<dyn Store>, supervisor: Supervisor, end: CancellationToken) {
    tokio::select! {
        () = end.cancelled() => {}
        name = store.failed() => supervisor.fail(name),
    }
}
