//! *idle*: the memory of a connection without messages.
//!
//! Each connection belongs to another user, who is signed in and has a conversation. The figure is
//! the growth of the server's resident memory since before the first connection, divided by the
//! number of connections.

use std::time::Duration;

use anyhow::{Result, bail};
use futures::stream::{self, StreamExt, TryStreamExt};
use harness::{Connection, ServerProcess, TestUser};
use protocol::{ConversationId, UserId};
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::{Bench, bytes_in_mb, exactly};
use crate::report::Row;
use crate::seed::{Seed, SeedConversation};
use crate::targets::{Disk, Target};

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
pub async fn run(bench: &Bench, target: Target, counts: &[usize]) -> Result<Vec<Row>> {
    let data = bench.data(target)?;
    let most = counts.iter().copied().max().unwrap_or(0);
    let users = match target {
        Target::Duet | Target::OtherBuild => seed_users(bench, data.path(), most)?,
        Target::Nodes(_) | Target::Relay | Target::Store => {
            let stranger = || TestUser { id: UserId::new(), cookie: String::new() };
            std::iter::repeat_with(stranger).take(most).collect()
        }
    };
    let server = bench.binaries.start(target, &Disk::Own, data).await?;
    sleep(SETTLE).await;
    let before = server.resident_bytes()?;
    let mut open = JoinSet::new();
    let mut rows = Vec::new();
    for &count in counts {
        let more = open.len()..count;
        connect(&server, &users[more], |_, mut connection| {
            // Reads, and answers pings, until the connection ends.
            open.spawn(async move { while connection.receive().await.is_ok() {} });
        })
        .await?;
        sleep(SETTLE).await;
        if open.try_join_next().is_some() {
            bail!("a connection was lost");
        }
        rows.push(row(target, count, before, server.resident_bytes()?)?);
    }
    open.shutdown().await;
    server.stop().await?;
    Ok(rows)
}

/// Measures nodes with this many connections, spread over them.
///
/// # Errors
/// Fails if a connection is refused or lost.
pub async fn of_nodes(bench: &Bench, target: Target, count: usize) -> Result<Row> {
    let server = bench.serve(target, &Disk::Own).await?;
    sleep(SETTLE).await;
    let before = server.resident_bytes()?;
    let mut open = JoinSet::new();
    let origin = server.origin()?;
    let mut connections = stream::iter(bench.nodes()?.users().iter().take(count).enumerate())
        .map(|(number, user)| {
            let (server, origin) = (&server, &origin);
            async move {
                let address = server.address_of(number)?;
                Connection::establish(address, origin, &user.cookie, "").await
            }
        })
        .buffer_unordered(AT_ONCE);
    while let Some(mut connection) = connections.try_next().await? {
        open.spawn(async move { while connection.receive().await.is_ok() {} });
    }
    drop(connections);
    sleep(SETTLE).await;
    if open.try_join_next().is_some() {
        bail!("a connection was lost");
    }
    let row = row(target, open.len(), before, server.resident_bytes()?)?;
    open.shutdown().await;
    server.stop().await?;
    Ok(row)
}

/// Computes the figures from the resident bytes before and with the connections.
fn row(target: Target, count: usize, before: u64, with: u64) -> Result<Row> {
    let each = exactly(with.saturating_sub(before)) / exactly(u64::try_from(count)?);
    Ok(Row::new("idle", format!("{count} connections"), target, &Disk::Own)
        .with("KiB per connection", each / 1024.0)
        .with("server MB", bytes_in_mb(with))
        .with("server MB before", bytes_in_mb(before))
        .comparing("KiB per connection"))
}

/// Writes this many users into the store, two in each conversation.
pub(super) fn seed_users(
    bench: &Bench,
    data: &std::path::Path,
    count: usize,
) -> Result<Vec<TestUser>> {
    let seed = Seed::open(data)?;
    let users = seed.users(count, bench.any_user()?)?;
    for pair in users.as_chunks::<2>().0 {
        let conversation = SeedConversation {
            users: [pair[0].id, pair[1].id],
            messages: MESSAGES,
            waiting: false,
        };
        seed.write_conversation(&conversation, 1)?;
    }
    seed.finish()?;
    Ok(users)
}

/// Connects these users concurrently and passes each connection to `hold`.
pub(super) async fn connect(
    server: &ServerProcess,
    users: &[TestUser],
    mut hold: impl FnMut(&TestUser, Connection),
) -> Result<()> {
    let mut connections = stream::iter(users)
        .map(|user| async move {
            // A ceiling needs a conversation in the URL; each connection gets its own.
            let query = ConversationId::new().to_string();
            let (address, origin) = (server.address, format!("http://{}", server.address));
            let connection = Connection::establish(address, &origin, &user.cookie, &query).await?;
            Ok::<_, anyhow::Error>((user, connection))
        })
        .buffer_unordered(AT_ONCE);
    while let Some((user, connection)) = connections.try_next().await? {
        hold(user, connection);
    }
    Ok(())
}
