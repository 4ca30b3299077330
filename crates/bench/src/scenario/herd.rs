//! *herd*: the server is killed with thousands of clients connected, and starts again.
//!
//! Each client reconnects by the page's rule: growing delays with jitter, then `hello`, then the
//! conversation list over a new HTTP connection. Reconnecting uses the session and no password, so
//! the server must not hash any. The scenario counts sign-ins, and afterwards measures the cost of
//! a hash on the same server.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use harness::{Http, Line, Person, Running, duet_at};
use protocol::ConversationPage;
use serde_json::json;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{interval, sleep, timeout};

use super::idle::{connect, crowd};
use super::{Bench, bytes_in_mb, exactly};
use crate::call::Call;
use crate::latency::Latency;
use crate::report::Row;
use crate::seed;
use crate::system::{Disk, System};

/// The page's backoff, from `live/backoff.rs` in the app.
const FIRST_MS: f64 = 500.0;
const SHORTEST_MS: f64 = 250.0;
const LONGEST_MS: f64 = 30_000.0;
/// Time limit for `hello`, as in the page.
const HELLO_WITHIN: Duration = Duration::from_secs(10);
/// Delay before another attempt to load the list, as in the page.
const READ_AGAIN: Duration = Duration::from_secs(2);
/// Time limit for all clients to reconnect.
const ALL_WITHIN: Duration = Duration::from_secs(180);
/// Interval at which the server's CPU time is sampled.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// Number of passwords hashed to measure the cost of one.
const HASHES: u32 = 8;

/// A client that has reconnected and loaded its list.
struct Back {
    hello: Instant,
    whole: Instant,
    failures: u32,
}

