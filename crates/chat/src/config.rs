//! The settings of a chat that the operator controls, with their defaults.
//!
//! This module neither reads nor checks anything: `server` turns flags and variables into a
//! [`Config`] for [`crate::Chat::begin`].

use std::fmt;
use std::num::{NonZeroU32, NonZeroUsize};
use std::path::PathBuf;
use std::time::Duration;

/// The unit of session lifetimes.
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// The configuration of a [`crate::Chat`].
#[derive(Clone, Debug)]
pub struct Config {
    /// The database that stores everything.
    pub database: Database,
    /// How long to wait at start for a Postgres that does not accept connections yet.
    pub database_wait: Duration,
    /// The NATS server that passes live events between nodes on one database. `None` means a single
    /// node.
    pub broker: Option<Broker>,
    /// Who may sign up.
    pub registration: Registration,
    /// Whether search shows users without a shared conversation and matches prefixes of their
    /// names. If false, only an exact username finds such a user.
    pub directory_open: bool,
    /// The rate limits.
    pub rates: Rates,
    /// Upper bound of concurrent password hashes, each of which takes 46 MiB of memory; `None`
    /// means one per core.
    pub password_hashes_at_once: Option<NonZeroUsize>,
    /// Size of the stored data in bytes at which messages, new accounts and new conversations are
    /// refused; `None` means no bound.
    pub max_store_bytes: Option<u64>,
    /// Upper bound of live connections on this node.
    pub max_connections: usize,
    /// Upper bound of live connections per user on this node.
    pub max_connections_per_user: usize,
    /// How long a user stays online after their last connection ended, so that a page reload does
    /// not show them as offline.
    pub presence_grace: Duration,
    /// A session expires when unused for this long. An open connection counts as use.
    pub session_idle: Duration,
    /// A session expires after this time even if it is in use.
    pub session_life: Duration,
    /// The site to which passkeys belong; `None` if the address of the server cannot carry any.
    pub relying_party: Option<RelyingParty>,
    /// Whether a user may sign up with a passkey and without a password.
    pub passkey_sign_up: bool,
    /// The operator's sign-in provider, if there is one.
    pub provider: Option<Provider>,
    /// The build of the page that this process serves, if known; sent to each connection in
    /// `hello`.
    pub build: Option<String>,
}

/// A site as `WebAuthn` sees it. Passkeys are bound to its id for ever.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RelyingParty {
    /// The domain name of the site.
    pub id: String,
    /// The origin of the site's pages, such as `https://chat.example.org`.
    pub origin: String,
    /// The name that authenticators show.
    pub name: String,
}

/// The operator's provider of OpenID Connect. Identities are bound to its issuer for ever.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Provider {
    /// The issuer, exactly as the provider writes it in its ID tokens.
    pub issuer: String,
    /// The name that pages show.
    pub name: String,
}

/// The database that stores everything.
#[derive(Clone, PartialEq, Eq)]
pub enum Database {
    /// A file of the embedded store; created with its directory if absent.
    Sqlite(PathBuf),
    /// A Postgres database, which other nodes may share.
    Postgres {
        /// `postgres://USER:PASSWORD@HOST/DATABASE?sslmode=verify-full`. A secret.
        url: String,
        /// Upper bound of connections to the database.
        connections: u32,
    },
}

/// A NATS server, which passes live events between nodes.
#[derive(Clone, PartialEq, Eq)]
pub struct Broker {
    /// `nats://TOKEN@HOST:PORT`, `nats://USER:PASSWORD@HOST` or `tls://HOST`; several servers of
    /// one cluster are separated by commas. A secret.
    pub url: String,
    /// A credentials file, used instead of a token or password in the URL.
    pub credentials: Option<PathBuf>,
    /// The certificate of an authority to trust in addition to those of the system.
    pub authority: Option<PathBuf>,
}

/// Omits every field, because the URL holds the token.
impl fmt::Debug for Broker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Broker").finish_non_exhaustive()
    }
}

impl From<PathBuf> for Database {
    fn from(file: PathBuf) -> Self {
        Self::Sqlite(file)
    }
}

/// Omits the Postgres URL, because it holds the password.
impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(file) => f.debug_tuple("Sqlite").field(file).finish(),
            Self::Postgres { connections, .. } => {
                f.debug_struct("Postgres").field("connections", connections).finish_non_exhaustive()
            }
        }
    }
}

/// Who may create an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Registration {
    /// Every client.
    Open,
    /// Only the holder of an invitation.
    Invited,
    /// No client, and no invitation can be created or used.
    Closed,
}

/// Rate limits. Each allows its full count at once unless its field states another burst.
#[derive(Clone, Debug)]
pub struct Rates {
    /// New accounts per hour and client address; fifty times as many from the loopback address.
    pub sign_ups_per_hour: NonZeroU32,
    /// Sign-in attempts per minute and client address, fifty times as many from the loopback
    /// address; and passwords that one user enters on known devices and in sessions.
    pub sign_ins_per_minute: NonZeroU32,
    /// User searches per minute and user; the burst is half of it.
    pub searches_per_minute: NonZeroU32,
    /// Messages per minute and user; the burst is half of it, so that a client that reconnects with
    /// a full outbox is not throttled, and a flood is.
    pub messages_per_minute: NonZeroU32,
    /// Stored bytes of messages per day and user, in mebibytes; the burst is the whole of it.
    pub message_mebibytes_per_day: NonZeroU32,
    /// New conversations per hour and user; the burst is half of it. Four times as many per day.
    pub conversations_per_hour: NonZeroU32,
    /// New conversations per day and user; the burst is the whole of it. Each may become a request.
    pub requests_per_day: NonZeroU32,
    /// Reads of conversations, history, settings, sessions and invitations per minute and user; the
    /// burst is half of it.
    pub reads_per_minute: NonZeroU32,
    /// Frames per second and connection; the burst is six seconds' worth.
    pub frames_per_second: NonZeroU32,
}

const fn at_least_one(count: u32) -> NonZeroU32 {
    match NonZeroU32::new(count) {
        Some(count) => count,
        None => NonZeroU32::MIN,
    }
}

impl Default for Rates {
    fn default() -> Self {
        Self {
            sign_ups_per_hour: at_least_one(20),
            sign_ins_per_minute: at_least_one(20),
            searches_per_minute: at_least_one(60),
            messages_per_minute: at_least_one(300),
            message_mebibytes_per_day: at_least_one(256),
            conversations_per_hour: at_least_one(60),
            requests_per_day: at_least_one(20),
            reads_per_minute: at_least_one(1_200),
            frames_per_second: at_least_one(50),
        }
    }
}

impl Config {
    /// Returns the defaults for this database.
    pub fn new(database: impl Into<Database>) -> Self {
        Self {
            database: database.into(),
            database_wait: Duration::ZERO,
            broker: None,
            registration: Registration::Open,
            directory_open: true,
            rates: Rates::default(),
            password_hashes_at_once: None,
            max_store_bytes: None,
            max_connections: 10_000,
            max_connections_per_user: 10,
            presence_grace: Duration::from_secs(30),
            session_idle: DAY.saturating_mul(7),
            session_life: DAY.saturating_mul(30),
            relying_party: None,
            passkey_sign_up: false,
            provider: None,
            build: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_output_of_a_configuration_omits_the_password() {
        let url = "postgres://duet:very-secret@db/duet".to_owned();
        let config = Config::new(Database::Postgres { url, connections: 7 });
        let shown = format!("{config:?}");
        assert!(shown.contains("connections: 7") && !shown.contains("secret"), "{shown}");
    }
}
