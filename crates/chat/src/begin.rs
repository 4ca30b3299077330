//! Starts a chat: opens the store, connects the cluster, and spawns the tasks.
//!
//! `server` calls [`Chat::begin`] once for each process, and [`migrate`], [`replace_secret`],
//! [`turn_off_two_step`], [`open_reports`] and [`close_report`] for its subcommands.
//! Nothing is served before [`Chat::begin`] returns; [`Chat::close`] ends the tasks.

use std::sync::Arc;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::accounts::{Ceremonies, Devices, Passwords, Rounds, fold};
use crate::cluster::{self, BrokerError, Cluster, ClusterCommits, Leadership, Node};
use crate::health::{Health, Work};
use crate::hub::Hub;
use crate::presence::PresenceBoard;
use crate::relay::Relay;
use crate::space::StoreSpace;
use crate::store::postgres::PostgresStore;
use crate::store::sqlite::SqliteStore;
use crate::store::{
    NodeId, NodeKey, OldestSession, Report, ReportId, Store, StoreError, postgres, sqlite,
};
use crate::supervision::Supervisor;
use crate::throttle::Throttle;
use crate::writer::{Commits, LocalCommits, Writer};
use crate::{Chat, Config, Database, Error, Parts, clock};

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
    /// The configured site cannot carry passkeys.
    #[error("cannot prepare passkeys: {0}")]
    Passkeys(String),
    /// The operating system returned no random numbers.
    #[error("the operating system returned no random numbers")]
    Randomness,
    /// The open store failed.
    #[error("the store failed: {0}")]
    Store(#[from] StoreError),
}

