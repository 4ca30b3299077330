//! The scenarios, one file each, and their shared parts.

pub mod herd;
pub mod idle;
pub mod paced;
pub mod page;
pub mod pairs;
pub mod returning;

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use futures::stream::{self, StreamExt, TryStreamExt};
use harness::{Connection, Fixture, ServerProcess, TestUser};
use protocol::{ConversationId, Cursor};
use tempfile::TempDir;

use crate::latency::Latency;
use crate::server::{Nodes, Server};
use crate::targets::{Binaries, Disk, Target};

/// Length of a message body in bytes.
pub const BODY_BYTES: usize = 100;
/// Digits at the start of a body: its due time in nanoseconds since [`Bench::base`].
const STAMP_DIGITS: usize = 20;
/// Number of concurrent calls while a scenario is prepared.
const AT_ONCE: usize = 16;

/// The environment of every scenario.
pub struct Bench {
    pub binaries: Binaries,
    /// The prepared accounts.
    pub fixture: Fixture,
    /// The cluster for measurements of several nodes.
    pub nodes: Option<Nodes>,
    /// Duration of a load after its warm-up.
    pub duration: Duration,
    /// Reference time of the due times in bodies.
    pub base: Instant,
}

/// Two users and their conversation.
#[derive(Clone, Debug)]
pub struct Pair {
    pub users: [TestUser; 2],
    pub conversation: ConversationId,
}

/// Everything a client needs to connect.
#[derive(Clone, Debug)]
pub struct ConnectInfo {
    address: SocketAddr,
    origin: String,
    cookie: String,
    query: String,
}

impl ConnectInfo {
    /// Opens a connection and waits for `hello`.
    ///
    /// # Errors
    /// Fails if the server refuses the connection.
    pub async fn connect(&self) -> Result<Connection> {
        Connection::establish(self.address, &self.origin, &self.cookie, &self.query).await
    }
}

impl Bench {
    /// Starts a system. Duet starts with the prepared accounts.
    ///
    /// # Errors
    /// Fails if the system does not start.
    pub async fn start(&self, target: Target, disk: &Disk) -> Result<ServerProcess> {
        self.binaries.start(target, disk, self.data(target)?).await
    }

    /// Starts a system for a load.
    ///
    /// # Errors
    /// Fails if the system does not start.
    pub async fn serve(&self, target: Target, disk: &Disk) -> Result<Server> {
        match target {
            Target::Nodes(count) => self.nodes()?.start(count).await,
            one => Ok(Server::One(Box::new(self.start(one, disk).await?))),
        }
    }

    /// Returns the nodes of this run.
    ///
    /// # Errors
    /// Fails if this run has no nodes.
    pub fn nodes(&self) -> Result<&Nodes> {
        self.nodes.as_ref().context("this run has no nodes")
    }

    /// Returns the initial data of a system: the prepared accounts for Duet, an empty directory for
    /// others.
    ///
    /// # Errors
    /// Fails if the directory cannot be written.
    pub fn data(&self, target: Target) -> Result<TempDir> {
        match target {
            Target::Duet | Target::OtherBuild => self.fixture.copy(),
            Target::Nodes(_) | Target::Relay | Target::Store => Ok(tempfile::tempdir()?),
        }
    }

    /// Returns Duet's data after this version's migrations.
    ///
    /// # Errors
    /// Fails if the server does not start or stop.
    pub async fn migrated(&self) -> Result<TempDir> {
        self.start(Target::Duet, &Disk::Own).await?.stop().await
    }

    /// Returns a prepared account.
    ///
    /// # Errors
    /// Fails if there is none.
    pub fn any_user(&self) -> Result<&TestUser> {
        self.fixture.users().first().context("the fixture has no users")
    }

    /// Returns the first `count` pairs of accounts and opens their conversations.
    ///
    /// # Errors
    /// Fails if there are too few accounts or a conversation is refused.
    pub async fn pairs(&self, server: &Server, target: Target, count: usize) -> Result<Vec<Pair>> {
        let http = server.http()?;
        let users = match target {
            Target::Nodes(_) => self.nodes()?.users(),
            _ => self.fixture.users(),
        };
        let (pairs, _) = users.as_chunks::<2>();
        let pairs = pairs.get(..count).context("the fixture has too few users")?;
        stream::iter(pairs)
            .map(|users| {
                let http = http.clone();
                async move {
                    let conversation = if target.is_duet() {
                        http.introduce(&users[0], &users[1]).await?
                    } else {
                        ConversationId::new()
                    };
                    Ok(Pair { users: users.clone(), conversation })
                }
            })
            .buffered(AT_ONCE)
            .try_collect()
            .await
    }

