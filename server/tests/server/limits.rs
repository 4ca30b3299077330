//! System limits on open files and memory: the server refuses requests in time and keeps running.

use std::net::IpAddr;
use std::os::unix::process::ExitStatusExt;
use std::process::Stdio;
use std::time::{Duration, Instant};

use reqwest::header::RETRY_AFTER;
use rustix::process::{Resource, Signal};
use tokio::net::{TcpSocket, TcpStream};
use tokio_tungstenite::tungstenite::Error;

use crate::process::Process;
use crate::support::{Browser, PASSWORD, PATIENCE, http, origin, post_form};

/// Lowers only the soft limit; the hard limit stays higher.
const FEW_FILES: &str = "ulimit -Sn 256";
/// Lowers the soft and the hard limit.
const FEW_FILES_FOR_GOOD: &str = "ulimit -n 160";
const MIB: u64 = 1024 * 1024;

/// Polls until the condition holds.
async fn wait_until<F: Future<Output = bool>>(condition: impl Fn() -> F) {
    let begun = Instant::now();
    while !condition().await {
        assert!(begun.elapsed() < PATIENCE, "not in time");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn the_soft_limit_of_open_files_is_raised_to_the_hard_limit() {
    let (process, _log) = Process::with_log(FEW_FILES, &[]).await;
    let limits =
        std::fs::read_to_string(format!("/proc/{}/limits", process.pid().as_raw_nonzero()));
    let limits = limits.expect("it runs");
    let line = limits.lines().find(|line| line.starts_with("Max open files")).expect("a line");
    let mut numbers = line.split_whitespace().skip(3);
    assert_eq!(numbers.next(), numbers.next(), "{line}");
}

/// The system writes core dumps for a server with `ulimit -c unlimited`, unless the server forbids
/// it.
#[tokio::test]
async fn a_server_that_crashes_leaves_no_core_dump() {
    let mut process = Process::start("ulimit -c unlimited", Stdio::null(), &[]).await;
    let limits =
        std::fs::read_to_string(format!("/proc/{}/limits", process.pid().as_raw_nonzero()));
    let limits = limits.expect("it runs");
    let line = limits.lines().find(|line| line.starts_with("Max core file size")).expect("a line");
    assert_eq!(line.split_whitespace().skip(4).take(2).collect::<Vec<_>>(), ["0", "0"], "{line}");
    process.signal(Signal::ABORT);
    let status = process.wait_for_exit().await;
    assert!(status.signal().is_some() && !status.core_dumped(), "{status}");
}

#[tokio::test]
async fn pages_answer_when_sockets_have_used_their_share_of_files() {
    let variables = [("DUET_MAX_CONNECTIONS_PER_USER", "1000")];
    let (process, log) = Process::with_log(FEW_FILES_FOR_GOOD, &variables).await;
    let warned = log.wait_for("the limit of 160 open files allows").await;
    assert!(warned.contains("DUET_MAX_CONNECTIONS"), "{warned}");
    let alice = Browser::sign_up(process.address, "alice").await;
    let mut sockets = Vec::new();
    let refused = loop {
        assert!(sockets.len() < 160, "more than there are files");
        match alice.try_connect(&origin(process.address)).await {
            Ok(socket) => sockets.push(socket),
            Err(error) => break error,
        }
    };
    assert!(sockets.len() > 30, "only {}", sockets.len());
    let Error::Http(answer) = refused else { panic!("{refused}") };
    assert_eq!(answer.status().as_u16(), 503);
    assert!(answer.headers().contains_key("retry-after"));
    for path in ["/readyz", "/", "/pkg/duet.css"] {
        assert_eq!(alice.get_page(path).await.status(), 200, "{path}");
    }
    // Existing connections continue, and a closed connection makes room for another one.
    for socket in &mut sockets {
        socket.receive().await;
    }
    drop(sockets);
    wait_until(|| async { alice.try_connect(&origin(process.address)).await.is_ok() }).await;
}

#[tokio::test]
async fn idle_connections_beyond_the_limit_are_refused_and_the_server_continues() {
    let (process, log) = Process::with_log(FEW_FILES_FOR_GOOD, &[]).await;
    let mut idle = Vec::new();
    for client in 1..=4 {
        idle.extend(open_idle(&process, client, 75).await);
    }
    log.wait_for("the connection limit, which follows from the limit of open files, is reached")
        .await;
    drop(idle);
    wait_until(|| async {
        let asked = http().get(process.url("/readyz")).send().await;
        asked.is_ok_and(|answer| answer.status() == 200)
    })
    .await;
}

/// Opens connections from the loopback address 127.0.0.`client` that send nothing.
async fn open_idle(process: &Process, client: u8, count: usize) -> Vec<TcpStream> {
    let mut idle = Vec::new();
    for _ in 0..count {
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.bind(([127, 0, 0, client], 0).into()).expect("an address of this machine");
        idle.push(socket.connect(process.address).await.expect("taken in line"));
    }
    idle
}

#[tokio::test]
async fn one_address_with_all_the_connections_it_can_open_does_not_stop_other_addresses() {
    let (process, log) = Process::with_log(FEW_FILES_FOR_GOOD, &[]).await;
    let idle = open_idle(&process, 1, 300).await;
    let line = log.wait_for("one address has").await;
    assert!(line.contains("127.0.0.1") && line.contains("DUET_TRUSTED_PROXIES"), "{line}");
    let other = reqwest::Client::builder().local_address(IpAddr::from([127, 0, 0, 2])).build();
    let other = other.expect("a client");
    for path in ["/readyz", "/", "/pkg/duet.css"] {
        let answer = other.get(process.url(path)).send().await.expect("an answer");
        assert!(answer.status().is_success(), "{path}: {}", answer.status());
    }
    drop(idle);
    wait_until(|| async {
        let asked = http().get(process.url("/readyz")).send().await;
        asked.is_ok_and(|answer| answer.status() == 200)
    })
    .await;
}

#[tokio::test]
async fn without_memory_for_a_password_hash_the_answer_is_busy() {
    let (process, log) = Process::with_log("", &[]).await;
    Browser::sign_up(process.address, "alice").await;
    let less_than_a_hash = process.kibibytes("VmData") * 1024 + 30 * MIB;
    let before = process.limit(Resource::Data, Some(less_than_a_hash));
    let form = format!("username=alice&password={PASSWORD}");
    for _ in 0..8 {
        let busy = post_form(process.address, "/api/sign_in", &form).await;
        assert_eq!(busy.status(), 503);
        assert!(busy.headers().contains_key(RETRY_AFTER));
    }
    process.limit(Resource::Data, before.current);
    Browser::sign_in(process.address, "alice").await;
    assert!(!log.text().contains("panic"), "{}", log.text());
}
