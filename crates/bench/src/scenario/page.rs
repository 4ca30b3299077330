//! *page*: the time to load a page, for growing stores.
//!
//! Sequential calls on one connection, timed from the first byte of the request to the last byte of
//! the answer. Each size has its own store, because both the position of the page and the size of
//! the table could slow it down. The file is in the page cache, as for frequently read data.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use harness::{ServerProcess, TestUser};
use protocol::limits::PAGE_MESSAGES;
use protocol::{ConversationPage, Cursor, HistoryPage, Seq};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::Bench;
use crate::call::Call;
use crate::latency::Latency;
use crate::report::Row;
use crate::seed::{DATABASE, Seed, SeedConversation};
use crate::targets::{Disk, Target};

/// Number of timed calls. A tenth as many calls precede them as warm-up.
const CALLS: usize = 300;
/// Directory of the prepared stores, which are kept because large ones take long to write.
const KEPT: &str = "seeded";
/// File beside each prepared store with its [`Reader`].
const READER: &str = "user.json";

/// The subject of the pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// A conversation with this many messages.
    Messages(u32),
    /// A list of this many conversations.
    Conversations(u32),
}

/// The user who loads the pages, and the conversation if its messages are loaded.
#[derive(Serialize, Deserialize)]
struct Reader {
    user: TestUser,
    conversation: Option<protocol::ConversationId>,
}

/// A running server with a store of one size.
struct Sized {
    subject: Subject,
    server: ServerProcess,
    reader: Reader,
}

/// A repeated call and its latencies.
struct TimedCall {
    setting: String,
    position: &'static str,
    function: &'static str,
    arguments: Value,
    plain: (Call, Latency),
    compressed: (Call, Latency),
}

/// Measures these sizes in turns, so that other load on the machine affects all of them alike.
///
/// # Errors
/// Fails if an answer is not a complete page.
pub async fn run(bench: &Bench, root: &Path, sizes: &[Subject]) -> Result<Vec<Row>> {
    let mut running = Vec::new();
    for &subject in sizes {
        let (data, reader) = seeded(bench, root, subject).await?;
        let server = bench.binaries.start(Target::Duet, &Disk::Own, data).await?;
        running.push(Sized { subject, server, reader });
    }
    let mut calls = Vec::new();
    for size in &running {
        calls.extend(prepare_calls(size).await?);
    }
    for time in 0..CALLS + CALLS / 10 {
        for TimedCall { function, arguments, plain, compressed, .. } in &mut calls {
            for (call, latency) in [plain, compressed] {
                let took = call.time(function, arguments).await?;
                if time >= CALLS / 10 {
                    latency.record(took);
                }
            }
        }
    }
    for size in running {
        size.server.stop().await?;
    }
    Ok(rows(calls))
}

/// Opens the connections to a server and checks that its answers are complete.
async fn prepare_calls(size: &Sized) -> Result<Vec<TimedCall>> {
    let cookie = &size.reader.user.cookie;
    let mut calls = Vec::new();
    for (position, function, arguments) in requests(size.subject, &size.reader)? {
        let mut call = Call::open(size.server.address, cookie, false).await?;
        check(&mut call, size.subject, function, &arguments).await?;
        let compressed = Call::open(size.server.address, cookie, true).await?;
        let setting = match size.subject {
            Subject::Messages(count) => format!("{count} messages, {position}"),
            Subject::Conversations(count) => format!("{count} conversations, {position}"),
        };
        let (plain, compressed) = ((call, Latency::default()), (compressed, Latency::default()));
        calls.push(TimedCall { setting, position, function, arguments, plain, compressed });
    }
    Ok(calls)
}

/// Computes the figures, each relative to the smallest store at the same position.
fn rows(calls: Vec<TimedCall>) -> Vec<Row> {
    let mut smallest: HashMap<&str, f64> = HashMap::new();
    calls
        .into_iter()
        .map(|call| {
            let [p50, _, p99, _] = call.plain.1.percentiles_ms();
            let first = *smallest.entry(call.position).or_insert(p50);
            Row::new("page", call.setting, Target::Duet, &Disk::Own)
                .with("p50 ms", p50)
                .with("p99 ms", p99)
                .with("gzip p50 ms", call.compressed.1.percentiles_ms()[0])
                .with("p50 of the smallest's", p50 / first)
        })
        .collect()
}

