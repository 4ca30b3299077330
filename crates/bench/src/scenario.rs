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
use harness::{Line, Person, Running, Town};
use protocol::{ConversationId, Cursor};
use tempfile::TempDir;

use crate::server::{Nodes, Server};
use crate::system::{Binaries, Disk, System};

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
    pub town: Town,
    /// The cluster for measurements of several nodes.
    pub nodes: Option<Nodes>,
    /// Duration of a load after its warm-up.
    pub lasts: Duration,
    /// Reference time of the due times in bodies.
    pub base: Instant,
}

/// Two users and their conversation.
#[derive(Clone, Debug)]
pub struct Pair {
    pub people: [Person; 2],
    pub conversation: ConversationId,
}

/// Everything a client needs to connect.
#[derive(Clone, Debug)]
pub struct Reach {
    address: SocketAddr,
    origin: String,
    cookie: String,
    query: String,
}

impl Reach {
    /// Opens a connection and waits for `hello`.
    ///
    /// # Errors
    /// Fails if the server refuses the connection.
    pub async fn line(&self) -> Result<Line> {
        let mut line = Line::open_at(self.address, &self.origin, &self.cookie, &self.query).await?;
        line.hello().await?;
        Ok(line)
    }
}

impl Bench {
    /// Starts a system. Duet starts with the prepared accounts.
    ///
    /// # Errors
    /// Fails if the system does not start.
    pub async fn start(&self, system: System, disk: &Disk) -> Result<Running> {
        self.binaries.start(system, disk, self.data(system)?).await
    }

    /// Starts a system for a load.
    ///
    /// # Errors
    /// Fails if the system does not start.
    pub async fn serve(&self, system: System, disk: &Disk) -> Result<Server> {
        match system {
            System::Nodes(count) => self.several()?.start(count).await,
            one => Ok(Server::One(Box::new(self.start(one, disk).await?))),
        }
    }

    /// Returns the nodes of this run.
    ///
    /// # Errors
    /// Fails if this run has no nodes.
    pub fn several(&self) -> Result<&Nodes> {
        self.nodes.as_ref().context("this run has no nodes")
    }

    /// Returns the initial data of a system: the prepared accounts for Duet, an empty directory for
    /// others.
    ///
    /// # Errors
    /// Fails if the directory cannot be written.
    pub fn data(&self, system: System) -> Result<TempDir> {
        match system {
            System::Duet => self.town.copy(),
            System::Nodes(_) | System::Relay | System::Store | System::Peer(_) => {
                Ok(tempfile::tempdir()?)
            }
        }
    }

    /// Returns Duet's data after this version's migrations.
    ///
    /// # Errors
    /// Fails if the server does not start or stop.
    pub async fn migrated(&self) -> Result<TempDir> {
        self.start(System::Duet, &Disk::Own).await?.stop().await
    }

    /// Returns a prepared account.
    ///
    /// # Errors
    /// Fails if there is none.
    pub fn somebody(&self) -> Result<&Person> {
        self.town.people().first().context("nobody lives in the town")
    }

    /// Returns the first `count` pairs of accounts and opens their conversations.
    ///
    /// # Errors
    /// Fails if there are too few accounts or a conversation is refused.
    pub async fn pairs(&self, server: &Server, system: System, count: usize) -> Result<Vec<Pair>> {
        let http = server.http()?;
        let people = match system {
            System::Nodes(_) => self.several()?.people(),
            _ => self.town.people(),
        };
        let (couples, _) = people.as_chunks::<2>();
        let couples = couples.get(..count).context("the town is too small")?;
        stream::iter(couples)
            .map(|people| {
                let http = http.clone();
                async move {
                    let conversation = if system.is_duet() {
                        http.open(&people[0], people[1].id).await?
                    } else {
                        ConversationId::new()
                    };
                    Ok(Pair { people: people.clone(), conversation })
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
    pub async fn lines(&self, server: &Server, pairs: &[Pair]) -> Result<Vec<(Line, Pair, Reach)>> {
        let origin = server.origin()?;
        let mut lines = Vec::with_capacity(2 * pairs.len());
        for pair in pairs {
            for person in &pair.people {
                let reach = Reach {
                    address: server.address_of(lines.len())?,
                    origin: origin.clone(),
                    cookie: person.cookie.clone(),
                    query: pair.conversation.to_string(),
                };
                lines.push((reach.line().await?, pair.clone(), reach));
            }
        }
        Ok(lines)
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
                let page = http.history(&pair.people[0], pair.conversation, Cursor::Latest).await?;
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
