//! The process around a chat: configuration, routes, the socket, cookies. No rule of the chat's.
//!
//! # Layout
//! - [`config`], [`origins`], `variables`: what the operator sets; `nearest`: a slip in that
//! - `router`: every route; `requests`, `guard` and `headers`: what each request passes
//! - `refusals`: the answer to a call that a layer refused
//! - `client_ip`: where a request comes from; `foreign`: what becomes of those from other pages
//! - `socket`, `heartbeat`: the live connection
//! - `accept`: the listener, with its limits on request heads; `descriptors`: how many it takes
//! - [`telemetry`], `log_once`: the log; [`causes`]: an error in one line
//! - `health`, [`signals`]: small things at the edge
//! - [`transfer`]: `duet move`; [`migrate`]: `duet migrate`; [`accept_store`]: `duet accept-store`
//!
//! [`run`] is the same door for `main` and for tests: the caller owns the listener and the end.

mod accept;
pub mod accept_store;
pub mod causes;
mod client_ip;
pub mod config;
mod descriptors;
mod foreign;
mod guard;
mod headers;
mod health;
mod heartbeat;
pub mod log_once;
pub mod migrate;
mod nearest;
pub mod origins;
mod refusals;
mod requests;
mod router;
pub mod signals;
mod site;
mod socket;
mod state;
pub mod telemetry;
pub mod transfer;
mod variables;

use std::fmt;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use app::context::{Greeting, SessionCookie};
use chat::Chat;
use leptos::config::LeptosOptions;
use tokio::net::TcpListener;
use tokio_util::task::TaskTracker;

use config::{Config, Days};
use descriptors::{Budget, Connections};
use origins::Origins;
use state::{AppState, Draining};

/// How long sockets and requests may take to end.
const END_WITHIN: Duration = Duration::from_secs(10);

/// Something inside has ended that everything needs. A new start mends it.
#[derive(Debug)]
pub struct Failed(&'static str);

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(what) = self;
        write!(
            f,
            "{what} has ended by a fault of Duet's own; the process ends, so that what supervises \
             it (systemd, Docker) starts it again. Nothing acknowledged is lost"
        )
    }
}

impl std::error::Error for Failed {}

/// Serves until `shutdown` resolves, then ends in order: not ready, connections told to come back,
/// requests finished, what waits written, store closed. It ends as well, with [`Failed`], when
/// something has ended that everything needs.
///
/// # Errors
/// One that tells the operator what to change.
pub async fn run(
    config: Config,
    listener: TcpListener,
    shutdown: impl Future<Output = ()>,
) -> Result<()> {
    let address = listener.local_addr().context("cannot tell where the listener is")?;
    let limit = descriptors::raise_limit();
    let origins = config.origins(address)?;
    let site = config.site()?;
    let leptos = leptos_options(&site)?;
    site::check(&site, &leptos)?;
    let build = leptos.hash_files.then(page_build).flatten();
    // The start waits for a database that is not there yet, and an operator may end the wait.
    let mut shutdown = std::pin::pin!(shutdown);
    let chat = tokio::select! {
        chat = Chat::begin(chat::Config { build, ..config.chat()? }) => {
            chat.with_context(|| format!("cannot use the store {}", config.store()))?
        }
        () = &mut shutdown => return Ok(()),
    };
    let budget = Budget::new(limit, descriptors::open_files() + config.files_of_the_store());
    budget.warn_of_less_than(config.max_connections);
    let open = Connections::new(budget);
    let state = AppState {
        chat: chat.clone(),
        cookie: session_cookie(&origins, config.session_days),
        greeting: Greeting {
            name: config.name.as_str().into(),
            welcome: config.welcome.as_str().into(),
        },
        hsts: headers::hsts(config.hsts).filter(|_| origins.is_https()),
        origins: Arc::new(origins),
        mistakes: foreign::Mistakes::default(),
        trusted_proxies: Arc::new(config.trusted_proxies.clone()),
        connections: open.clone(),
        sockets: TaskTracker::new(),
        draining: Draining::default(),
        leptos,
        site: Arc::new(site),
    };
    let (sockets, draining) = (state.sockets.clone(), state.draining.clone());
    let url = state.origins.first().to_owned();
    let mut accepting = accept::Server::start(listener, router::router(state), open);
    tracing::info!(
        listen = %address,
        version = env!("CARGO_PKG_VERSION"),
        store = config.store(),
        registration = ?config.registration,
        "Duet is ready: {url}"
    );
    if let Err(error) = invite_the_first(&chat, &url).await {
        // The store may have failed just now. Who is there already is served.
        tracing::error!("{}; start again for one", causes::once(&error));
    }

    let failed = tokio::select! {
        () = shutdown => None,
        what = chat.failed() => Some(Failed(what)),
        () = accepting.ended() => Some(Failed("the task that accepts connections")),
    };
    tracing::info!(connections = chat.connections(), "stopping");
    draining.begin();
    if failed.is_none() {
        tokio::time::sleep(Duration::from_secs(config.drain)).await;
    }
    end(&chat, accepting, sockets, failed).await
}

