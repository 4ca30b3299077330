//! What every route can reach.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use app::context::{Greeting, SessionCookie};
use axum::extract::FromRef;
use axum::http::HeaderValue;
use chat::Chat;
use leptos::config::LeptosOptions;
use tokio_util::task::TaskTracker;

use crate::client_ip::Proxies;
use crate::descriptors::Connections;
use crate::foreign::Mistakes;
use crate::origins::Origins;

/// Cheap to clone.
#[derive(Clone)]
pub struct AppState {
    /// The door to everything people can do.
    pub chat: Chat,
    /// How the session cookie is named and protected.
    pub cookie: SessionCookie,
    /// What strangers are told.
    pub greeting: Greeting,
    /// Which pages count as ours.
    pub origins: Arc<Origins>,
    /// Which mistakes of settings and proxies the log has told.
    pub mistakes: Mistakes,
    /// Proxies whose word about the client's address is taken.
    pub trusted_proxies: Arc<Proxies>,
    /// What browsers are told of https, if anything.
    pub hsts: Option<HeaderValue>,
    /// The connections that are open, of any kind.
    pub connections: Connections,
    /// The sockets of this process; waited for at the end.
    pub sockets: TaskTracker,
    /// Set when the process is about to end.
    pub draining: Draining,
    /// The built site.
    pub site: Arc<PathBuf>,
    /// What Leptos needs to render.
    pub leptos: LeptosOptions,
}

impl FromRef<AppState> for LeptosOptions {
    fn from_ref(state: &AppState) -> Self {
        state.leptos.clone()
    }
}

/// Whether the process is about to end.
#[derive(Clone, Default)]
pub struct Draining(Arc<AtomicBool>);

impl Draining {
    /// From now on the process is not ready.
    pub fn begin(&self) {
        self.0.store(true, Ordering::Release);
    }

    /// Whether it has begun.
    pub fn has_begun(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}
