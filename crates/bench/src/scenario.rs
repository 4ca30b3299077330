//! What is measured, one file each; and what several of them share.

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

/// Bytes of a message's body.
pub const BODY_BYTES: usize = 100;
/// Digits in front of a body: the moment it was due, in nanoseconds.
const STAMP_DIGITS: usize = 20;
/// Calls under way at once while a scenario is prepared.
const AT_ONCE: usize = 16;

/// What every scenario works with.
pub struct Bench {
    /// Where the binaries are.
    pub binaries: Binaries,
    /// The people.
    pub town: Town,
    /// What measurements of several nodes stand on.
    pub nodes: Option<Nodes>,
    /// How long a load lasts, after it has warmed up.
    pub lasts: Duration,
    /// The moment that bodies are stamped against.
    pub base: Instant,
}

/// Two people and their conversation.
#[derive(Clone, Debug)]
pub struct Pair {
    /// The two.
    pub people: [Person; 2],
    /// Theirs.
    pub conversation: ConversationId,
}

/// How somebody connects.
#[derive(Clone, Debug)]
pub struct Reach {
    /// To which server.
    address: SocketAddr,
    origin: String,
    cookie: String,
    query: String,
}

impl Reach {
    /// Another line.
    ///
    /// # Errors
    /// Refused.
    pub async fn line(&self) -> Result<Line> {
        let mut line = Line::open_at(self.address, &self.origin, &self.cookie, &self.query).await?;
        line.hello().await?;
        Ok(line)
    }
}

impl Bench {
    /// Starts a system, Duet with the town's people in it.
    ///
    /// # Errors
    /// It does not start.
    pub async fn start(&self, system: System, disk: &Disk) -> Result<Running> {
        self.binaries.start(system, disk, self.data(system)?).await
    }

    /// Starts a system for a load.
    ///
    /// # Errors
    /// It does not start.
    pub async fn serve(&self, system: System, disk: &Disk) -> Result<Server> {
        match system {
            System::Nodes(count) => self.several()?.start(count).await,
            one => Ok(Server::One(Box::new(self.start(one, disk).await?))),
        }
    }

    /// The nodes of this run, and their people.
    ///
    /// # Errors
    /// It is a run without.
    pub fn several(&self) -> Result<&Nodes> {
        self.nodes.as_ref().context("this run has no nodes")
    }

    /// What a system starts with: Duet with the town's people, a ceiling with nothing.
    ///
    /// # Errors
    /// The disk.
    pub fn data(&self, system: System) -> Result<TempDir> {
        match system {
            System::Duet => self.town.copy(),
            System::Nodes(_) | System::Relay | System::Store | System::Peer(_) => {
                Ok(tempfile::tempdir()?)
            }
        }
    }

    /// Duet's data with every table that this version of it makes.
    ///
    /// # Errors
    /// It does not start.
    pub async fn migrated(&self) -> Result<TempDir> {
        self.start(System::Duet, &Disk::Own).await?.stop().await
    }

    /// A person of the town.
    ///
    /// # Errors
    /// It is empty.
    pub fn somebody(&self) -> Result<&Person> {
        self.town.people().first().context("nobody lives in the town")
    }

    /// The first `count` pairs of the town, with their conversations opened.
    ///
    /// # Errors
    /// The town is too small, or a conversation is refused.
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

    /// A line for each of these people, with what they belong to and how they come back.
    ///
    /// # Errors
    /// One was refused.
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

    /// A body that says when it was due.
    pub fn body(&self, due: Instant) -> String {
        let stamp = due.saturating_duration_since(self.base).as_nanos();
        format!("{stamp:0STAMP_DIGITS$}{:.<1$}", "", BODY_BYTES - STAMP_DIGITS)
    }

    /// How long ago a body was due.
    pub fn age(&self, body: &str, now: Instant) -> Option<Duration> {
        let stamp = body.get(..STAMP_DIGITS)?.parse().ok()?;
        now.checked_duration_since(self.base + Duration::from_nanos(stamp))
    }
}

/// How many messages the store holds in these conversations.
///
/// # Errors
/// A conversation cannot be read.
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

/// From sending to the acknowledgement.
pub const ACKNOWLEDGED: [&str; 4] = ["ack p50 ms", "ack p95 ms", "ack p99 ms", "ack p99.9 ms"];
/// From sending to the other's screen.
pub const RECEIVED: [&str; 4] =
    ["received p50 ms", "received p95 ms", "received p99 ms", "received p99.9 ms"];

/// When things are counted.
#[derive(Clone, Copy)]
pub struct Window {
    /// From here.
    pub from: Instant,
    /// Until here.
    pub until: Instant,
}

impl Window {
    /// Whether a moment counts.
    pub fn holds(self, moment: Instant) -> bool {
        self.from <= moment && moment < self.until
    }
}

/// A count as a figure.
#[expect(clippy::cast_precision_loss, reason = "counts far below 2^52")]
pub fn exactly(count: u64) -> f64 {
    count as f64
}

/// Bytes as the tables show them.
pub fn bytes_in_mb(bytes: u64) -> f64 {
    exactly(bytes) / 1e6
}
