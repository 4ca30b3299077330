//! Orderly shutdown.

use protocol::{CloseCode, Seq, ServerFrame};

use crate::support::TestServer;

#[tokio::test]
async fn a_shutdown_asks_clients_to_reconnect_and_loses_no_acknowledged_message() {
    let server = TestServer::start().await;
    let (alice, _bob, conversation) = server.pair().await;
    let mut socket = alice.connect_past_hello().await;
    for n in 0..50 {
        socket.send_message(conversation, &n.to_string()).await;
    }
    let mut acknowledged = 0;
    while acknowledged < 10 {
        if matches!(socket.receive().await, ServerFrame::Sent(_)) {
            acknowledged += 1;
        }
    }
    let stopping = tokio::spawn(server.stop());
    let code = loop {
        match socket.next().await {
            Ok(text) if text.contains("\"sent\"") => acknowledged += 1,
            Ok(_) => {}
            Err(code) => break code,
        }
    };
    assert_eq!(code, Some(CloseCode::Restart.code()));
    let directory = stopping.await.expect("it stops");
    let config = chat::Config::new(directory.path().join("data/duet.db"));
    let chat = chat::Chat::begin(config).await.expect("a chat");
    let page =
        chat.history(alice.id, conversation, protocol::Cursor::Latest).await.expect("a page");
    assert!(page.last_seq >= Seq(acknowledged), "{} of {acknowledged}", page.last_seq);
    chat.close().await;
}
