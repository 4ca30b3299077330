//! *return*: a user reconnects and loads all waiting messages.
//!
//! Timed from opening the connection until all messages are merged: socket, `hello`, conversation
//! list, then page after page of history. Duet's own page loads only the visible messages and the
//! others when the user scrolls to them.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use harness::{Connection, ServerProcess, TestUser};
use protocol::{ClientFrame, ConversationId, ConversationPage, Cursor, HistoryPage, Message, Seq};
use serde_json::json;

use super::{Bench, exactly};
use crate::call::Call;
use crate::latency::Latency;
use crate::report::Row;
use crate::seed::{Seed, SeedConversation};
use crate::targets::{Disk, Target};

/// Number of measured returns, each by another user.
const TIMES: usize = 20;

/// Runs the measurement on Duet only, because the ceilings cannot be read.
///
/// # Errors
/// Fails if a message is missing.
pub async fn run(bench: &Bench, waiting: u32) -> Result<Row> {
    let data = bench.data(Target::Duet)?;
    let seed = Seed::open(data.path())?;
    let users = seed.users(2 * TIMES, bench.any_user()?)?;
    let mut returns = Vec::with_capacity(TIMES);
    for [peer, me] in users.as_chunks::<2>().0 {
        let users = [peer.id, me.id];
        let conversation = SeedConversation { users, messages: waiting.into(), waiting: true };
        returns.push((me, seed.write_conversation(&conversation, 1)?));
    }
    seed.finish()?;
    let server = bench.binaries.start(Target::Duet, &Disk::Own, data).await?;
    let cpu_before = server.cpu_seconds()?;
    let (mut to_hello, mut to_merged) = (Latency::default(), Latency::default());
    for (me, conversation) in returns {
        let (hello, merged) = reconnect(&server, me, conversation, waiting.into()).await?;
        to_hello.record(hello);
        to_merged.record(merged);
    }
    let cpu = server.cpu_seconds()? - cpu_before;
    server.stop().await?;
    let setting = format!("{waiting} messages waiting");
    let [p50, _, p99, _] = to_merged.percentiles_ms();
    Ok(Row::new("return", setting, Target::Duet, &Disk::Own)
        .with("connected to merged p50 ms", p50)
        .with("p99 ms", p99)
        .with("of it to hello p50 ms", to_hello.percentiles_ms()[0])
        .with("us/message", p50 * 1_000.0 / f64::from(waiting))
        .with("server CPU ms/return", cpu * 1_000.0 / exactly(u64::try_from(TIMES)?)))
}

/// Connects and loads every message. Returns the times until `hello` and until all messages are
/// merged.
async fn reconnect(
    server: &ServerProcess,
    me: &TestUser,
    conversation: ConversationId,
    waiting: i64,
) -> Result<(Duration, Duration)> {
    let since = Instant::now();
    let mut connection = Connection::open(server.address, &me.cookie, "").await?;
    connection.hello().await?;
    let hello = since.elapsed();
    let mut call = Call::open(server.address, &me.cookie, false).await?;
    let list: ConversationPage =
        call.request("list_conversations", &json!({ "after": null })).await?;
    let entry = list.conversations.iter().find(|entry| entry.id == conversation);
    let last = entry.context("the conversation is not on the list")?.last_seq;
    let mut timeline: BTreeMap<Seq, Message> = BTreeMap::new();
    loop {
        let from = timeline.last_key_value().map_or(Seq::ZERO, |(seq, _)| *seq);
        if from >= last {
            break;
        }
        let request = json!({ "id": conversation, "cursor": Cursor::After(from) });
        let page: HistoryPage = call.request("load_history", &request).await?;
        ensure!(!page.messages.is_empty(), "the page after {from} is empty");
        timeline.extend(page.messages.into_iter().map(|message| (message.seq, message)));
    }
    connection.send(&ClientFrame::Delivered { conversation, up_to: last }).await?;
    let merged = since.elapsed();
    let dense = timeline.keys().zip(1..).all(|(seq, expected)| seq.0 == expected);
    ensure!(
        dense && last.0 == waiting,
        "expected {waiting} messages without a gap, loaded {}",
        timeline.len()
    );
    Ok((hello, merged))
}
