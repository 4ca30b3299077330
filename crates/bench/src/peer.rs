//! The peers: other servers that do this job, from Debian's packages, started on loopback with
//! their own data.
//!
//! `scripts/bench-peers` installs them; what is not installed is not measured. Each keeps an
//! archive of all messages, as Duet keeps them, and acknowledges by XMPP's stream management.
//!
//! # Layout
//! - `process`: how each is started
//! - `xmpp`: a client's line
//! - `pairs`: the load of *pairs*, in XMPP

pub mod pairs;
mod process;
mod xmpp;

use std::path::Path;

/// A server and its store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Peer {
    /// The fastest of them that keeps what it acknowledged.
    EjabberdPostgres,
    /// As easy to host as Duet.
    EjabberdSqlite,
    /// As Debian sets it up.
    ProsodyFiles,
    /// As easy to host as Duet.
    ProsodySqlite,
}

impl Peer {
    /// All of them.
    pub const ALL: [Self; 4] =
        [Self::EjabberdPostgres, Self::EjabberdSqlite, Self::ProsodyFiles, Self::ProsodySqlite];

    /// As the tables name it.
    pub fn name(self) -> &'static str {
        match self {
            Self::EjabberdPostgres => "ejabberd, Postgres",
            Self::EjabberdSqlite => "ejabberd, SQLite",
            Self::ProsodyFiles => "Prosody, files",
            Self::ProsodySqlite => "Prosody, SQLite",
        }
    }

    /// Whether its packages are here.
    pub fn is_installed(self) -> bool {
        match self {
            Self::EjabberdPostgres => {
                process::ejabberd().is_some() && process::postgres().is_some()
            }
            Self::EjabberdSqlite => process::ejabberd().is_some(),
            Self::ProsodyFiles | Self::ProsodySqlite => Path::new("/usr/bin/prosody").exists(),
        }
    }

    /// Where its WebSocket is.
    fn path(self) -> &'static str {
        match self {
            Self::EjabberdPostgres | Self::EjabberdSqlite => "/ws",
            Self::ProsodyFiles | Self::ProsodySqlite => "/xmpp-websocket",
        }
    }
}