    /// Opens a connection for each user of these pairs. Returns each with its pair and the data to
    /// reconnect.
    ///
    /// # Errors
    /// Fails if a connection is refused.
    pub async fn connections(
        &self,
        server: &Server,
        pairs: &[Pair],
    ) -> Result<Vec<(Connection, Pair, ConnectInfo)>> {
        let origin = server.origin()?;
        let mut connections = Vec::with_capacity(2 * pairs.len());
        for pair in pairs {
            for user in &pair.users {
                let connect_info = ConnectInfo {
                    address: server.address_of(connections.len())?,
                    origin: origin.clone(),
                    cookie: user.cookie.clone(),
                    query: pair.conversation.to_string(),
                };
                connections.push((connect_info.connect().await?, pair.clone(), connect_info));
            }
        }
        Ok(connections)
    }

    /// Returns the measurement window of a load that starts at this time.
    pub fn window(&self, start: Instant) -> Window {
        let from = start + WARM_UP;
        Window { from, until: from + self.duration }
    }

    /// Records the age of a received body if the message arrived within the window.
    pub fn record_received(&self, latency: &mut Latency, window: Window, body: &str, now: Instant) {
        if window.holds(now)
            && let Some(age) = self.age(body, now)
        {
            latency.record(age);
        }
    }

    /// Returns a body that contains its due time.
    pub fn body(&self, due: Instant) -> String {
        let stamp = due.saturating_duration_since(self.base).as_nanos();
        format!("{stamp:0STAMP_DIGITS$}{:.<1$}", "", BODY_BYTES - STAMP_DIGITS)
    }

    /// Returns the time since a body was due.
    pub fn age(&self, body: &str, now: Instant) -> Option<Duration> {
        let stamp = body.get(..STAMP_DIGITS)?.parse().ok()?;
        now.checked_duration_since(self.base + Duration::from_nanos(stamp))
    }
}

/// Returns the number of stored messages in these conversations.
///
/// # Errors
/// Fails if a conversation cannot be read.
pub async fn stored(server: &Server, pairs: &[Pair]) -> Result<u64> {
    let http = server.http()?;
    let counts: Vec<u64> = stream::iter(pairs)
        .map(|pair| {
            let http = http.clone();
            async move {
                let page = http.history(&pair.users[0], pair.conversation, Cursor::Latest).await?;
                Ok::<_, anyhow::Error>(u64::try_from(page.last_seq.0)?)
            }
        })
        .buffered(AT_ONCE)
        .try_collect()
        .await?;
    Ok(counts.iter().sum())
}

/// Names of the latencies from sending to the acknowledgement.
pub const ACKNOWLEDGED: [&str; 4] = ["ack p50 ms", "ack p95 ms", "ack p99 ms", "ack p99.9 ms"];
/// Names of the latencies from sending to the peer's client.
pub const RECEIVED: [&str; 4] =
    ["received p50 ms", "received p95 ms", "received p99 ms", "received p99.9 ms"];

/// Time between the start of a load and its measurement window.
const WARM_UP: Duration = Duration::from_secs(2);

/// The measurement window.
#[derive(Clone, Copy)]
pub struct Window {
    /// Inclusive start.
    pub from: Instant,
    /// Exclusive end.
    pub until: Instant,
}

impl Window {
    pub fn holds(self, moment: Instant) -> bool {
        self.from <= moment && moment < self.until
    }
}

/// Converts a count to a figure.
#[expect(clippy::cast_precision_loss, reason = "counts far below 2^52")]
pub fn exactly(count: u64) -> f64 {
    count as f64
}

/// Converts bytes to megabytes for the tables.
pub fn bytes_in_mb(bytes: u64) -> f64 {
    exactly(bytes) / 1e6
}