/// Ends in order what has begun.
async fn end(
    chat: &Chat,
    accepting: accept::Server,
    sockets: TaskTracker,
    failed: Option<Failed>,
) -> Result<()> {
    chat.close_connections().await;
    sockets.close();
    let ended = async {
        accepting.stop().await;
        sockets.wait().await;
    };
    if tokio::time::timeout(END_WITHIN, ended).await.is_err() {
        tracing::warn!("some requests did not end in time");
    }
    if let Some(failed) = failed {
        // What has failed may never end.
        let _ = tokio::time::timeout(END_WITHIN, chat.close()).await;
        return Err(failed.into());
    }
    chat.close().await;
    tracing::info!("stopped");
    Ok(())
}

/// Where everybody has to be invited and nobody is there who could: a link for the first account,
/// on standard output and not in the log, because it is a secret.
async fn invite_the_first(chat: &Chat, url: &str) -> Result<()> {
    let first = chat.first_invitation().await.context("cannot make the first invitation")?;
    if let Some(token) = first {
        tracing::info!("nobody has an account yet; a link for the first is on standard output");
        let mut output = std::io::stdout().lock();
        // An operator who cannot read it starts again, and gets another.
        let _ = writeln!(
            output,
            "Nobody has an account yet. The first signs up here, once: \
             {url}/sign-up?invitation={token}"
        )
        .and_then(|()| output.flush());
    }
    Ok(())
}

/// `__Host-` where browsers take it, which is over https alone. Browsers send cookies to every port
/// of a host, so the name holds the port: two servers on one host would else sign each other's
/// people out.
fn session_cookie(origins: &Origins, life: Days) -> SessionCookie {
    let name = match (origins.is_https(), origins.port()) {
        (true, 443) => "__Host-sid".to_owned(),
        (true, port) => format!("__Host-sid-{port}"),
        (false, port) => format!("duet-dev-sid-{port}"),
    };
    SessionCookie { name: name.into(), secure: origins.is_https(), seconds: life.seconds() }
}

/// The list of the hashes that the build left beside the binary.
pub(crate) const HASHES: &str = "hash.txt";

/// Which build of the page is given out: the beginnings of its files' hashes. Other files, another
/// build; a server that was built anew around the same page gives out the same.
fn page_build() -> Option<String> {
    let binary = std::env::current_exe().ok()?;
    let list = std::fs::read_to_string(binary.with_file_name(HASHES)).ok()?;
    let hashes = list.lines().filter_map(|line| line.split_once(": ")?.1.get(..8));
    let build = hashes.collect::<Vec<_>>().join("-");
    (!build.is_empty()).then_some(build)
}

/// File names hold their hash where the build left a list of the hashes beside the binary.
fn leptos_options(site: &Path) -> Result<LeptosOptions> {
    let binary = std::env::current_exe().context("cannot tell where the binary is")?;
    let hash_files = binary.parent().is_some_and(|beside| beside.join(HASHES).is_file());
    // `cargo leptos watch` asks for pages that reload by themselves.
    let watched = std::env::var_os("LEPTOS_WATCH").is_some();
    let reload_port = std::env::var("LEPTOS_RELOAD_PORT").ok().and_then(|port| port.parse().ok());
    Ok(LeptosOptions::builder()
        .output_name("duet")
        .site_root(site.to_string_lossy())
        .site_pkg_dir("pkg")
        .hash_files(hash_files && !watched)
        .env(if watched { leptos::config::Env::DEV } else { leptos::config::Env::PROD })
        .reload_port(reload_port.unwrap_or(3001))
        .build())
}
