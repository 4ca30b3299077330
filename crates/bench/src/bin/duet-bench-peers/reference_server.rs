//! The reference servers: other chat servers from Debian's packages.
//!
//! Each reference server archives all messages, as Duet does, and acknowledges them by XMPP stream
//! management.

use std::path::Path;

use bench::report::System;
use harness::PostgresPrograms;

use crate::process;

/// A server and its store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReferenceServer {
    /// The fastest reference server that stores a message before acknowledging it.
    EjabberdPostgres,
    /// As easy to host as Duet.
    EjabberdSqlite,
    /// Prosody's default in Debian.
    ProsodyFiles,
    /// As easy to host as Duet.
    ProsodySqlite,
}

impl ReferenceServer {
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

    /// Whether the packages of this server are installed.
    pub fn is_installed(self) -> bool {
        match self {
            Self::EjabberdPostgres => {
                process::ejabberd().is_some() && PostgresPrograms::find().is_ok()
            }
            Self::EjabberdSqlite => process::ejabberd().is_some(),
            Self::ProsodyFiles | Self::ProsodySqlite => Path::new("/usr/bin/prosody").exists(),
        }
    }

    /// Whether the server flushes data to disk, and whether it does so before it acknowledges.
    fn fsynced(self) -> &'static str {
        match self {
            Self::EjabberdPostgres | Self::ProsodySqlite => "yes",
            // Observed to acknowledge messages before they were stored.
            Self::EjabberdSqlite => "later",
            Self::ProsodyFiles => "no",
        }
    }

    /// The path of the WebSocket.
    pub fn path(self) -> &'static str {
        match self {
            Self::EjabberdPostgres | Self::EjabberdSqlite => "/ws",
            Self::ProsodyFiles | Self::ProsodySqlite => "/xmpp-websocket",
        }
    }
}

impl From<ReferenceServer> for System {
    fn from(server: ReferenceServer) -> Self {
        Self { name: server.name(), fsynced: server.fsynced() }
    }
}
