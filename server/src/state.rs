//! The state that every route can access.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use app::cookies::SessionCookie;
use app::request::Greeting;
use axum::extract::FromRef;
use axum::http::HeaderValue;
use chat::Chat;
use leptos::config::LeptosOptions;
use tokio_util::task::TaskTracker;

use crate::client_ip::Proxies;
use crate::descriptors::Connections;
use crate::origin_check::Misconfigurations;
use crate::origins::Origins;

/// Cheap to clone.
#[derive(Clone)]
pub struct AppState {
    /// The chat: everything a user can do.
    pub chat: Chat,
    /// Name and attributes of the session cookie.
    pub cookie: SessionCookie,
    /// The texts for visitors who are not signed in.
    pub greeting: Greeting,
    /// The origins of this site's own pages.
    pub origins: Arc<Origins>,
    /// The misconfigurations that were logged recently.
    pub misconfigurations: Misconfigurations,
    /// The proxies whose forwarding headers are trusted.
    pub trusted_proxies: Arc<Proxies>,
    /// The Strict-Transport-Security header, if it is sent.
    pub hsts: Option<HeaderValue>,
    /// Counter of the open connections of any kind.
    pub connections: Connections,
    /// The socket tasks; shutdown waits for them.
    pub sockets: TaskTracker,
    /// Set at shutdown.
    pub draining: Draining,
    /// Directory of the built site.
    pub site: Arc<PathBuf>,
    /// Options of the Leptos renderer.
    pub leptos: LeptosOptions,
}

impl FromRef<AppState> for LeptosOptions {
    fn from_ref(state: &AppState) -> Self {
        state.leptos.clone()
    }
}

/// Whether the process is shutting down. Clones share the flag.
#[derive(Clone, Default)]
pub struct Draining(Arc<AtomicBool>);

impl Draining {
    /// Makes the process report "not ready" from now on.
    pub fn begin(&self) {
        self.0.store(true, Ordering::Release);
    }

    pub fn has_begun(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}