/// Returns the positions to load, with function and arguments.
fn requests(subject: Subject, reader: &Reader) -> Result<Vec<(&'static str, &'static str, Value)>> {
    let Subject::Messages(count) = subject else {
        return Ok(vec![("first page", "list_conversations", json!({ "after": null }))]);
    };
    let id = reader.conversation.context("no conversation was seeded")?;
    let request = |cursor: Cursor| json!({ "id": id, "cursor": cursor });
    Ok(vec![
        ("end", "load_history", request(Cursor::Latest)),
        ("middle", "load_history", request(Cursor::Before(Seq(i64::from(count / 2 + 26))))),
        ("beginning", "load_history", request(Cursor::After(Seq(10)))),
    ])
}

/// Checks that the answer is a complete page.
async fn check(call: &mut Call, subject: Subject, function: &str, arguments: &Value) -> Result<()> {
    let (got, expected) = match subject {
        Subject::Messages(_) => {
            let page: HistoryPage = call.request(function, arguments).await?;
            (page.messages.len(), PAGE_MESSAGES)
        }
        Subject::Conversations(count) => {
            let page: ConversationPage = call.request(function, arguments).await?;
            (page.conversations.len(), PAGE_MESSAGES.min(usize::try_from(count)?))
        }
    };
    anyhow::ensure!(got == expected, "the page has {got} entries instead of {expected}");
    Ok(())
}

/// Returns a copy of the prepared store of this size. Prepares the store if there is none.
async fn seeded(bench: &Bench, root: &Path, subject: Subject) -> Result<(TempDir, Reader)> {
    let (kind, count) = match subject {
        Subject::Messages(count) => ("messages", count),
        Subject::Conversations(count) => ("conversations", count),
    };
    let empty = bench.migrated().await?;
    let schema = Seed::open(empty.path())?.schema()?;
    let kept: PathBuf = root.join(KEPT).join(format!("{kind}-{count}-{schema:016x}"));
    if !kept.join(READER).exists() {
        eprintln!("writing a store of {count} {kind}, once");
        std::fs::create_dir_all(&kept)?;
        let reader = write(bench, empty.path(), subject)?;
        std::fs::copy(empty.path().join(DATABASE), kept.join(DATABASE))?;
        std::fs::write(kept.join(READER), serde_json::to_vec(&reader)?)?;
    }
    let mut reader: Reader = serde_json::from_slice(&std::fs::read(kept.join(READER))?)?;
    let copy = tempfile::tempdir()?;
    std::fs::copy(kept.join(DATABASE), copy.path().join(DATABASE))?;
    // Creates a new session, because the one in an old store may have expired.
    let seed = Seed::open(copy.path())?;
    reader.user.cookie = seed.session(reader.user.id, bench.any_user()?)?;
    seed.finish()?;
    // Flushes the copy first; otherwise its writeback would affect the measurement.
    std::fs::File::open(copy.path().join(DATABASE))?.sync_all()?;
    Ok((copy, reader))
}

fn write(bench: &Bench, data: &Path, subject: Subject) -> Result<Reader> {
    let seed = Seed::open(data)?;
    let (count, messages) = match subject {
        Subject::Messages(count) => (1, i64::from(count)),
        // Two messages per conversation, a realistic number of unread ones in a list.
        Subject::Conversations(count) => (count, 2),
    };
    let users = seed.users(usize::try_from(count)? + 1, bench.any_user()?)?;
    let (user, peers) = users.split_first().context("no user was written")?;
    let mut conversation = None;
    for (minutes, peer) in (1..).zip(peers) {
        let users = [peer.id, user.id];
        // Every third conversation has unread messages.
        let waiting = matches!(subject, Subject::Conversations(_)) && minutes % 3 == 0;
        conversation =
            Some(seed.write_conversation(&SeedConversation { users, messages, waiting }, minutes)?);
    }
    seed.finish()?;
    Ok(Reader { user: user.clone(), conversation })
}
