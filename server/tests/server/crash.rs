//! `kill -9` during a stream of sends: what was acknowledged is there afterwards, once.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use futures::{SinkExt, StreamExt};
use protocol::{ClientFrame, ClientId, Seq, ServerFrame};
use tokio_tungstenite::tungstenite::Message;

use crate::support::{Browser, PLENTY, http, site};

const ROUNDS: u64 = 20;

struct Process(Child);

impl Process {
    fn start(directory: &std::path::Path, address: SocketAddr) -> Self {
        let child = Command::new(env!("CARGO_BIN_EXE_duet"))
            .args(PLENTY)
            .arg("--listen")
            .arg(address.to_string())
            .arg("--data")
            .arg(directory.join("data"))
            .arg("--site")
            .arg(site(directory))
            .stderr(Stdio::null())
            .spawn()
            .expect("the binary starts");
        Self(child)
    }

    fn kill(mut self) {
        // SIGKILL: no destructor, no flush.
        self.0.kill().expect("it runs");
        self.0.wait().expect("it ends");
    }
}

async fn ready(address: SocketAddr) {
    let client = http();
    for _ in 0..400 {
        let asked = client.get(format!("http://{address}/readyz")).send().await;
        if asked.is_ok_and(|response| response.status() == 200) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    panic!("the server is not ready");
}

fn free_address() -> SocketAddr {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("an address")
}

/// Sends until the line is cut, repeating nothing. Returns what was acknowledged, and with what.
async fn stream_of_sends(
    browser: Browser,
    conversation: protocol::ConversationId,
) -> HashMap<ClientId, Seq> {
    let mut acknowledged = HashMap::new();
    let (mut write, mut read) = browser.joins().await.0.split();
    let writing = async {
        loop {
            let client_id = ClientId::new();
            let body = format!("message {client_id}");
            let frame = ClientFrame::Send { conversation, client_id, body };
            let text = serde_json::to_string(&frame).expect("a frame");
            if write.send(Message::text(text)).await.is_err() {
                return;
            }
            tokio::task::yield_now().await;
        }
    };
    let reading = async {
        while let Some(Ok(Message::Text(text))) = read.next().await {
            if let Ok(ServerFrame::Sent(sent)) = serde_json::from_str(&text) {
                acknowledged.insert(sent.client_id, sent.seq);
            }
        }
    };
    // The reader ends when the line is cut; the writer may be stuck in a full line until then.
    tokio::select! {
        () = reading => {}
        () = async { writing.await; std::future::pending().await } => {}
    }
    acknowledged
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_acknowledged_survives_a_kill_once() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let address = free_address();
    let mut process = Process::start(directory.path(), address);
    ready(address).await;
    let alice = Browser::sign_up(address, "alice").await;
    let bob = Browser::sign_up(address, "bob").await;
    let conversation = alice.opens(bob.id).await;
    let mut acknowledged: HashMap<ClientId, Seq> = HashMap::new();
    for round in 0..ROUNDS {
        let streams = [alice.clone(), bob.clone()]
            .map(|browser| tokio::spawn(stream_of_sends(browser, conversation)));
        tokio::time::sleep(Duration::from_millis(60 + round * 17 % 140)).await;
        process.kill();
        for stream in streams {
            acknowledged.extend(stream.await.expect("no panic"));
        }
        process = Process::start(directory.path(), address);
        ready(address).await;
    }
    let stored = bob.reads(conversation).await;
    assert!(stored.iter().zip(1..).all(|(message, n)| message.seq == Seq(n)), "a hole");
    let places: HashMap<ClientId, Seq> =
        stored.iter().map(|message| (message.client_id, message.seq)).collect();
    assert_eq!(places.len(), stored.len(), "a message is there twice");
    assert!(acknowledged.len() > 200, "only {} were acknowledged", acknowledged.len());
    let lost: Vec<_> =
        acknowledged.iter().filter(|(id, seq)| places.get(id) != Some(seq)).collect();
    assert!(lost.is_empty(), "{} of {} lost or moved", lost.len(), acknowledged.len());
    println!("{ROUNDS} kills, {} acknowledged, {} stored", acknowledged.len(), stored.len());
    process.kill();
}
