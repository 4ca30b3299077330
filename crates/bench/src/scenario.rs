//! What is measured, one file each; and what several of them share.

pub mod herd;
pub mod idle;
pub mod paced;
pub mod page;
pub mod pairs;
pub mod returning;

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use futures::stream::{self, StreamExt, TryStreamExt};
use harness::{Http, Line, Person, Running, Town};
use protocol::{ConversationId, Cursor};
use tempfile::TempDir;

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

impl Bench {
    /// Starts a system, Duet with the town's people in it.
    ///
    /// # Errors
    /// It does not start.
    pub async fn start(&self, system: System, disk: &Disk) -> Result<Running> {
        self.binaries.start(system, disk, self.data(system)?).await
    }

    /// What a system starts with: Duet with the town's people, a ceiling with nothing.
    ///
    /// # Errors
    /// The disk.
    pub fn data(&self, system: System) -> Result<TempDir> {
        match system {
            System::Duet => self.town.copy(),
            System::Relay | System::Store | System::Peer(_) => Ok(tempfile::tempdir()?),
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
    pub async fn pairs(&self, server: &Running, system: System, count: usize) -> Result<Vec<Pair>> {
        let http = Http::new(server.address)?;
        let (couples, _) = self.town.people().as_chunks::<2>();
        let couples = couples.get(..count).context("the town is too small")?;
        stream::iter(couples)
            .map(|people| {
                let http = http.clone();
                async move {
                    let conversation = match system {
                        System::Duet => http.open(&people[0], people[1].id).await?,
                        System::Relay | System::Store | System::Peer(_) => ConversationId::new(),
                    };
                    Ok(Pair { people: people.clone(), conversation })
                }
            })
            .buffered(AT_ONCE)
            .try_collect()
            .await
    }

    /// A line for each of these people, with what they belong to.
    ///
    /// # Errors
    /// One was refused.
    pub async fn lines(
        &self,
        server: &Running,
        pairs: &[Pair],
    ) -> Result<Vec<(Line, Pair, String)>> {
        let mut lines = Vec::with_capacity(2 * pairs.len());
        for pair in pairs {
            for person in &pair.people {
                let query = pair.conversation.to_string();
                let mut line = Line::open(server.address, &person.cookie, &query).await?;
                line.hello().await?;
                lines.push((line, pair.clone(), person.cookie.clone()));
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
pub async fn stored(server: &Running, pairs: &[Pair]) -> Result<u64> {
    let http = Http::new(server.address)?;
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
