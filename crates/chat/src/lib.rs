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
//! - [`standings`](Chat::requests): requests, blocks and mutes; [`reports`](Chat::report): reports to
//!   the operator
//! - [`messages`](Chat::send_message): sending and marking by a call
//! - [`Connection`]: the same over a live connection, with typing
//! - `writer`: group commit, then answers and events, in this order
//! - `hub`, `relay`, `presence`: live connections, event delivery, online state
//! - `cluster`: several nodes on one store: leases, the broker, the leader, resyncs
//! - `throttle`, `allowance`, `space`: rate limits by user and address, and of one connection; the
//!   bound of the store's size
//! - `health`: failures of the store, and its readiness
//! - `begin`, `upkeep`: the start of a chat, and its periodic work
//! - `supervision`: detects a task that ended unexpectedly
//! - `clock`, `mutex`: timestamps; locks that ignore poisoning
//! - [`store`]: durable state; all SQL is below it
//!
//! # Life of a message
//! [`Connection::on_text`] checks the body and the rate and hands the message to the writer. The
//! writer puts all queued writes into one transaction of the [`store`], which checks the session
//! and membership, recognises repeats and assigns the next seq. After the commit the writer answers `sent` to the
//! connection and gives the event to the relay. The relay serialises the event once and queues it
//! in the hub for every other connection of both users.

#![warn(missing_docs)]

mod accounts;
mod allowance;
mod begin;
mod clock;
mod cluster;
mod config;
mod connection;
mod conversations;
mod deletion;
mod error;
mod finding;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod health;
mod hub;
mod invitations;
mod messages;
mod mutex;
mod people;
mod presence;
mod relay;
mod reports;
mod security_log;
mod sessions;
mod settings;
mod space;
mod standings;
pub mod store;
mod supervision;
mod throttle;
mod upkeep;
mod writer;

use std::sync::Arc;
use std::time::Duration;

use protocol::{CloseCode, Epoch, SessionId};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use accounts::{
    Arrived, Authenticated, Client, DeviceToken, NewLink, Proof, ProvenIdentity, Round, Session,
    SignedIn, Waiting,
};
pub use begin::{
    BeginError, ReplaceSecretError, close_report, migrate, open_reports, replace_secret,
    turn_off_two_step,
};
pub use cluster::BrokerError;
pub use config::{Broker, Config, Database, Provider, Rates, Registration, RelyingParty};
pub use connection::Connection;
pub use error::{Error, Result};
pub use finding::folded;
pub use health::Readiness;
pub use hub::{FrameText, Outgoing};
pub use security_log::log_refused_request;
pub use settings::{NewTokens, PasswordChange};
pub use store::moving::{MoveError, Moved, Progress, Stage, move_store};
pub use store::sqlite::accept_store;
pub use store::{Caller, Report, ReportId, ReportedMessage};
pub use throttle::network as client_network;

use accounts::{Ceremonies, Devices, Passwords, Rounds};
use health::{Health, Work};
use hub::{Full, Hub, pacing};
use presence::PresenceBoard;
use relay::Relay;
use space::StoreSpace;
use store::Store;
use supervision::Supervisor;
use throttle::Throttle;
use writer::Writer;

/// Connections closed per second when this node stops and other nodes take them over.
const CLOSED_PER_SECOND: u32 = 1_000;
/// Upper bound of that time, regardless of the number of connections.
const CLOSED_WITHIN: Duration = Duration::from_secs(10);
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
    devices: Devices,
    /// `None` if the address of the server cannot carry passkeys.
    ceremonies: Option<Ceremonies>,
    /// `None` if the operator has set no sign-in provider.
    rounds: Option<Rounds>,
    throttle: Throttle,
    space: StoreSpace,
    health: Arc<Health>,
    /// The tasks of this chat. They end with [`Chat::close`].
    tasks: TaskTracker,
    supervisor: Supervisor,
    end: CancellationToken,
}

impl Chat {
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
    pub async fn connect(&self, session: Session) -> Result<Connection, CloseCode> {
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

    fn devices(&self) -> &Devices {
        &self.0.devices
    }

    fn space(&self) -> &StoreSpace {
        &self.0.space
    }

    fn throttle(&self) -> &Throttle {
        &self.0.throttle
    }
}
