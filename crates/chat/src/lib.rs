//! What a chat is: accounts, conversations, messages, receipts, presence. No HTTP, no Leptos.
//!
//! [`Chat`] is the only door. `server` builds one and gives it to `app`'s server functions and to
//! its sockets; a handle is cheap to clone.
//!
//! # Layout
//! - [`accounts`](Chat::sign_up): sign up, in and out; sessions and their tokens
//! - [`settings`](Chat::settings), [`sessions`](Chat::sessions): what people change of their account,
//!   and the list of their sign-ins; [`deletion`](Chat::delete_account): the end of one
//! - [`invitations`](Chat::create_invitation): bringing someone in by a link
//! - [`people`](Chat::find_people): finding someone
//! - [`conversations`](Chat::open_conversation): opening, listing, reading
//! - [`messages`](Chat::send_message): sending and marking by a call
//! - [`Connection`]: the same over a live connection, with typing
//! - `writer`: group commit, then answers and events, in this order
//! - `hub`, `relay`, `presence`: who is connected, passing events on, who is there
//! - [`store`]: what is durable; all SQL is below it
//!
//! # Life of a message
//! [`Connection::on_text`] checks the body and the rate and hands the message to the writer. The
//! writer puts all that waits into one transaction of the [`store`], where membership is asked, a
//! repeat is recognised and the next number is taken. After the commit it answers `sent` to the
//! connection and gives the event to the relay, which queues it, serialised once, in the hub to
//! every other connection of both people.

mod accounts;
mod clock;
mod config;
mod connection;
mod conversations;
mod deletion;
mod error;
mod hub;
mod invitations;
mod messages;
mod people;
mod presence;
mod relay;
mod sessions;
mod settings;
pub mod store;
mod throttle;
mod writer;

use std::sync::Arc;
use std::time::Duration;

use protocol::{CloseCode, Epoch, SessionId};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use accounts::{Authenticated, Client, Session, SignedIn};
pub use config::{Config, Database, Rates, Registration};
pub use connection::Connection;
pub use error::{Error, Result};
pub use hub::Outgoing;

use accounts::{Passwords, session_life};
use hub::{Full, Hub};
use presence::PresenceBoard;
use relay::Relay;
use store::postgres::PostgresStore;
use store::sqlite::SqliteStore;
use store::{Store, postgres, sqlite};
use throttle::Throttle;
use writer::Writer;

/// How often the sessions behind open connections are looked at again. Signing out closes them at
/// once; this finds those that expired.
const SESSIONS_EVERY: Duration = Duration::from_secs(30);
/// How often what is over is forgotten.
const TIDY_EVERY: Duration = Duration::from_secs(10 * 60);
/// Sessions asked about in one query.
const SESSIONS_AT_ONCE: usize = 500;

/// A chat: everything people can do, on one store. Cheap to clone.
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
    /// The tasks of this chat: the writer, presence, and the one that tidies up. They end with
    /// [`Chat::close`].
    tasks: TaskTracker,
    end: CancellationToken,
}

