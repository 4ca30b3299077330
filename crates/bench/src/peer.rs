//! The peers: other chat servers from Debian's packages, started on loopback with their own data.
//!
//! `scripts/bench-peers` installs them; peers that are not installed are skipped. Each peer
//! archives all messages, as Duet does, and acknowledges them by XMPP stream management.
//!
//! # Layout
//! - `process`: starts the servers
//! - `xmpp`: a client connection
//! - `pairs`: the load of *pairs* over XMPP

pub mod pairs;
mod process;
mod xmpp;

use std::path::Path;

/// A server and its store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Peer {
    /// The fastest peer that stores a message before acknowledging it.
    EjabberdPostgres,
    /// As easy to host as Duet.
    EjabberdSqlite,
    /// Prosody's default in Debian.
    ProsodyFiles,
    /// As easy to host as Duet.
    ProsodySqlite,
}

impl Peer {
    pub const ALL: [Self; 4] =
        [Self::EjabberdPostgres, Self::EjabberdSqlite, Self::ProsodyFiles, Self::ProsodySqlite];

    /// The name in the tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::EjabberdPostgres => "ejabberd, Postgres",
            Self::EjabberdSqlite => "ejabberd, SQLite",
            Self::ProsodyFiles => "Prosody, files",
            Self::ProsodySqlite => "Prosody, SQLite",
        }
    }

    /// Whether the packages of this peer are installed.
    pub fn is_installed(self) -> bool {
        match self {
            Self::EjabberdPostgres => {
                process::ejabberd().is_some() && process::postgres().is_some()
            }
            Self::EjabberdSqlite => process::ejabberd().is_some(),
            Self::ProsodyFiles | Self::ProsodySqlite => Path::new("/usr/bin/prosody").exists(),
        }
    }

    /// The path of the WebSocket.
    fn path(self) -> &'static str {
        match self {
            Self::EjabberdPostgres | Self::EjabberdSqlite => "/ws",
            Self::ProsodyFiles | Self::ProsodySqlite => "/xmpp-websocket",
        }
    }
}
