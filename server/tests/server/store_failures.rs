//! A store that fails, is slow, or receives too many requests: responses, log and recovery.

use std::fs;
use std::time::{Duration, Instant};

use futures::future::join_all;
use harness::compile_shim;
use rusqlite::Connection;
use serde_json::json;

use crate::process::{Process, duet, free_address};
use crate::support::{TestServer, copy, http};

#[tokio::test]
async fn a_damaged_file_is_logged_once_per_interval_and_reported_by_readyz() {
    let server = TestServer::start().await;
    let (alice, _bob, conversation) = server.pair().await;
    let mut socket = alice.connect_past_hello().await;
    socket.send_many(conversation, &"x".repeat(3_000), 200).await;
    let directory = server.stop().await;
    let file = directory.path().join("data/duet.db");
    let mut bytes = fs::read(&file).expect("a file");
    // The file begins with accounts and sessions; messages fill the rest.
    let from = bytes.len() / 4 / 4_096 * 4_096;
    bytes[from..].fill(0xaa);
    fs::write(&file, bytes).expect("damaged");

    let address = free_address();
    let mut process = Process::begin_on(directory.path(), address, "", &[]);
    // Waits for liveness and not for readiness, because the store's own check may find the damage
    // first.
    process.wait_until_ok("/healthz").await;
    let alice = alice.at(address);
    let asked = json!({"id": conversation, "cursor": "latest"});
    for _ in 0..20 {
        assert_eq!(alice.call("load_history", asked.clone()).await.status(), 503);
    }
    let answer = alice.get_page("/readyz").await;
    assert_eq!(answer.status(), 503);
    assert!(answer.text().await.expect("a text").contains("damaged"));
    process.kill();
    let log = fs::read_to_string(directory.path().join("log")).expect("a log");
    let said = log.lines().filter(|line| line.contains("malformed")).count();
    assert!((1..=3).contains(&said), "{said} lines of:\n{log}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_readiness_requests_check_the_store_once_a_second() {
    let server = TestServer::start().await;
    server.browser("alice").await;
    let checks = || {
        let file = server.directory.path().join("data/duet.db");
        let checked =
            "select cast(coalesce(max(value), '0') as integer) from meta where key = 'checked'";
        let database = Connection::open(file).expect("open");
        database
            .query_row(checked, [], |row| row.get::<_, i64>(0))
            .expect("a number")
            .unsigned_abs()
    };
    let (before, begun) = (checks(), Instant::now());
    let client = http();
    for _ in 0..10 {
        let asked = (0..30).map(|_| client.get(server.url("/readyz")).send());
        for answer in join_all(asked).await {
            assert_eq!(answer.expect("an answer").status(), 200);
        }
    }
    let (made, seconds) = (checks() - before, begun.elapsed().as_secs());
    assert!((1..=seconds + 2).contains(&made), "{made} checks in {seconds} s");
    server.stop().await;
}

/// Uses real time, because recovery may take longer than a request.
#[tokio::test]
async fn a_recovery_has_no_time_limit_and_is_logged() {
    let server = TestServer::start().await;
    let (alice, _bob, conversation) = server.pair().await;
    let mut socket = alice.connect_past_hello().await;
    let log = server.directory.path().join("data/duet.db-wal");
    let mut sent = 0;
    // Stays below the size at which a checkpoint moves the log into the database and restarts the
    // log.
    while fs::metadata(&log).expect("a log").len() <= 12 * 1024 * 1024 {
        socket.send_many(conversation, &"x".repeat(3_900), 50).await;
        sent += 50;
    }
    // No write is in progress, so these files are what a crash would leave.
    let crashed = tempfile::tempdir().expect("a directory");
    let data = crashed.path().join("data");
    copy(&server.directory.path().join("data"), &data);
    server.stop().await;

    let shim =
        compile_shim(crashed.path(), "slow_log", include_str!("slow_log.c")).expect("a shim");
    let address = free_address();
    let preload = [("LD_PRELOAD", shim.to_str().expect("a path"))];
    let begun = Instant::now();
    let mut process = Process::begin_on(crashed.path(), address, "", &preload);
    process.wait_until_ready().await;
    assert!(begun.elapsed() > Duration::from_secs(5), "the disk was not slow");
    let alice = alice.at(address);
    assert_eq!(alice.read_history(conversation).await.len(), sent);
    process.kill();
    let log = fs::read_to_string(crashed.path().join("log")).expect("a log");
    assert!(log.contains("recovering"), "{log}");
}

#[test]
fn a_failed_start_prints_its_cause_once() {
    let directory = tempfile::tempdir().expect("a directory");
    let (data, site) = (directory.path().join("data"), crate::support::site(directory.path()));
    fs::create_dir(&data).expect("made");
    fs::write(data.join("duet.db"), "no database, and long enough to be looked at".repeat(100))
        .expect("made");
    let mut command = duet(&["--listen", "127.0.0.1:0", "--data"]);
    let output = command.arg(&data).arg("--site").arg(site).output().expect("it ran");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(said.matches("file is not a database").count(), 1, "{said}");
    assert!(said.contains(&data.display().to_string()), "{said}");
}
