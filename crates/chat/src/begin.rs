//! Starts a chat: opens the store, connects the cluster, and spawns the tasks.

use std::sync::Arc;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::accounts::Passwords;
use crate::cluster::{self, BrokerError, Cluster, Leadership, Node};
use crate::health::Health;
use crate::hub::Hub;
use crate::presence::PresenceBoard;
use crate::relay::Relay;
use crate::store::postgres::PostgresStore;
use crate::store::sqlite::SqliteStore;
use crate::store::{NodeId, NodeKey, Store, postgres, sqlite};
use crate::supervision::Supervisor;
use crate::throttle::Throttle;
use crate::writer::{Commits, LocalCommits, Writer};
use crate::{Chat, Config, Database, Error, Parts};

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
}

/// Reports a thread of the store that has ended. Ends with the chat.
async fn watch_store(store: Arc<dyn Store>, supervisor: Supervisor, end: CancellationToken) {
    tokio::select! {
        () = end.cancelled() => {}
        name = store.failed() => supervisor.fail(name),
    }
}