/// Runs the measurement.
///
/// # Errors
/// Fails if a client does not reconnect in time.
pub async fn run(bench: &Bench, count: usize) -> Result<Row> {
    let data = bench.data(System::Duet)?;
    let people = crowd(bench, data.path(), count)?;
    let sessions = seed::sessions(data.path())?;
    let server = bench.binaries.start(System::Duet, &Disk::Own, data).await?;
    let address = server.address;
    let mut lines = Vec::with_capacity(count);
    connect(&server, &people, |person, line| lines.push((person.clone(), line))).await?;
    let mut clients = JoinSet::new();
    let (report, mut backs) = mpsc::unbounded_channel();
    for (number, (person, line)) in lines.into_iter().enumerate() {
        clients.spawn(live(address, person, line, number, report.clone()));
    }
    let cut = Instant::now();
    let data = server.kill().await?;
    let command = duet_at(&bench.binaries.duet, data.path(), &address.to_string());
    let server = Running::start("Duet", command, data).await?;
    let started = cut.elapsed();
    let mut cores = Cores::of(&server)?;
    let (mut to_hello, mut to_whole) = (Latency::default(), Latency::default());
    let (mut last, mut failures, mut missing) = (cut, 0, count);
    let mut look = interval(LOOK_EVERY);
    while missing > 0 {
        ensure!(cut.elapsed() < ALL_WITHIN, "{missing} did not come back");
        tokio::select! {
            Some(back) = backs.recv() => {
                to_hello.record(back.hello - cut);
                to_whole.record(back.whole - cut);
                last = last.max(back.whole);
                failures += u64::from(back.failures);
                missing -= 1;
            }
            _ = look.tick() => cores.look(&server)?,
        }
    }
    let cpu = server.cpu_seconds()?;
    let resident = server.resident_bytes()?;
    let hash = hash_seconds(&server).await?;
    clients.shutdown().await;
    let data = server.stop().await?;
    let signed_in = seed::sessions(data.path())? - sessions - i64::from(HASHES);
    ensure!(signed_in == 0, "{signed_in} sessions were made by coming back");
    let each = exactly(u64::try_from(count)?);
    Ok(Row::new("herd", format!("{count} connections, killed"), System::Duet, &Disk::Own)
        .with("all whole s", (last - cut).as_secs_f64())
        .with("whole p50 s", to_whole.percentiles_ms()[0] / 1_000.0)
        .with("whole p99 s", to_whole.percentiles_ms()[2] / 1_000.0)
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
async fn live(
    address: SocketAddr,
    person: Person,
    mut line: Line,
    number: usize,
    report: mpsc::UnboundedSender<Back>,
) {
    let mut failures = 0;
    loop {
        while line.hear().await.is_ok() {}
        line = loop {
            sleep(delay(failures, chance(number, failures))).await;
            failures += 1;
            if let Ok(Ok(line)) = timeout(HELLO_WITHIN, reconnect(address, &person)).await {
                break line;
            }
        };
        let hello = Instant::now();
        while read_list(address, &person).await.is_err() {
            sleep(READ_AGAIN).await;
        }
        // The receiver is gone after the measurement.
        _ = report.send(Back { hello, whole: Instant::now(), failures: failures - 1 });
    }
}

async fn reconnect(address: SocketAddr, person: &Person) -> Result<Line> {
    let mut line = Line::open(address, &person.cookie, "").await?;
    line.hello().await?;
    Ok(line)
}

async fn read_list(address: SocketAddr, person: &Person) -> Result<()> {
    let mut call = Call::open(address, &person.cookie, false).await?;
    let list: ConversationPage = call.ask("list_conversations", &json!({ "after": null })).await?;
    ensure!(!list.conversations.is_empty(), "nothing is listed");
    Ok(())
}

/// Returns the page's delay. `chance` is in `0..1`.
fn delay(failures: u32, chance: f64) -> Duration {
    let bound = (FIRST_MS * f64::from(1_u32 << failures.min(16))).min(LONGEST_MS);
    Duration::from_secs_f64((SHORTEST_MS + (bound - SHORTEST_MS) * chance) / 1_000.0)
}

/// Returns a reproducible number in `0..1` for each client and attempt (`SplitMix64`).
fn chance(number: usize, attempt: u32) -> f64 {
    let seed = (number as u64) << 32 | u64::from(attempt);
    let mut mixed = seed.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    exactly((mixed ^ (mixed >> 31)) >> 12) / exactly(1 << 52)
}

/// The number of CPU cores that a server uses.
struct Cores {
    at: Instant,
    seconds: f64,
    peak: f64,
}

impl Cores {
    fn of(server: &Running) -> Result<Self> {
        Ok(Self { at: Instant::now(), seconds: server.cpu_seconds()?, peak: 0.0 })
    }

    /// Samples the CPU time since the last sample.
    fn look(&mut self, server: &Running) -> Result<()> {
        let (now, seconds) = (Instant::now(), server.cpu_seconds()?);
        let passed = (now - self.at).as_secs_f64();
        // CPU time has a resolution of 10 ms, so short intervals are too inaccurate.
        if passed >= LOOK_EVERY.as_secs_f64() / 2.0 {
            self.peak = self.peak.max((seconds - self.seconds) / passed);
            (self.at, self.seconds) = (now, seconds);
        }
        Ok(())
    }
}

/// Returns the CPU seconds of one password hash.
async fn hash_seconds(server: &Running) -> Result<f64> {
    let http = Http::new(server.address)?;
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
    fn delays_are_those_of_the_page() {
        let longest = [0, 1, 2, 3, 4, 5, 6, 7].map(|failures| delay(failures, 1.0).as_millis());
        assert_eq!(longest, [500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000]);
        assert_eq!(delay(3, 0.0).as_millis(), 250);
    }

    #[test]
    fn chances_are_spread_and_repeatable() {
        let chances: Vec<f64> = (0..10_000).map(|number| chance(number, 0)).collect();
        let low = chances.iter().filter(|chance| **chance < 0.5).count();
        assert!((4_800..5_200).contains(&low), "{low} of 10,000 in the lower half");
        assert!(chances.iter().all(|chance| (0.0..1.0).contains(chance)));
        assert_eq!(chances.first(), Some(&chance(0, 0)));
        assert_ne!(chance(0, 0), chance(0, 1));
    }
}