/// Why a chat could not begin.
#[derive(Debug, thiserror::Error)]
pub enum BeginError {
    /// The file of the embedded store.
    #[error(transparent)]
    Sqlite(#[from] sqlite::OpenError),
    /// The shared store.
    #[error(transparent)]
    Postgres(#[from] postgres::OpenError),
    /// The machine.
    #[error("cannot prepare password hashing: {0}")]
    Passwords(Error),
}

impl Chat {
    /// Opens the store and starts the chat's tasks. Call [`Chat::close`] at the end.
    ///
    /// # Errors
    /// One line for the operator.
    pub async fn begin(config: Config) -> std::result::Result<Self, BeginError> {
        let store: Arc<dyn Store> = match &config.database {
            Database::Sqlite(file) => Arc::new(SqliteStore::open(file).await?),
            Database::Postgres { url, connections } => {
                Arc::new(PostgresStore::open(url, *connections).await?)
            }
        };
        let passwords = Passwords::new().await.map_err(BeginError::Passwords)?;
        let (hub, leavers) = Hub::new(
            config.max_connections,
            config.max_connections_per_user,
            config.presence_grace,
        );
        let relay = Relay::new(hub.clone());
        let tasks = TaskTracker::new();
        let end = CancellationToken::new();
        let (writer, writing) = Writer::start(store.clone(), relay.clone());
        tasks.spawn(writing);
        let presence = Arc::new(PresenceBoard::new(
            hub.clone(),
            relay.clone(),
            store.clone(),
            writer.clone(),
            config.presence_grace,
        ));
        tasks.spawn(presence.clone().watch(leavers, end.clone()));
        let throttle = Throttle::new(&config.rates);
        let parts =
            Parts { config, store, writer, hub, relay, presence, passwords, throttle, tasks, end };
        let chat = Self(Arc::new(parts));
        chat.0.tasks.spawn(chat.clone().keep_tidy());
        Ok(chat)
    }

    /// Which build of the page this process gives out, if it knows.
    pub fn build(&self) -> Option<&str> {
        self.0.config.build.as_deref()
    }

    /// The life of the store.
    pub fn epoch(&self) -> Epoch {
        self.store().epoch()
    }

    /// Whether a message could be stored now.
    pub async fn is_writable(&self) -> bool {
        match self.store().check_writable().await {
            Ok(()) => true,
            Err(error) => {
                tracing::error!(%error, "the store cannot be written");
                false
            }
        }
    }

    /// Live connections of this node.
    pub fn connections(&self) -> usize {
        self.hub().connections()
    }

    /// Begins a live connection for a session.
    ///
    /// # Errors
    /// The close code to say instead: the node or the person has as many as they may.
    pub async fn connect(&self, session: Session) -> std::result::Result<Connection, CloseCode> {
        let user = session.user.id;
        let hello = connection::hello(self, &session);
        let joined = self.hub().join(user, session.id, hello);
        let (seat, was_away) = joined.map_err(|full| match full {
            Full::Node => CloseCode::Slow,
            Full::User => CloseCode::TooMany,
        })?;
        // A sign-out between the look at the cookie and the seat would find no seat to close.
        match self.is_good(session.id).await {
            Ok(true) => {}
            Ok(false) => return Err(CloseCode::SessionEnded),
            Err(_) => return Err(CloseCode::Slow),
        }
        if was_away {
            self.presence().came(user).await;
        }
        Ok(Connection::new(self.clone(), session, seat))
    }

    /// Ends every live connection with "come back", and says how many there were.
    pub fn close_connections(&self) -> usize {
        self.hub().close_all(CloseCode::Restart)
    }

    /// Writes what waits, ends the tasks, and closes the store.
    pub async fn close(&self) {
        self.close_connections();
        self.0.end.cancel();
        self.writer().close().await;
        self.0.tasks.close();
        self.0.tasks.wait().await;
        self.store().close().await;
    }

    async fn is_good(&self, session: SessionId) -> Result<bool> {
        let life = session_life(clock::now());
        Ok(!self.store().good_sessions(&[session], life).await?.is_empty())
    }

    async fn keep_tidy(self) {
        let mut sessions = tokio::time::interval(SESSIONS_EVERY);
        let mut rest = tokio::time::interval(TIDY_EVERY);
        loop {
            let done = tokio::select! {
                () = self.0.end.cancelled() => return,
                _ = sessions.tick() => self.close_ended_sessions().await,
                _ = rest.tick() => {
                    self.throttle().tidy();
                    let life = session_life(clock::now());
                    self.store().forget_old_sessions(life).await.map_err(Error::from)
                }
            };
            if let Err(error) = done {
                tracing::warn!(%error, "tidying up failed; it is tried again");
            }
        }
    }

    async fn close_ended_sessions(&self) -> Result<()> {
        let life = session_life(clock::now());
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
