//! `kill -9` during a stream of messages: each acknowledged message is stored afterwards, exactly
//! once.

use std::collections::HashMap;

use futures::{SinkExt, StreamExt};
use protocol::{ClientFrame, ClientId, Seq, ServerFrame};
use tokio::sync::{Semaphore, watch};
use tokio_tungstenite::tungstenite::Message;

use crate::process::{Process, free_address};
use crate::support::{Socket, pair};

const ROUNDS: usize = 20;
/// Maximum number of unacknowledged messages per sender. On a busy machine, an unbounded sender
/// looks like a client that reads too slowly, and the server closes such a connection.
const UNDER_WAY: usize = 64;

/// Sends messages until the connection breaks, without retries. Returns the acknowledged messages
/// and their seqs.
async fn stream_of_sends(
    socket: Socket,
    conversation: protocol::ConversationId,
    count: watch::Sender<usize>,
) -> HashMap<ClientId, Seq> {
    let mut acknowledged = HashMap::new();
    let (mut write, mut read) = socket.0.split();
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
    let mut process = Process::on(directory.path(), address).await;
    let (alice, bob, conversation) = pair(address).await;
    let mut acknowledged: HashMap<ClientId, Seq> = HashMap::new();
    for round in 0..ROUNDS {
        let (count, mut counted) = watch::channel(0);
        // Both are connected before the first message, so that the kill interrupts no handshake.
        let sockets = [alice.connect_past_hello().await, bob.connect_past_hello().await];
        let streams = sockets
            .map(|socket| tokio::spawn(stream_of_sends(socket, conversation, count.clone())));
        // Drops the test's own sender, so that the wait fails if no stream is left.
        drop(count);
        let enough = 20 + round * 17 % 140;
        counted.wait_for(|count| *count >= enough).await.expect("people write");
        process.kill();
        for stream in streams {
            acknowledged.extend(stream.await.expect("no panic"));
        }
        process = Process::on(directory.path(), address).await;
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
