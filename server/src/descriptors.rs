//! The limit of open files and the connection limits that follow from it. Each connection takes one
//! file descriptor. At start the soft limit is raised to the hard limit. [`Budget`] divides the
//! descriptors that the process does not need itself, so that pages and `/readyz` still answer when
//! live connections have used up their share.
//!
//! [`Connections`] counts open connections. Called by [`crate::run`], the listener and the
//! WebSocket handshake.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// The connection limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// Maximum number of connections of any kind.
    pub connections: usize,
    /// Number of open connections above which no connection may become a live one.
    pub sockets: usize,
    /// The limit of open files; `None` if unlimited.
    pub limit: Option<u64>,
}

/// Raises the soft limit of open files to the hard limit and returns the limit in effect.
pub(crate) fn raise_limit() -> Option<u64> {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current == maximum {
        return current;
    }
    match setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }) {
        Ok(()) => maximum,
        Err(error) => {
            tracing::warn!(%error, "could not raise the limit of open files");
            current
        }
    }
}

/// Counts the files that this process has open.
pub(crate) fn open_files() -> usize {
    // Without /proc, the usual number for a server with an open store.
    std::fs::read_dir("/proc/self/fd").map_or(64, Iterator::count)
}

impl Budget {
    /// Divides the descriptors that remain after the process's own files.
    pub fn new(limit: Option<u64>, own: usize) -> Self {
        let Some(files) = limit else {
            return Self { connections: usize::MAX, sockets: usize::MAX, limit };
        };
        let files = usize::try_from(files).unwrap_or(usize::MAX);
        // For files that pages and the store open for a moment.
        let reserve = (files / 16).clamp(8, 64);
        let pages = (files / 8).clamp(8, 512);
        let connections = files.saturating_sub(own).saturating_sub(reserve).max(1);
        Self { connections, sockets: connections.saturating_sub(pages).max(1), limit }
    }

    /// Logs a warning if fewer live connections fit than the operator configured.
    pub fn warn_if_below(&self, wanted: usize) {
        if let Some(limit) = self.limit
            && self.sockets < wanted
        {
            tracing::warn!(
                "the limit of {limit} open files allows {} live connections, fewer than the \
                 {wanted} of DUET_MAX_CONNECTIONS. Raise the limit (LimitNOFILE in systemd, \
                 --ulimit nofile in Docker, ulimit -Hn in a shell), or lower the setting",
                self.sockets
            );
        }
    }
}

/// Counter of the open connections. Clones share the count.
#[derive(Clone)]
pub struct Connections(Arc<Counted>);

struct Counted {
    open: AtomicUsize,
    budget: Budget,
}

impl Connections {
    pub fn new(budget: Budget) -> Self {
        Self(Arc::new(Counted { open: AtomicUsize::new(0), budget }))
    }

    pub fn budget(&self) -> &Budget {
        &self.0.budget
    }

    /// Counts one more connection. Returns `None` if the limit is reached.
    pub fn acquire(&self) -> Option<ConnectionSlot> {
        let slot = ConnectionSlot(self.clone());
        let before = self.0.open.fetch_add(1, Ordering::Relaxed);
        (before < self.0.budget.connections).then_some(slot)
    }

    /// Whether a connection may become a live one, which stays open.
    pub fn allow_socket(&self) -> bool {
        self.0.open.load(Ordering::Relaxed) <= self.0.budget.sockets
    }
}

/// The share of one connection in the limit, released on drop.
pub struct ConnectionSlot(Connections);

impl Drop for ConnectionSlot {
    fn drop(&mut self) {
        self.0.0.open.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_reserved_for_pages_and_for_the_process() {
        let budget = Budget::new(Some(1_024), 30);
        assert_eq!((budget.connections, budget.sockets), (930, 802));
        let small = Budget::new(Some(64), 28);
        assert_eq!((small.connections, small.sockets), (28, 20));
        let tiny = Budget::new(Some(20), 28);
        assert_eq!((tiny.connections, tiny.sockets), (1, 1));
        assert_eq!(Budget::new(None, 30).sockets, usize::MAX);
    }

    #[test]
    fn slots_are_acquired_and_released() {
        let budget = Budget { connections: 2, sockets: 1, limit: None };
        let connections = Connections::new(budget);
        let one = connections.acquire().expect("free");
        assert!(connections.allow_socket());
        let two = connections.acquire().expect("free");
        assert!(!connections.allow_socket());
        assert!(connections.acquire().is_none());
        drop((one, two));
        assert!(connections.acquire().is_some());
    }
}
