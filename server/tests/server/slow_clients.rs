//! Clients that hold a connection without using it: slow heads, bodies and readers. The tests
//! shorten the time limits and wait for the end of the connection.

use std::time::Duration;

use serde_json::{Value, json};
use server::time_limits::TimeLimits;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::support::{PATIENCE, TestServer, http, origin};

const SHORT: Duration = Duration::from_millis(200);

async fn server(time_limits: TimeLimits) -> TestServer {
    let directory = tempfile::tempdir().expect("a directory");
    TestServer::with_time_limits(directory, &[], time_limits).await
}

async fn connect(server: &TestServer) -> TcpStream {
    TcpStream::connect(server.address).await.expect("a connection")
}

/// Writes one byte after the other until the server closes the connection.
async fn trickle(stream: &mut TcpStream) {
    let writing = async {
        while stream.write_all(b"x").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(PATIENCE, writing).await.expect("the server closes the connection");
}

/// Returns everything that the server sends until it closes the connection.
async fn read(stream: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    // The server may reset the connection after the answer, because it has not read everything.
    let _ = timeout(PATIENCE, stream.read_to_end(&mut answer)).await.expect("an answer");
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test]
async fn a_client_that_does_not_read_the_answer_is_disconnected() {
    let server = server(TimeLimits { no_progress: SHORT, ..TimeLimits::default() }).await;
    let size = 64 * 1024 * 1024;
    let file = std::fs::File::create(server.directory.path().join("site/pkg/large.js"));
    file.expect("a file").set_len(size).expect("a sparse file");
    let mut stream = connect(&server).await;
    stream.write_all(b"GET /pkg/large.js HTTP/1.1\r\nHost: x\r\n\r\n").await.expect("written");
    trickle(&mut stream).await;
    let rest = read(&mut stream).await;
    assert!(u64::try_from(rest.len()).expect("a size") < size, "everything was sent");
    assert_eq!(http().get(server.url("/healthz")).send().await.expect("an answer").status(), 200);
    server.stop().await;
}

#[tokio::test]
async fn a_body_that_does_not_arrive_in_time_is_refused_and_changes_nothing() {
    let server = server(TimeLimits { body: SHORT, ..TimeLimits::default() }).await;
    for (path, trickles) in
        [("/api/sign_up", false), ("/api/sign_up", true), ("/sign-up", false), ("/sign-up", true)]
    {
        let mut stream = connect(&server).await;
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: x\r\nOrigin: {}\r\n\
             Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 50000\r\n\r\nusername=",
            origin(server.address)
        );
        stream.write_all(head.as_bytes()).await.expect("written");
        // A client that stops writing reads the answer; a client that goes on sees the end.
        if trickles {
            trickle(&mut stream).await;
            continue;
        }
        let answer = read(&mut stream).await;
        assert!(answer.starts_with("HTTP/1.1 408"), "{path}: {answer}");
        assert!(answer.contains("\r\nconnection: close\r\n"), "{path}: {answer}");
        assert!(answer.contains("content-security-policy"), "{path}: {answer}");
        let body = answer.split("\r\n\r\n").nth(1).expect("a body");
        if path.starts_with("/api/") {
            let body: Value = serde_json::from_str(body).expect("JSON");
            assert_eq!(body, json!({"refused": {"code": "timed_out"}}));
        } else {
            assert!(body.contains("Nothing was changed"), "{body}");
        }
    }
    server.stop().await;
}

#[tokio::test]
async fn work_that_takes_too_long_is_answered_with_an_unknown_outcome() {
    let server = server(TimeLimits { answer: Duration::ZERO, ..TimeLimits::default() }).await;
    for (path, part) in
        [("/api/sign_up", "{\"refused\":{\"code\":\"timed_out\"}}"), ("/sign-up", "try again")]
    {
        let form = "username=anna&password=tulip-Harbor-92";
        let answer = crate::support::post_form(server.address, path, form).await;
        assert_eq!(answer.status(), 408, "{path}");
        let body = answer.text().await.expect("a body");
        assert!(body.contains(part), "{path}: {body}");
    }
    server.stop().await;
}

#[tokio::test]
async fn an_idle_connection_and_a_trickled_head_are_closed() {
    let server = server(TimeLimits { head: SHORT, ..TimeLimits::default() }).await;
    let mut idle = connect(&server).await;
    assert_eq!(read(&mut idle).await, "", "no request at all");
    let mut kept = connect(&server).await;
    kept.write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").await.expect("written");
    let answer = read(&mut kept).await;
    assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("ok"), "{answer}");
    let mut trickled = connect(&server).await;
    trickled.write_all(b"GET / HTTP/1.1\r\nHost: x\r\nX-Slow: ").await.expect("written");
    trickle(&mut trickled).await;
    assert!(!read(&mut trickled).await.contains("200 OK"));
    server.stop().await;
}

#[tokio::test]
async fn a_broken_body_is_refused_before_its_route() {
    let server = TestServer::start().await;
    for (method, framing, body, status) in [
        ("POST", "Transfer-Encoding: chunked", "5\r\nusern\r\nnonsense\r\n", "400"),
        ("GET", "Content-Length: 3", "a=b", "400"),
        ("HEAD", "Transfer-Encoding: chunked", "3\r\na=b\r\n0\r\n\r\n", "400"),
        ("GET", "Content-Length: 0", "", "200"),
    ] {
        let mut stream = connect(&server).await;
        let path = if method == "POST" { "/sign-up" } else { "/healthz" };
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: x\r\nOrigin: {}\r\nConnection: close\r\n\
             Content-Type: application/x-www-form-urlencoded\r\n{framing}\r\n\r\n{body}",
            origin(server.address)
        );
        stream.write_all(request.as_bytes()).await.expect("written");
        let answer = read(&mut stream).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{method} {framing}: {answer}");
    }
    server.stop().await;
}