async fn open_store(config: &Config) -> Result<Arc<dyn Store>, BeginError> {
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
pub async fn migrate(config: &Config) -> Result<(), BeginError> {
    open_store(config).await?.close().await;
    Ok(())
}

/// Why the nodes' secret was not replaced.
#[derive(Debug, thiserror::Error)]
pub enum ReplaceSecretError {
    /// The store could not be opened.
    #[error(transparent)]
    Begin(#[from] BeginError),
    /// One process owns the store, so there is no secret.
    #[error(
        "nodes that share a Postgres have a secret, and SQLite has none: set DUET_DATABASE_URL"
    )]
    NotShared,
    /// Nodes may not have adopted the last replacement.
    #[error("the secret was replaced less than a minute ago; wait a minute and try again")]
    TooSoon,
    /// The database failed.
    #[error("cannot replace the secret: {0}")]
    Store(#[from] StoreError),
}

/// Replaces the secret by which the nodes on a store authenticate each other. Running nodes adopt
/// the new secret within 15 seconds, and refuse the old one after 45.
///
/// # Errors
/// One line for the operator.
pub async fn replace_secret(config: &Config) -> Result<(), ReplaceSecretError> {
    if let Database::Sqlite(_) = &config.database {
        return Err(ReplaceSecretError::NotShared);
    }
    let store = open_store(config).await?;
    let shared = store.cluster_state().ok_or(ReplaceSecretError::NotShared)?;
    let replaced = shared.replace_secret().await;
    store.close().await;
    match replaced? {
        true => Ok(()),
        false => Err(ReplaceSecretError::TooSoon),
    }
}

/// Turns two-step sign-in off without the user's password: for the operator, on behalf of a user
/// who has lost the authenticator app and the recovery codes. False if there is no account of this
/// username with two-step sign-in.
///
/// # Errors
/// One line for the operator.
pub async fn turn_off_two_step(config: &Config, username: &str) -> Result<bool, BeginError> {
    let store = open_store(config).await?;
    let turned_off = async {
        match store.credentials(&fold(username.trim())).await? {
            Some((user, _)) => store.delete_second_factor(user.id).await,
            None => Ok(false),
        }
    };
    let turned_off = turned_off.await;
    store.close().await;
    Ok(turned_off?)
}

/// Maximum number of reports that `duet reports` lists at once.
const MOST_REPORTS: usize = 100;

/// Returns the open reports of users to the operator, the oldest first.
///
/// # Errors
/// One line for the operator.
pub async fn open_reports(config: &Config) -> Result<Vec<Report>, BeginError> {
    let store = open_store(config).await?;
    let reports = store.reports(MOST_REPORTS).await;
    store.close().await;
    Ok(reports?)
}

/// Deletes a report. False if there is no such report.
///
/// # Errors
/// One line for the operator.
pub async fn close_report(config: &Config, id: ReportId) -> Result<bool, BeginError> {
    let store = open_store(config).await?;
    let closed = store.close_report(id).await;
    store.close().await;
    Ok(closed?)
}

impl Chat {
    /// Opens the store and starts the chat's tasks. Call [`Chat::close`] at the end.
    ///
    /// # Errors
    /// One line for the operator.
    pub async fn begin(config: Config) -> Result<Self, BeginError> {
        let store = open_store(&config).await?;
        Self::on(config, store).await
    }

    /// As [`Chat::begin`], on an open store.
    pub(crate) async fn on(config: Config, store: Arc<dyn Store>) -> Result<Self, BeginError> {
        let passwords =
            Passwords::new(config.password_hashes_at_once).map_err(BeginError::Passwords)?;
        let hub = Hub::new(
            config.max_connections,
            config.max_connections_per_user,
            config.presence_grace,
        );
        let id = NodeId::new();
        let cluster = connect_cluster(&config, id, store.as_ref(), &hub).await?;
        let relay = Relay::new(hub.clone(), cluster.clone());
        let health = Arc::new(Health::default());
        let tasks = Tasks::new();
        let (leadership, leader) = watch::channel(Leadership::Nobody);
        let key = NodeKey::new().map_err(|_| BeginError::Randomness)?;
        let clustered = cluster.commits(id, leader, &store, &health);
        let (life, idle) = (config.session_life, config.session_idle);
        let oldest = move || {
            let now = clock::now();
            OldestSession { created: clock::before(now, life), seen: clock::before(now, idle) }
        };
        let writer = tasks.start_writer(clustered, &store, &health, &relay, oldest);
        cluster.start(hub.clone(), &tasks.tracker, &tasks.end, &tasks.supervisor);
        tasks.watch_store(store.clone());
        let presence = Arc::new(PresenceBoard::new(
            id,
            hub.clone(),
            relay.clone(),
            store.clone(),
            writer.clone(),
        ));
        tasks.essential("presence", presence.clone().watch(tasks.end.clone()));
        tasks.hold_lease(Node {
            id,
            key,
            store: store.clone(),
            hub: hub.clone(),
            cluster,
            presence: presence.clone(),
            leadership,
        });
        let devices = Devices::new(store.secret());
        let ceremonies = config.relying_party.as_ref();
        let ceremonies = ceremonies.map(|party| Ceremonies::new(party, store.secret()));
        let ceremonies = ceremonies.transpose().map_err(BeginError::Passkeys)?;
        let rounds = config.provider.clone().map(|provider| Rounds::new(provider, store.secret()));
        let throttle = Throttle::new(&config.rates, store.clone());
        let space = StoreSpace::new(config.max_store_bytes);
        if let Err(error) = space.measure(store.as_ref()).await {
            // The upkeep measures again.
            health.failed(Work::Call, &error);
        }
        let Tasks { tracker, supervisor, end } = tasks;
        let chat = Self(Arc::new(Parts {
            config,
            store,
            writer,
            hub,
            relay,
            presence,
            passwords,
            devices,
            ceremonies,
            rounds,
            throttle,
            space,
            health,
            tasks: tracker,
            supervisor,
            end,
        }));
        let tidying = chat.0.supervisor.essential("the tidying task", chat.clone().keep_tidy());
        chat.0.tasks.spawn(tidying);
        Ok(chat)
    }
}

/// Connects to the configured broker; without one, the node is alone.
async fn connect_cluster(
    config: &Config,
    node: NodeId,
    store: &dyn Store,
    hub: &Arc<Hub>,
) -> Result<Cluster, BeginError> {
    match (&config.broker, store.cluster_state()) {
        (Some(broker), Some(shared)) => {
            Ok(Cluster::connect(broker, node, store.epoch(), shared, hub.clone()).await?)
        }
        (Some(_), None) => Err(BeginError::BrokerAlone),
        (None, _) => Ok(Cluster::default()),
    }
}

/// The tasks of a chat, which end with the token.
struct Tasks {
    tracker: TaskTracker,
    supervisor: Supervisor,
    end: CancellationToken,
}

impl Tasks {
    fn new() -> Self {
        let end = CancellationToken::new();
        Self { tracker: TaskTracker::new(), supervisor: Supervisor::new(end.clone()), end }
    }

    fn essential(&self, name: &'static str, task: impl Future<Output = ()> + Send + 'static) {
        self.tracker.spawn(self.supervisor.essential(name, task));
    }

    fn temporary(&self, name: &'static str, task: impl Future<Output = ()> + Send + 'static) {
        self.tracker.spawn(self.supervisor.temporary(name, task));
    }

    /// Starts the writer, which commits through the cluster if there is one.
    fn start_writer(
        &self,
        clustered: Option<Arc<ClusterCommits>>,
        store: &Arc<dyn Store>,
        health: &Arc<Health>,
        relay: &Relay,
        oldest: impl Fn() -> OldestSession + Send + 'static,
    ) -> Writer {
        let commits: Arc<dyn Commits> = match &clustered {
            Some(clustered) => clustered.clone(),
            None => Arc::new(LocalCommits::new(store.clone(), health.clone())),
        };
        let (writer, writing) = Writer::start(commits, relay.clone(), oldest);
        self.essential("the writer", writing);
        if let Some(commits) = clustered {
            let (tracker, end) = (self.tracker.clone(), self.end.clone());
            let answering = cluster::answer_leader_requests(commits, tracker, end);
            self.temporary("the task that answers leader requests", answering);
        }
        writer
    }

    fn hold_lease(&self, node: Node) {
        let shares_store = node.store.cluster_state().is_some();
        let leasing = node.hold_lease(self.end.clone());
        // A node with a store of its own holds no lease, so its task ends at once.
        match shares_store {
            true => self.essential("the lease of this node", leasing),
            false => self.temporary("the lease of this node", leasing),
        }
    }

    /// Reports a thread of the store that has ended.
    fn watch_store(&self, store: Arc<dyn Store>) {
        let (supervisor, end) = (self.supervisor.clone(), self.end.clone());
        self.tracker.spawn(async move {
            tokio::select! {
                () = end.cancelled() => {}
                name = store.failed() => supervisor.fail(name),
            }
        });
    }
}
