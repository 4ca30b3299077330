//! Tests of the private servers around the nodes, with the real programs.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use futures::{SinkExt, StreamExt};
use harness::{Haproxy, Nats, Postgres};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{sleep, timeout};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{accept_async, client_async};

/// Time limit of every wait.
const SOON: Duration = Duration::from_secs(300);

/// A stand-in for a node behind the load balancer. Reports whether it is ready, and answers other
/// requests with its name and the head of the request.
struct Backend {
    address: SocketAddr,
    ready: Arc<AtomicBool>,
}

impl Backend {
    async fn start(name: &'static str) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let (address, ready) = (listener.local_addr()?, Arc::new(AtomicBool::new(true)));
        let reports_ready = ready.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(answer(stream, name, reports_ready.clone()));
            }
        });
        Ok(Self { address, ready })
    }
}

async fn answer(stream: TcpStream, name: &str, ready: Arc<AtomicBool>) -> Result<()> {
    let mut begin = [0; 7];
    stream.peek(&mut begin).await?;
    if &begin == b"GET /ws" {
        let mut socket = accept_async(stream).await?;
        while let Some(received) = socket.next().await {
            socket.send(received?).await?;
        }
        return Ok(());
    }
    let mut stream = BufReader::new(stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        ensure!(stream.read_line(&mut head).await? > 0, "the connection was lost");
    }
    let head = head.to_ascii_lowercase();
    let is_ready = ready.load(Ordering::Relaxed);
    let status = if head.starts_with("get /readyz") && !is_ready { "503 No" } else { "200 OK" };
    let body = format!("{name}\n{head}");
    let answer = format!(
        "HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    Ok(stream.write_all(answer.as_bytes()).await?)
}

async fn request(address: SocketAddr) -> Result<String> {
    let client = reqwest::Client::builder().no_proxy().build()?;
    let request =
        client.get(format!("http://{address}/")).header("origin", format!("http://{address}"));
    Ok(timeout(SOON, request.send()).await??.error_for_status()?.text().await?)
}

/// Requests the common address until the answers satisfy `wanted`.
async fn request_until(
    address: SocketAddr,
    wanted: impl Fn(&[String]) -> bool,
) -> Result<Vec<String>> {
    let began = Instant::now();
    loop {
        let mut answers = Vec::new();
        for _ in 0..8 {
            answers.extend(request(address).await);
        }
        if wanted(&answers) {
            return Ok(answers);
        }
        ensure!(began.elapsed() < SOON, "{answers:?}");
        sleep(Duration::from_millis(50)).await;
    }
}

fn all_from(names: &'static [&str]) -> impl Fn(&[String]) -> bool {
    move |answers| {
        let from = |answer: &String| names.iter().any(|name| answer.starts_with(name));
        let is_present = |name: &&str| answers.iter().any(|answer| answer.starts_with(*name));
        answers.len() == 8 && answers.iter().all(from) && names.iter().all(is_present)
    }
}

#[tokio::test]
async fn a_shared_address_reaches_ready_nodes_and_each_own_address_one_node() -> Result<()> {
    let backends = [Backend::start("one").await?, Backend::start("two").await?];
    let haproxy = Haproxy::start(None, &backends.each_ref().map(|backend| backend.address))?;
    let origin = format!("\norigin: http://{}\r", haproxy.address);
    let answers = request_until(haproxy.address, all_from(&["one\n", "two\n"])).await?;
    assert!(answers.iter().all(|answer| answer.contains(&origin)), "{answers:?}");
    for (name, address) in ["one\n", "two\n"].into_iter().zip(&haproxy.each) {
        let answer = request(*address).await?;
        assert!(answer.starts_with(name), "{answer}");
        assert!(answer.contains(&origin), "the node would refuse the request: {answer}");
        assert!(answer.contains("\nx-forwarded-for: 127.0.0.1\r"), "{answer}");
    }
    backends[0].ready.store(false, Ordering::Relaxed);
    request_until(haproxy.address, all_from(&["two\n"])).await?;
    backends[0].ready.store(true, Ordering::Relaxed);
    request_until(haproxy.address, all_from(&["one\n", "two\n"])).await?;
    Ok(())
}

#[tokio::test]
async fn a_websocket_passes_the_load_balancer() -> Result<()> {
    let backend = Backend::start("one").await?;
    let haproxy = Haproxy::start(None, &[backend.address])?;
    let stream = TcpStream::connect(haproxy.address).await?;
    let (mut socket, _) = client_async(format!("ws://{}/ws", haproxy.address), stream).await?;
    socket.send(Message::text("hello")).await?;
    let echo = timeout(SOON, socket.next()).await?.context("the connection was lost")??;
    assert_eq!(echo, Message::text("hello"));
    Ok(())
}

/// Connects to NATS with a token. Returns the reply to the login.
async fn connect(port: u16, token: &str) -> Result<String> {
    let mut stream = BufReader::new(TcpStream::connect(("127.0.0.1", port)).await?);
    let mut received = String::new();
    timeout(SOON, stream.read_line(&mut received)).await??;
    let connect = format!("CONNECT {{\"verbose\":false,\"auth_token\":\"{token}\"}}\r\nPING\r\n");
    stream.write_all(connect.as_bytes()).await?;
    received.clear();
    timeout(SOON, stream.read_line(&mut received)).await??;
    Ok(received.trim().to_owned())
}

#[tokio::test]
async fn a_broker_restarts_on_its_port_and_accepts_only_its_token() -> Result<()> {
    let mut nats = Nats::start()?;
    let (url, port) = (nats.url(), nats.port());
    let token = url.trim_start_matches("nats://").split('@').next().unwrap_or_default();
    assert_eq!(connect(port, token).await?, "PONG");
    assert!(connect(port, "a guess").await?.starts_with("-ERR"));
    nats.crash()?;
    assert!(connect(port, token).await.is_err());
    nats.start_again()?;
    assert_eq!((nats.url(), nats.port()), (url.clone(), port));
    assert_eq!(connect(port, token).await?, "PONG");
    Ok(())
}

#[test]
fn a_database_in_a_named_directory_outlives_the_server() -> Result<()> {
    // The user that Postgres runs as must be able to enter the directory.
    let parent = tempfile::Builder::new().prefix("duet-kept-").tempdir()?;
    std::fs::set_permissions(parent.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755))?;
    let kept = parent.path().join("tables");
    {
        let postgres = Postgres::start_in(&kept)?;
        assert!(!postgres.has_database("chat")?);
        postgres.create_database("chat", None)?;
        postgres.sql(
            "chat",
            "create table messages (text text); insert into messages values ('hello')",
        )?;
    }
    let postgres = Postgres::start_in(&kept)?;
    assert!(postgres.has_database("chat")?);
    assert_eq!(postgres.sql("chat", "select text from messages")?, "hello");
    assert!(Postgres::start_in(&kept).is_err(), "two servers on the same data");
    assert_eq!(postgres.sql("chat", "select text from messages")?, "hello");
    Ok(())
}
