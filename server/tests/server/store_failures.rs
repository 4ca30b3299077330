//! A store that fails, is slow, or receives too many requests: responses, log and recovery.

use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};

use futures::future::join_all;
use harness::compile_shim;
use protocol::ServerFrame;
use rusqlite::Connection;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::crash::{Process, answers, ready};
use crate::process::free_address;
use crate::store_files::copy;
use crate::support::{TestServer, http, origin};

#[tokio::test]
async fn a_damaged_file_is_logged_once_per_interval_and_reported_by_readyz() {
    let server = TestServer::start().await;
    let (alice, _bob, conversation) = server.pair().await;
    let mut socket = alice.connect_past_hello().await;
    for _ in 0..200 {
        socket.send_message(conversation, &"x".repeat(3_000)).await;
    }
    for _ in 0..200 {
        assert!(matches!(socket.receive_without_presence().await, ServerFrame::Sent(_)));
    }
    let directory = server.stop().await;
    let file = directory.path().join("data/duet.db");
    let mut bytes = fs::read(&file).expect("a file");
    // The file begins with accounts and sessions; messages fill the rest.
    let from = bytes.len() / 4 / 4_096 * 4_096;
    bytes[from..].fill(0xaa);
    fs::write(&file, bytes).expect("damaged");

    let address = free_address();
    let process = Process::start(directory.path(), address);
    // Waits for liveness and not for readiness, because the store's own check may find the damage
    // first.
    answers(address, "/healthz").await;
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

/// Uses real time, because the limit is a real time limit.
#[tokio::test]
async fn a_timed_out_request_gets_an_answer_with_unknown_outcome() {
    let server = TestServer::start().await;
    let (address, origin) = (server.address, origin(server.address));
    let ask = async |path: &str| {
        let mut stream = TcpStream::connect(address).await.expect("a connection");
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: {address}\r\nOrigin: {origin}\r\nConnection: close\r\n\
             Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 100\r\n\r\nusername="
        );
        stream.write_all(head.as_bytes()).await.expect("written");
        let mut answer = Vec::new();
        let read = tokio::time::timeout(Duration::from_secs(60), stream.read_to_end(&mut answer));
        // The server may reset the connection after the response, because half of the request is
        // missing.
        let _ = read.await.expect("an answer");
        String::from_utf8(answer).expect("a text")
    };
    let (call, page) = tokio::join!(ask("/api/sign_up"), ask("/sign-up"));
    assert!(call.starts_with("HTTP/1.1 408") && call.contains("application/json"), "{call}");
    let body = call.split("\r\n\r\n").nth(1).expect("a body");
    let body: Value = serde_json::from_str(body).expect("JSON");
    assert_eq!(body, json!({"refused": {"code": "timed_out"}}));
    assert!(page.starts_with("HTTP/1.1 408") && page.contains("try again"), "{page}");
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
        for _ in 0..50 {
            socket.send_message(conversation, &"x".repeat(3_900)).await;
        }
        for _ in 0..50 {
            assert!(matches!(socket.receive_without_presence().await, ServerFrame::Sent(_)));
        }
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
    let (begun, process) =
        (Instant::now(), Process::start_in(crashed.path(), address, None, &preload));
    ready(address).await;
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
    let mut duet = Command::new(env!("CARGO_BIN_EXE_duet"));
    duet.args(["--listen", "127.0.0.1:0", "--data"]).arg(&data).arg("--site").arg(site);
    let output = duet.output().expect("it ran");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(said.matches("file is not a database").count(), 1, "{said}");
    assert!(said.contains(&data.display().to_string()), "{said}");
}
