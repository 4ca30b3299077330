//! The Duet process around the `chat` crate: configuration, routes, WebSocket, cookies. This crate
//! contains no chat logic.
//!
//! # Layout
//! - [`config`], [`origins`], `variables`: the operator's settings; `spelling`: typos in them
//! - `router`: every route; `requests`, `guard` and `headers`: the middleware of every request
//! - `json_errors`: turns errors of the layers into JSON for API clients
//! - `client_ip`: the address of the client; `origin_check`: refusal of requests from other sites
//! - `socket`, `heartbeat`: the live connection; `csp_reports`: reports of browsers
//! - `listener`: the TCP listener, with limits on request heads and slow readers; `descriptors`,
//!   `addresses`: the connection limits; `time_limits`: the time limits; `bodies`: request bodies
//! - [`telemetry`], `log_once`: the log; [`error_chain`]: an error as one line
//! - [`core_dumps`]: no copies of the memory on the disk
//! - `oidc`: sign-in through a provider of OpenID Connect, with the feature of that name
//! - `health`: liveness and readiness; [`signals`]: shutdown signals; `site`: check of the built
//!   site
//! - [`moving`]: `duet move`; [`migrate`]: `duet migrate`; [`accept_store`]: `duet accept-store`;
//!   [`replace_secret`]: `duet replace-secret`; [`turn_off_two_step`]: `duet turn-off-two-step`;
//!   [`reports`]: `duet reports`
//!
//! `main` and tests both start a server with [`run`]. The caller owns the listener and the shutdown
//! signal.

pub mod accept_store;
mod addresses;
mod bodies;
mod client_ip;
pub mod config;
pub mod core_dumps;
mod csp_reports;
mod descriptors;
pub mod error_chain;
mod guard;
mod headers;
mod health;
mod heartbeat;
mod json_errors;
mod listener;
pub mod log_once;
pub mod migrate;
pub mod moving;
#[cfg(feature = "oidc")]
mod oidc;
mod origin_check;
pub mod origins;
pub mod replace_secret;
pub mod reports;
mod requests;
mod router;
mod security_txt;
pub mod signals;
mod site;
mod socket;
mod spelling;
mod state;
pub mod telemetry;
pub mod time_limits;
pub mod turn_off_two_step;
mod variables;

use std::fmt;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result};
use app::cookies::{ServerCookie, ServerCookies};
use app::request::Greeting;
use chat::Chat;
use leptos::config::LeptosOptions;
use tokio::net::TcpListener;
use tokio_util::task::TaskTracker;

use addresses::{AddressLimits, Addresses};
use config::{Config, Days};
use csp_reports::ReportCounts;
use descriptors::{Budget, Connections};
use listener::Answers;
use origins::Origins;
use state::{AppState, Draining};

/// Lifetime of the cookie of a known device, from the last sign-in: 400 days, the longest that
/// browsers accept.
const DEVICE_SECONDS: u32 = 400 * 24 * 60 * 60;

/// Lifetime of the cookie of a sign-in through the provider.
const PROVIDER_SECONDS: u32 = 10 * 60;

/// Time limit at shutdown for sockets and requests.
const END_WITHIN: Duration = Duration::from_secs(10);

/// An essential background task has ended. A restart of the process repairs this.
#[derive(Debug)]
pub struct Failed(&'static str);

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(task) = self;
        write!(
            f,
            "{task} has ended because of a bug in Duet; the process exits, so that its supervisor \
             (systemd, Docker) restarts it. No acknowledged message is lost"
        )
    }
}

impl std::error::Error for Failed {}

