//! *idle*: the memory of a connection without messages.
//!
//! Each connection belongs to another user, who is signed in and has a conversation. The figure is
//! the growth of the server's resident memory since before the first connection, divided by the
//! number of connections.

use std::time::Duration;

use anyhow::{Result, bail};
use futures::stream::{self, StreamExt, TryStreamExt};
use harness::{Line, Person, Running};
use protocol::{ConversationId, UserId};
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::{Bench, bytes_in_mb, exactly};
use crate::report::Row;
use crate::seed::{Seed, Talk};
use crate::system::{Disk, System};

/// Number of connections opened concurrently.
const AT_ONCE: usize = 64;
/// Pause before memory is measured.
const SETTLE: Duration = Duration::from_secs(3);
/// Number of messages in each conversation.
const MESSAGES: i64 = 10;

/// Measures each of these numbers of connections on one server. The numbers must ascend.
///
/// # Errors
/// Fails if a connection is refused or lost.
pub async fn run(bench: &Bench, system: System, counts: &[usize]) -> Result<Vec<Row>> {
    let data = bench.data(system)?;
    let most = counts.iter().copied().max().unwrap_or(0);
    let people = match system {
        System::Duet => crowd(bench, data.path(), most)?,
        System::Nodes(_) | System::Relay | System::Store | System::Peer(_) => {
            let nobody = || Person { id: UserId::new(), cookie: String::new() };
            std::iter::repeat_with(nobody).take(most).collect()
        }
    };
    let server = bench.binaries.start(system, &Disk::Own, data).await?;
    sleep(SETTLE).await;
    let before = server.resident_bytes()?;
    let mut held = JoinSet::new();
    let mut rows = Vec::new();
    for &count in counts {
        let more = held.len()..count;
        connect(&server, &people[more], |_, mut line| {
            // Reads, and answers pings, until the connection ends.
            held.spawn(async move { while line.hear().await.is_ok() {} });
        })
        .await?;
        sleep(SETTLE).await;
        if held.try_join_next().is_some() {
            bail!("a connection was lost");
        }
        rows.push(row(system, count, before, server.resident_bytes()?)?);
    }
    held.shutdown().await;
    server.stop().await?;
    Ok(rows)
}

/// Measures nodes with this many connections, spread over them.
///
/// # Errors
/// Fails if a connection is refused or lost.
pub async fn of_nodes(bench: &Bench, system: System, count: usize) -> Result<Row> {
    let server = bench.serve(system, &Disk::Own).await?;
    sleep(SETTLE).await;
    let before = server.resident_bytes()?;
    let mut held = JoinSet::new();
    let origin = server.origin()?;
    let mut lines = stream::iter(bench.several()?.people().iter().take(count).enumerate())
        .map(|(number, person)| {
            let (server, origin) = (&server, &origin);
            async move {
                let address = server.address_of(number)?;
                let mut line = Line::open_at(address, origin, &person.cookie, "").await?;
                line.hello().await?;
                Ok::<_, anyhow::Error>(line)
            }
        })
        .buffer_unordered(AT_ONCE);
    while let Some(mut line) = lines.try_next().await? {
        held.spawn(async move { while line.hear().await.is_ok() {} });
    }
    drop(lines);
    sleep(SETTLE).await;
    if held.try_join_next().is_some() {
        bail!("a connection was lost");
    }
    let row = row(system, held.len(), before, server.resident_bytes()?)?;
    held.shutdown().await;
    server.stop().await?;
    Ok(row)
}

/// Computes the figures from the resident bytes before and with the connections.
fn row(system: System, count: usize, before: u64, with: u64) -> Result<Row> {
    let each = exactly(with.saturating_sub(before)) / exactly(u64::try_from(count)?);
    Ok(Row::new("idle", format!("{count} connections"), system, &Disk::Own)
        .with("KiB per connection", each / 1024.0)
        .with("server MB", bytes_in_mb(with))
        .with("server MB before", bytes_in_mb(before))
        .comparing("KiB per connection"))
}

/// Writes this many users into the store, two in each conversation.
pub(super) fn crowd(bench: &Bench, data: &std::path::Path, count: usize) -> Result<Vec<Person>> {
    let seed = Seed::open(data)?;
    let people = seed.people(count, bench.somebody()?)?;
    for two in people.as_chunks::<2>().0 {
        let talk = Talk { people: [two[0].id, two[1].id], messages: MESSAGES, waiting: false };
        seed.talk(&talk, 1)?;
    }
    seed.finish()?;
    Ok(people)
}

/// Connects these users concurrently and passes each connection to `hold`.
pub(super) async fn connect(
    server: &Running,
    people: &[Person],
    mut hold: impl FnMut(&Person, Line),
) -> Result<()> {
    let mut lines = stream::iter(people)
        .map(|person| async move {
            // A ceiling needs a conversation in the URL; each connection gets its own.
            let query = ConversationId::new().to_string();
            let mut line = Line::open(server.address, &person.cookie, &query).await?;
            line.hello().await?;
            Ok::<_, anyhow::Error>((person, line))
        })
        .buffer_unordered(AT_ONCE);
    while let Some((person, line)) = lines.try_next().await? {
        hold(person, line);
    }
    Ok(())
}
