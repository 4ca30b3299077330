//! What an operator may decide about a chat.

use std::fmt;
use std::num::{NonZeroU32, NonZeroUsize};
use std::path::PathBuf;
use std::time::Duration;

/// The unit of the lives of sessions.
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// See the fields.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where everything is stored.
    pub database: Database,
    /// How long a Postgres that is not there yet is waited for.
    pub database_wait: Duration,
    /// What passes live events between nodes on one database. None: there is one node.
    pub broker: Option<Broker>,
    /// Who may sign up.
    pub registration: Registration,
    /// Whether people one has not talked to are shown and found by the start of their names. When
    /// closed, only a whole username finds someone.
    pub directory_open: bool,
    /// How often one may.
    pub rates: Rates,
    /// Passwords that are hashed at once, each in 46 MiB of memory; as many as there are cores
    /// when it is not said.
    pub password_hashes_at_once: Option<NonZeroUsize>,
    /// Live connections on this node, in all.
    pub max_connections: usize,
    /// Live connections of one person.
    pub max_connections_per_user: usize,
    /// How long someone stays online after their last connection ended: a reload is no absence.
    pub presence_grace: Duration,
    /// A session that is not used for this long is over. An open connection is use.
    pub session_idle: Duration,
    /// A session is over after this, used or not.
    pub session_life: Duration,
    /// Which build of the page the process gives out, if it knows; told to each connection.
    pub build: Option<String>,
}

/// Where everything is stored.
#[derive(Clone, PartialEq, Eq)]
pub enum Database {
    /// In this file of the embedded store; created, with its directory, when absent.
    Sqlite(PathBuf),
    /// In a Postgres, which other nodes may share.
    Postgres {
        /// `postgres://USER:PASSWORD@HOST/DATABASE?sslmode=verify-full`. A secret.
        url: String,
        /// How many connections at most.
        connections: u32,
    },
}

/// A NATS, which passes live events between nodes.
#[derive(Clone, PartialEq, Eq)]
pub struct Broker {
    /// `nats://TOKEN@HOST:PORT`, `nats://USER:PASSWORD@HOST` or `tls://HOST`; several of one
    /// cluster with commas. A secret.
    pub url: String,
    /// A credentials file, instead.
    pub credentials: Option<PathBuf>,
    /// The certificate of the authority to trust, besides those of the system.
    pub authority: Option<PathBuf>,
}

/// Without the token, nor anything that it may stand beside.
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

/// Without the password, nor anything that it may stand beside.
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

/// Who may make an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Registration {
    /// Everybody.
    Open,
    /// Whoever was invited by someone who has one.
    Invited,
    /// Nobody.
    Closed,
}

/// How often one may, each with the burst the code beside it states.
#[derive(Clone, Debug)]
pub struct Rates {
    /// New accounts from one address in an hour; fifty times as many from this machine itself.
    pub sign_ups_per_hour: NonZeroU32,
    /// Attempts to sign in from one address in a minute; fifty times as many from this machine.
    pub sign_ins_per_minute: NonZeroU32,
    /// Searches for people by one person in a minute, half of them at once.
    pub searches_per_minute: NonZeroU32,
    /// Messages of one person in a minute, half of them at once: whoever comes out of a tunnel with
    /// a full outbox is not held up, and a flood is.
    pub messages_per_minute: NonZeroU32,
    /// Frames of one connection in a second, six seconds' worth at once.
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
            frames_per_second: at_least_one(50),
        }
    }
}

impl Config {
    /// The defaults, on this database.
    pub fn new(database: impl Into<Database>) -> Self {
        Self {
            database: database.into(),
            database_wait: Duration::ZERO,
            broker: None,
            registration: Registration::Open,
            directory_open: true,
            rates: Rates::default(),
            password_hashes_at_once: None,
            max_connections: 10_000,
            max_connections_per_user: 10,
            presence_grace: Duration::from_secs(30),
            session_idle: DAY.saturating_mul(7),
            session_life: DAY.saturating_mul(30),
            build: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_not_shown() {
        let url = "postgres://duet:very-secret@db/duet".to_owned();
        let config = Config::new(Database::Postgres { url, connections: 7 });
        let shown = format!("{config:?}");
        assert!(shown.contains("connections: 7") && !shown.contains("secret"), "{shown}");
    }
}