/// Serves until `shutdown` resolves, then shuts down in order: reports "not ready", asks clients to
/// reconnect, finishes requests, writes queued data and closes the store. Also ends, with
/// [`Failed`], when an essential task has ended.
///
/// # Errors
/// Fails with a message that tells the operator what to change.
pub async fn run(
    config: Config,
    listener: TcpListener,
    shutdown: impl Future<Output = ()>,
) -> Result<()> {
    let address = listener.local_addr().context("cannot find the address of the listener")?;
    let limit = descriptors::raise_limit();
    let origins = config.origins(address)?;
    let site = config.site()?;
    let leptos = leptos_options(&site)?;
    site::check(&site, &leptos)?;
    let build = leptos.hash_files.then(page_build).flatten();
    let relying_party = relying_party(&config, &origins);
    let settings = config.oidc.provider(&origins, cfg!(feature = "oidc"))?;
    let provider = settings
        .as_ref()
        .map(|set| chat::Provider { issuer: set.issuer.clone(), name: set.name.clone() });
    #[cfg(feature = "oidc")]
    let oidc = settings.map(oidc::Provider::new).transpose()?.map(Arc::new);
    // The start waits for a database that is not reachable yet; a shutdown signal ends the wait.
    let mut shutdown = std::pin::pin!(shutdown);
    let chat = tokio::select! {
        chat = Chat::begin(chat::Config { build, relying_party, provider, ..config.chat()? }) => {
            chat.with_context(|| format!("cannot use the store {}", config.store()))?
        }
        () = &mut shutdown => return Ok(()),
    };
    let budget = Budget::new(limit, descriptors::open_files() + config.store_files());
    budget.warn_if_below(config.max_connections);
    let open = Connections::new(budget);
    let security_txt = config
        .security_contact
        .as_ref()
        .map(|contact| security_txt::text(contact, origins.first(), SystemTime::now()))
        .transpose()?;
    let state = AppState {
        security_txt: security_txt.map(Into::into),
        #[cfg(feature = "oidc")]
        oidc: oidc.clone(),
        ..app_state(&config, &chat, origins, (site, leptos), open)
    };
    let (sockets, draining) = (state.sockets.clone(), state.draining.clone());
    let url = state.origins.first().to_owned();
    let mut accepting = listener::HttpListener::start(listener, state);
    tracing::info!(
        listen = %address,
        version = env!("CARGO_PKG_VERSION"),
        store = config.store(),
        registration = ?config.registration,
        "Duet is ready: {url}"
    );
    #[cfg(feature = "oidc")]
    if let Some(oidc) = oidc {
        oidc.try_at_start();
    }
    if let Err(error) = print_first_invitation(&chat, &url).await {
        // The store may have failed just now. Existing users can still be served.
        tracing::error!("{}; restart the server to try again", error_chain::one_line(&error));
    }

    let failed = tokio::select! {
        () = shutdown => None,
        task = chat.failed() => Some(Failed(task)),
        () = accepting.ended() => Some(Failed("the task that accepts connections")),
    };
    tracing::info!(connections = chat.connections(), "stopping");
    draining.begin();
    if failed.is_none() {
        tokio::time::sleep(Duration::from_secs(config.drain)).await;
    }
    end(&chat, accepting, sockets, failed).await
}

/// The site to which passkeys belong. Logs once why there is none.
fn relying_party(config: &Config, origins: &Origins) -> Option<chat::RelyingParty> {
    let Some((id, origin)) = origins.passkey_site() else {
        tracing::info!(
            "passkeys are not offered, because they need https and a domain name: {}",
            origins.setting()
        );
        return None;
    };
    Some(chat::RelyingParty { id, origin: origin.to_owned(), name: config.name.clone() })
}

