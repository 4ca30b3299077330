//! *idle*: what a connection costs while nobody says anything.
//!
//! Each connection is another person's, signed in and in a conversation with the next one. Memory
//! is the server's resident memory with the connections, less that of the same server before the
//! first one, by their number.

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

/// Connections that are opened at once.
const AT_ONCE: usize = 64;
/// After the last has come, until memory is looked at.
const SETTLE: Duration = Duration::from_secs(3);
/// Messages in each conversation.
const MESSAGES: i64 = 10;

/// Measures, on one server, each of these numbers, which grow.
///
/// # Errors
/// A connection was refused or lost.
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
            // Listens, and answers pings, until the line is lost.
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

/// Measures the same on nodes with so many connections, spread over them, each another person's.
///
/// # Errors
/// As above.
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

/// What so many connections cost, by the resident bytes before them and with them.
fn row(system: System, count: usize, before: u64, with: u64) -> Result<Row> {
    let each = exactly(with.saturating_sub(before)) / exactly(u64::try_from(count)?);
    Ok(Row::new("idle", format!("{count} connections"), system, &Disk::Own)
        .with("KiB per connection", each / 1024.0)
        .with("server MB", bytes_in_mb(with))
        .with("server MB before", bytes_in_mb(before))
        .comparing("KiB per connection"))
}

/// Writes so many people into the store, each in a conversation with the next.
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

/// Connects these people, many at once, and hands each line over.
pub(super) async fn connect(
    server: &Running,
    people: &[Person],
    mut hold: impl FnMut(&Person, Line),
) -> Result<()> {
    let mut lines = stream::iter(people)
        .map(|person| async move {
            // For a ceiling: each in a conversation of its own.
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
