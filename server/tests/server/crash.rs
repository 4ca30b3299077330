//! `kill -9` during a stream of messages: each acknowledged message is stored afterwards, exactly
//! once.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use futures::{SinkExt, StreamExt};
use protocol::{ClientFrame, ClientId, Seq, ServerFrame};
use tokio::sync::{Semaphore, watch};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;

use crate::process::free_address;
use crate::support::{Browser, PATIENCE, PLENTY, http, site};

const ROUNDS: usize = 20;
/// Maximum number of unacknowledged messages per sender. On a busy machine, an unbounded sender
/// looks like a client that reads too slowly, and the server closes such a connection.
const UNDER_WAY: usize = 64;

/// A server process. Dropping it kills the process, also when the test fails.
pub struct Process(pub Child);

impl Drop for Process {
    fn drop(&mut self) {
        // SIGKILL: no destructor, no flush. `kill` fails if the process has already exited.
        let _ = self.0.kill();
        self.0.wait().expect("it ends");
    }
}

impl Process {
    pub fn start(directory: &std::path::Path, address: SocketAddr) -> Self {
        Self::start_in(directory, address, None, &[])
    }

    /// Starts the server with another umask and with variables. Its output goes to the file `log`.
    pub fn start_in(
        directory: &std::path::Path,
        address: SocketAddr,
        umask: Option<&str>,
        variables: &[(&str, &str)],
    ) -> Self {
        let duet = env!("CARGO_BIN_EXE_duet");
        let mut command = match umask {
            None => Command::new(duet),
            Some(umask) => {
                let mut shell = Command::new("sh");
                shell.args(["-c", &format!("umask {umask}; exec \"$0\" \"$@\""), duet]);
                shell
            }
        };
        let log = directory.join("log");
        let log = std::fs::File::options().create(true).append(true).open(log).expect("a log");
        let child = command
            .args(PLENTY)
            .envs(variables.iter().copied())
            .arg("--listen")
            .arg(address.to_string())
            .arg("--data")
            .arg(directory.join("data"))
            .arg("--site")
            .arg(site(directory))
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("the binary starts");
        Self(child)
    }

    pub fn id(&self) -> u32 {
        self.0.id()
    }

    pub fn kill(mut self) {
        assert!(self.0.try_wait().expect("asked").is_none(), "it ended by itself");
    }
}

pub async fn ready(address: SocketAddr) {
    answers(address, "/readyz").await;
}

/// Waits until the path responds with 200.
pub async fn answers(address: SocketAddr, path: &str) {
    let client = http();
    let answered = async {
        loop {
            let asked = client.get(format!("http://{address}{path}")).send().await;
            if asked.is_ok_and(|response| response.status() == 200) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
    };
    assert!(timeout(PATIENCE, answered).await.is_ok(), "{path} was not answered in time");
}

/// Sends messages until the connection breaks, without retries. Returns the acknowledged messages
/// and their seqs.
async fn stream_of_sends(
    browser: Browser,
    conversation: protocol::ConversationId,
    count: watch::Sender<usize>,
) -> HashMap<ClientId, Seq> {
    let mut acknowledged = HashMap::new();
    let (mut write, mut read) = browser.connect_past_hello().await.0.split();
    let under_way = Semaphore::new(UNDER_WAY);
    let writing = async {
        loop {
            under_way.acquire().await.expect("it is never closed").forget();
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
                under_way.add_permits(1);
                count.send_modify(|count| *count += 1);
            }
        }
    };
    // The reader ends when the connection breaks. Until then the writer may be blocked on a full
    // socket buffer.
    tokio::select! {
        () = reading => {}
        () = async { writing.await; std::future::pending().await } => {}
    }
    acknowledged
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn acknowledged_messages_survive_a_kill_once() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let address = free_address();
    let mut process = Process::start(directory.path(), address);
    ready(address).await;
    let alice = Browser::sign_up(address, "alice").await;
    let bob = Browser::sign_up(address, "bob").await;
    let conversation = alice.open_conversation(bob.id).await;
    let mut acknowledged: HashMap<ClientId, Seq> = HashMap::new();
    for round in 0..ROUNDS {
        let (count, mut counted) = watch::channel(0);
        let streams = [alice.clone(), bob.clone()]
            .map(|browser| tokio::spawn(stream_of_sends(browser, conversation, count.clone())));
        // Drops the test's own sender, so that the wait fails if no stream is left.
        drop(count);
        let enough = 20 + round * 17 % 140;
        counted.wait_for(|count| *count >= enough).await.expect("people write");
        process.kill();
        for stream in streams {
            acknowledged.extend(stream.await.expect("no panic"));
        }
        process = Process::start(directory.path(), address);
        ready(address).await;
    }
    let stored = bob.read_history(conversation).await;
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