fn app_state(
    config: &Config,
    chat: &Chat,
    origins: Origins,
    (site, leptos): (PathBuf, LeptosOptions),
    connections: Connections,
) -> AppState {
    let trusted_proxies = Arc::new(config.trusted_proxies.clone());
    let each = config.max_connections_per_address;
    let addresses = AddressLimits::new(connections.budget(), each, trusted_proxies.clone());
    let hsts = headers::hsts(config.hsts).filter(|_| origins.is_https());
    AppState {
        chat: chat.clone(),
        cookies: server_cookies(&origins, config.session_days),
        greeting: Greeting {
            name: config.name.as_str().into(),
            welcome: config.welcome.as_str().into(),
        },
        answers: Arc::new(Answers::new(hsts.as_ref())),
        hsts,
        security_txt: None,
        #[cfg(feature = "oidc")]
        oidc: None,
        origins: Arc::new(origins),
        misconfigurations: origin_check::Misconfigurations::default(),
        trusted_proxies,
        connections,
        peers: Addresses::new(addresses.clone()),
        clients: Addresses::new(addresses),
        time_limits: config.time_limits,
        reports: ReportCounts::default(),
        sockets: TaskTracker::new(),
        draining: Draining::default(),
        leptos,
        site: Arc::new(site),
    }
}

/// Shuts down in order. Returns `failed`, if the reason was the end of an essential task.
async fn end(
    chat: &Chat,
    accepting: listener::HttpListener,
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
        tracing::warn!("some requests did not finish in time");
    }
    if let Some(failed) = failed {
        // A failed task may never end.
        let _ = tokio::time::timeout(END_WITHIN, chat.close()).await;
        return Err(failed.into());
    }
    chat.close().await;
    tracing::info!("stopped");
    Ok(())
}

/// Prints an invitation link for the first account if registration needs an invitation and no
/// account exists. The link goes to standard output and not to the log, because it is a secret.
async fn print_first_invitation(chat: &Chat, url: &str) -> Result<()> {
    let first = chat.first_invitation().await.context("cannot create the first invitation")?;
    if let Some(token) = first {
        tracing::info!("no account exists yet; a link for the first account is on standard output");
        let mut output = std::io::stdout().lock();
        // An operator who cannot read the output restarts the server and gets another link.
        let _ = writeln!(
            output,
            "No account exists yet. This link creates the first account and works once: \
             {url}/sign-up?invitation={token}"
        )
        .and_then(|()| output.flush());
    }
    Ok(())
}

/// Names the cookies. Browsers accept the prefix `__Host-` only over https. The name contains the
/// port, because browsers send cookies to every port of a host: two servers on one host would
/// otherwise sign out each other's users.
fn server_cookies(origins: &Origins, life: Days) -> ServerCookies {
    let cookie = |name: &str, seconds| {
        let name = match (origins.is_https(), origins.port()) {
            (true, 443) => format!("__Host-{name}"),
            (true, port) => format!("__Host-{name}-{port}"),
            (false, port) => format!("duet-dev-{name}-{port}"),
        };
        ServerCookie { name: name.into(), secure: origins.is_https(), seconds }
    };
    ServerCookies {
        session: cookie("sid", life.seconds()),
        device: cookie("device", DEVICE_SECONDS),
        provider: cookie("oidc", PROVIDER_SECONDS),
    }
}

/// Name of the file beside the binary in which the build lists the hashes of the page's files.
pub(crate) const HASHES: &str = "hash.txt";

/// Identifies the page's build by the first characters of its files' hashes. A server that is
/// rebuilt around the same page keeps the same identifier.
fn page_build() -> Option<String> {
    let binary = std::env::current_exe().ok()?;
    let list = std::fs::read_to_string(binary.with_file_name(HASHES)).ok()?;
    let hashes = list.lines().filter_map(|line| line.split_once(": ")?.1.get(..8));
    let build = hashes.collect::<Vec<_>>().join("-");
    (!build.is_empty()).then_some(build)
}

/// File names contain a hash if the build left the list of hashes beside the binary.
fn leptos_options(site: &Path) -> Result<LeptosOptions> {
    let binary = std::env::current_exe().context("cannot find the path of the binary")?;
    let hash_files = binary.parent().is_some_and(|beside| beside.join(HASHES).is_file());
    // Set by `cargo leptos watch`, which needs pages that reload automatically.
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
