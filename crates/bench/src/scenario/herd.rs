//! *herd*: the server is killed with thousands of clients connected, and starts again.
//!
//! Each client reconnects by the page's rule: growing delays with jitter, then `hello`, then the
//! conversation list over a new HTTP connection. Reconnecting uses the session and no password, so
//! the server must not hash any. The scenario counts sign-ins, and afterwards measures the cost of
//! a hash on the same server.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use harness::{Connection, HttpClient, Random, ServerProcess, TestUser, duet_command_at};
use protocol::ConversationPage;
use serde_json::json;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{interval, sleep, timeout};

use super::idle::{connect, seed_users};
use super::{Bench, bytes_in_mb, exactly};
use crate::call::Call;
use crate::latency::Latency;
use crate::report::Row;
use crate::seed;
use crate::targets::{Disk, Target};

/// The page's backoff, from `live/backoff.rs` in the app.
const FIRST_MS: f64 = 500.0;
const SHORTEST_MS: f64 = 250.0;
const LONGEST_MS: f64 = 30_000.0;
/// Time limit for `hello`, as in the page.
const HELLO_WITHIN: Duration = Duration::from_secs(10);
/// Delay before another attempt to load the list, as in the page.
const RETRY_LIST: Duration = Duration::from_secs(2);
/// Time limit for all clients to reconnect.
const ALL_WITHIN: Duration = Duration::from_secs(180);
/// Interval at which the server's CPU time is sampled.
const SAMPLE_EVERY: Duration = Duration::from_millis(250);
/// Number of passwords hashed to measure the cost of one.
const HASHES: u32 = 8;

/// A client that has reconnected and loaded its list.
struct Reconnected {
    hello: Instant,
    list_loaded: Instant,
    failures: u32,
}

/// Runs the measurement.
///
/// # Errors
/// Fails if a client does not reconnect in time.
pub async fn run(bench: &Bench, count: usize) -> Result<Row> {
    let data = bench.data(Target::Duet)?;
    let users = seed_users(bench, data.path(), count)?;
    let sessions = seed::sessions(data.path())?;
    let server = bench.binaries.start(Target::Duet, &Disk::Own, data).await?;
    let address = server.address;
    let mut connections = Vec::with_capacity(count);
    connect(&server, &users, |user, connection| connections.push((user.clone(), connection)))
        .await?;
    let mut clients = JoinSet::new();
    let (report, mut reconnections) = mpsc::unbounded_channel();
    for (number, (user, connection)) in connections.into_iter().enumerate() {
        clients.spawn(run_client(address, user, connection, number, report.clone()));
    }
    let cut = Instant::now();
    let data = server.kill().await?;
    let command = duet_command_at(&bench.binaries.duet, data.path(), &address.to_string());
    let server = ServerProcess::start("Duet", command, data).await?;
    let started = cut.elapsed();
    let mut cores = Cores::of(&server)?;
    let (mut to_hello, mut to_list) = (Latency::default(), Latency::default());
    let (mut last, mut failures, mut missing) = (cut, 0, count);
    let mut sample = interval(SAMPLE_EVERY);
    while missing > 0 {
        ensure!(cut.elapsed() < ALL_WITHIN, "{missing} clients did not reconnect");
        tokio::select! {
            Some(client) = reconnections.recv() => {
                to_hello.record(client.hello - cut);
                to_list.record(client.list_loaded - cut);
                last = last.max(client.list_loaded);
                failures += u64::from(client.failures);
                missing -= 1;
            }
            _ = sample.tick() => cores.sample(&server)?,
        }
    }
    let cpu = server.cpu_seconds()?;
    let resident = server.resident_bytes()?;
    let hash = hash_seconds(&server).await?;
    clients.shutdown().await;
    let data = server.stop().await?;
    let signed_in = seed::sessions(data.path())? - sessions - i64::from(HASHES);
    ensure!(signed_in == 0, "reconnecting created {signed_in} sessions");
    let each = exactly(u64::try_from(count)?);
    Ok(Row::new("herd", format!("{count} connections, killed"), Target::Duet, &Disk::Own)
        .with("all whole s", (last - cut).as_secs_f64())
        .with("whole p50 s", to_list.percentiles_ms()[0] / 1_000.0)
        .with("whole p99 s", to_list.percentiles_ms()[2] / 1_000.0)
        .with("hello p50 s", to_hello.percentiles_ms()[0] / 1_000.0)
        .with("server back s", started.as_secs_f64())
        .with("failed attempts", exactly(failures))
        .with("server CPU s", cpu)
        .with("peak cores", cores.peak)
        .with("CPU ms/client", cpu * 1_000.0 / each)
        .with("CPU ms/password hash", hash * 1_000.0)
        .with("sign-ins", 0.0)
        .with("server MB", bytes_in_mb(resident)))
}

