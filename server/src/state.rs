//! The state that every route can access: handles and settings, made once by [`crate::run`] and not
//! changed afterwards, except for counters and the flag of the shutdown.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use app::cookies::ServerCookies;
use app::request::Greeting;
use axum::extract::FromRef;
use axum::http::HeaderValue;
use chat::Chat;
use leptos::config::LeptosOptions;
use tokio_util::task::TaskTracker;

use crate::addresses::Addresses;
use crate::client_ip::Proxies;
use crate::csp_reports::ReportCounts;
use crate::descriptors::Connections;
use crate::listener::Answers;
use crate::origin_check::Misconfigurations;
use crate::origins::Origins;
use crate::time_limits::TimeLimits;

/// Cheap to clone.
#[derive(Clone)]
pub struct AppState {
    /// The chat: everything a user can do.
    pub chat: Chat,
    /// Names and attributes of the cookies.
    pub cookies: ServerCookies,
    /// The texts for visitors who are not signed in.
    pub greeting: Greeting,
    /// The text of `security.txt`, if it is served.
    pub security_txt: Option<Arc<str>>,
    /// The sign-in provider, if the operator has set one.
    #[cfg(feature = "oidc")]
    pub(crate) oidc: Option<Arc<crate::oidc::Provider>>,
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
    /// Counter of the open connections of any kind per TCP peer.
    pub(crate) peers: Addresses,
    /// Counter of the live connections per client.
    pub(crate) clients: Addresses,
    pub time_limits: TimeLimits,
    /// The answers that no route produces.
    pub(crate) answers: Arc<Answers>,
    /// Counter of the reports of browsers.
    pub(crate) reports: ReportCounts,
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
