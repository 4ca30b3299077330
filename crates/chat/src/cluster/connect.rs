//! Opens the connection to NATS and classifies the errors. Called by [`super::broker`] only.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_nats::{Client, ConnectErrorKind, ConnectOptions, Event, ServerAddr};

use super::broker::PROBE_EVERY;
use crate::config;

/// Upper bound of the time that a connection attempt may take.
const CONNECT_WITHIN: Duration = Duration::from_secs(3);
/// Delay between two connection attempts.
const RECONNECT_EVERY: Duration = Duration::from_millis(500);

/// Why the broker cannot be used: one line for the operator.
#[derive(Debug, thiserror::Error)]
pub enum BrokerError {
    /// An address is malformed.
    #[error("DUET_NATS_URL: {0}. Write nats://TOKEN@HOST:4222 or tls://HOST:4222")]
    Url(String),
    /// The credentials file cannot be read.
    #[error("cannot read the NATS credentials in {0}: {1}")]
    Credentials(String, std::io::Error),
    /// NATS refused the connection.
    #[error("NATS refused the connection: {0}. Check DUET_NATS_URL and the credentials")]
    Refused(async_nats::ConnectError),
    /// The certificate of NATS is not trusted.
    #[error(
        "the certificate of NATS is not trusted: {0}. Set DUET_NATS_AUTHORITY to the certificate of \
         the authority that signed it"
    )]
    Untrusted(std::io::Error),
}

/// Connects, and sets `lagged` whenever the NATS client drops an incoming message. A server that
/// cannot be reached at present is retried in the background.
pub(super) async fn connect(
    config: &config::Broker,
    lagged: Arc<AtomicBool>,
) -> Result<Client, BrokerError> {
    let servers = servers(config)?;
    let options = options(config, &servers, lagged.clone()).await?;
    let error = match options.connect(servers.clone()).await {
        Ok(client) => return Ok(client),
        Err(error) => error,
    };
    match error.kind() {
        ConnectErrorKind::Io | ConnectErrorKind::TimedOut | ConnectErrorKind::Dns => {}
        _ => return Err(BrokerError::Refused(error)),
    }
    if let Some(why) = certificate_error(&error) {
        return Err(BrokerError::Untrusted(why));
    }
    // Users can chat without NATS; events of other nodes then arrive later.
    tracing::warn!(%error, "cannot connect to NATS; retrying");
    let options = options_with_retry(config, &servers, lagged).await?;
    options.connect(servers).await.map_err(BrokerError::Refused)
}

/// Opens the second connection, which returns probes (see [`super::round_trips`]). Retries in the
/// background whatever the error, because the first connection reports what the operator must change.
pub(super) async fn connect_witness(config: &config::Broker) -> Result<Client, BrokerError> {
    let servers = servers(config)?;
    // A probe that was dropped is sent again.
    let options = options_with_retry(config, &servers, Arc::default()).await?;
    options.connect(servers).await.map_err(BrokerError::Refused)
}

/// Returns the certificate error, if that is why the connection failed. The client reports it as an
/// I/O error, like an unreachable server.
fn certificate_error(error: &async_nats::ConnectError) -> Option<std::io::Error> {
    let mut source = std::error::Error::source(error);
    while let Some(inner) = source {
        if let Some(io) = inner.downcast_ref::<std::io::Error>()
            && io.kind() == std::io::ErrorKind::InvalidData
        {
            return Some(std::io::Error::new(io.kind(), io.to_string()));
        }
        source = inner.source();
    }
    None
}

fn servers(config: &config::Broker) -> Result<Vec<ServerAddr>, BrokerError> {
    let mut servers = Vec::new();
    for url in config.url.split(',') {
        servers.push(url.trim().parse().map_err(|error: std::io::Error| {
            // The URL may contain a token, so the error omits it.
            BrokerError::Url(error.to_string())
        })?);
    }
    Ok(servers)
}

async fn options_with_retry(
    config: &config::Broker,
    servers: &[ServerAddr],
    lagged: Arc<AtomicBool>,
) -> Result<ConnectOptions, BrokerError> {
    Ok(options(config, servers, lagged).await?.retry_on_initial_connect())
}

async fn options(
    config: &config::Broker,
    servers: &[ServerAddr],
    lagged: Arc<AtomicBool>,
) -> Result<ConnectOptions, BrokerError> {
    let mut options = ConnectOptions::new()
        .name("duet")
        .no_echo()
        .connection_timeout(CONNECT_WITHIN)
        .ping_interval(PROBE_EVERY * 2)
        .max_reconnects(None)
        .reconnect_delay_callback(|tries| if tries <= 1 { Duration::ZERO } else { RECONNECT_EVERY })
        .event_callback(move |event| {
            let lagged = lagged.clone();
            async move {
                match event {
                    Event::SlowConsumer(_) => lagged.store(true, Ordering::Release),
                    other => tracing::debug!(event = %other, "NATS"),
                }
            }
        });
    if let Some(server) = servers.iter().find(|server| server.has_user_pass()) {
        let name = server.username().unwrap_or_default().to_owned();
        options = match server.password() {
            Some(password) => options.user_and_password(name, password.to_owned()),
            None => options.token(name),
        };
    }
    if let Some(file) = &config.credentials {
        options = options
            .credentials_file(file)
            .await
            .map_err(|error| BrokerError::Credentials(file.display().to_string(), error))?;
    }
    if let Some(authority) = &config.authority {
        options = options.add_root_certificates(authority.clone());
    }
    Ok(options)
}