/// Runs one client: reads until the connection breaks, reconnects, reports, and reads on.
async fn run_client(
    address: SocketAddr,
    user: TestUser,
    mut connection: Connection,
    number: usize,
    report: mpsc::UnboundedSender<Reconnected>,
) {
    let mut failures = 0;
    loop {
        while connection.receive().await.is_ok() {}
        connection = loop {
            sleep(delay(failures, jitter(number, failures))).await;
            failures += 1;
            if let Ok(Ok(connection)) = timeout(HELLO_WITHIN, reconnect(address, &user)).await {
                break connection;
            }
        };
        let hello = Instant::now();
        while read_list(address, &user).await.is_err() {
            sleep(RETRY_LIST).await;
        }
        // The receiver is gone after the measurement.
        _ = report.send(Reconnected { hello, list_loaded: Instant::now(), failures: failures - 1 });
    }
}

async fn reconnect(address: SocketAddr, user: &TestUser) -> Result<Connection> {
    Connection::establish(address, &format!("http://{address}"), &user.cookie, "").await
}

async fn read_list(address: SocketAddr, user: &TestUser) -> Result<()> {
    let mut call = Call::open(address, &user.cookie, false).await?;
    let list: ConversationPage =
        call.request("list_conversations", &json!({ "after": null })).await?;
    ensure!(!list.conversations.is_empty(), "the list is empty");
    Ok(())
}

/// Returns the page's delay. `jitter` is in `0..1`.
fn delay(failures: u32, jitter: f64) -> Duration {
    let bound = (FIRST_MS * f64::from(1_u32 << failures.min(16))).min(LONGEST_MS);
    Duration::from_secs_f64((SHORTEST_MS + (bound - SHORTEST_MS) * jitter) / 1_000.0)
}

/// Returns a reproducible number in `0..1` for each client and attempt.
fn jitter(number: usize, attempt: u32) -> f64 {
    let position = (number as u64) << 32 | u64::from(attempt);
    exactly(Random::at(position).next_u64() >> 12) / exactly(1 << 52)
}

/// The number of CPU cores that a server uses.
struct Cores {
    at: Instant,
    seconds: f64,
    peak: f64,
}

impl Cores {
    fn of(server: &ServerProcess) -> Result<Self> {
        Ok(Self { at: Instant::now(), seconds: server.cpu_seconds()?, peak: 0.0 })
    }

    /// Samples the CPU time since the last sample.
    fn sample(&mut self, server: &ServerProcess) -> Result<()> {
        let (now, seconds) = (Instant::now(), server.cpu_seconds()?);
        let passed = (now - self.at).as_secs_f64();
        // CPU time has a resolution of 10 ms, so short intervals are too inaccurate.
        if passed >= SAMPLE_EVERY.as_secs_f64() / 2.0 {
            self.peak = self.peak.max((seconds - self.seconds) / passed);
            (self.at, self.seconds) = (now, seconds);
        }
        Ok(())
    }
}

/// Returns the CPU seconds of one password hash.
async fn hash_seconds(server: &ServerProcess) -> Result<f64> {
    let http = HttpClient::new(server.address)?;
    let before = server.cpu_seconds()?;
    for number in 0..HASHES {
        http.sign_up(format!("newcomer.{number}")).await?;
    }
    Ok((server.cpu_seconds()? - before) / f64::from(HASHES))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_equal_those_of_the_page() {
        let longest = [0, 1, 2, 3, 4, 5, 6, 7].map(|failures| delay(failures, 1.0).as_millis());
        assert_eq!(longest, [500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000]);
        assert_eq!(delay(3, 0.0).as_millis(), 250);
    }

    #[test]
    fn jitter_is_uniform_and_reproducible() {
        let values: Vec<f64> = (0..10_000).map(|number| jitter(number, 0)).collect();
        let low = values.iter().filter(|jitter| **jitter < 0.5).count();
        assert!((4_800..5_200).contains(&low), "{low} of 10,000 in the lower half");
        assert!(values.iter().all(|jitter| (0.0..1.0).contains(jitter)));
        assert_eq!(values.first(), Some(&jitter(0, 0)));
        assert_ne!(jitter(0, 0), jitter(0, 1));
    }
}
