//! The process around a chat: configuration, routes, the socket, cookies. No rule of the chat's.
//!
//! # Layout
//! - [`config`], [`origins`]: what the operator sets
//! - `router`: every route; `guard` and `headers`: what each request passes
//! - `socket`, `heartbeat`: the live connection
//! - `accept`: the listener, with its limits on request heads
//! - `health`, `telemetry`: small things at the edge
//! - [`transfer`]: `duet move`
//!
//! [`run`] is the same door for `main` and for tests: the caller owns the listener and the end.

mod accept;
pub mod config;
mod guard;
mod headers;
mod health;
mod heartbeat;
pub mod origins;
mod router;
mod socket;
mod state;
pub mod telemetry;
pub mod transfer;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use app::context::SessionCookie;
use chat::Chat;
use leptos::config::LeptosOptions;
use tokio::net::TcpListener;
use tokio_util::task::TaskTracker;

use config::Config;
use state::{AppState, Draining};

/// How long sockets and requests may take to end.
const END_WITHIN: Duration = Duration::from_secs(10);

/// Serves until `shutdown` resolves, then ends in order: not ready, connections told to come back,
/// requests finished, what waits written, store closed.
///
/// # Errors
/// One that tells the operator what to change.
pub async fn run(
    config: Config,
    listener: TcpListener,
    shutdown: impl Future<Output = ()>,
) -> Result<()> {
    let address = listener.local_addr().context("cannot tell where the listener is")?;
    let origins = config.origins(address)?;
    let site = config.site()?;
    let leptos = leptos_options(&site)?;
    let build = leptos.hash_files.then(page_build).flatten();
    let chat = Chat::begin(chat::Config { build, ..config.chat()? }).await?;
    let state = AppState {
        chat: chat.clone(),
        cookie: session_cookie(origins.is_https()),
        origins: Arc::new(origins),
        trusted_proxies: config.trusted_proxies.clone().into(),
        sockets: TaskTracker::new(),
        draining: Draining::default(),
        leptos,
        site: Arc::new(site),
    };
    let (sockets, draining) = (state.sockets.clone(), state.draining.clone());
    let url = state.origins.first().to_owned();
    let accepting = accept::Server::start(listener, router::router(state));
    tracing::info!(listen = %address, "Duet is ready: {url}");

    shutdown.await;
    tracing::info!(connections = chat.connections(), "stopping");
    draining.begin();
    tokio::time::sleep(Duration::from_secs(config.drain)).await;
    chat.close_connections().await;
    sockets.close();
    let ended = async {
        accepting.stop().await;
        sockets.wait().await;
    };
    if tokio::time::timeout(END_WITHIN, ended).await.is_err() {
        tracing::warn!("some requests did not end in time");
    }
    chat.close().await;
    tracing::info!("stopped");
    Ok(())
}

/// `__Host-` where browsers take it, which is over https alone.
fn session_cookie(https: bool) -> SessionCookie {
    let name = if https { "__Host-sid" } else { "duet-dev-sid" };
    SessionCookie { name, secure: https }
}

/// The list of the hashes that the build left beside the binary.
const HASHES: &str = "hash.txt";

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
