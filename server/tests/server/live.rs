//! The live connection over a real WebSocket.

use std::time::{Duration, Instant};

use futures::{SinkExt, StreamExt};
use protocol::limits::{MAX_BODY_CHARS, MAX_FRAME_BYTES};
use protocol::{ClientFrame, ClientId, CloseCode, ErrorCode, Seq, ServerFrame};
use tokio_tungstenite::tungstenite::Message;

use crate::support::TestServer;

#[tokio::test]
async fn two_users_exchange_messages_and_the_marks_advance() {
    let server = TestServer::start().await;
    let (alice, bob, conversation) = server.pair().await;
    let (mut at_alice, mut at_bob) =
        (alice.connect_past_hello().await, bob.connect_past_hello().await);
    let client_id = at_alice.send_message(conversation, "hello, Bob").await;
    let ServerFrame::Sent(sent) = at_alice.receive_without_presence().await else {
        panic!("not sent")
    };
    assert_eq!((sent.client_id, sent.seq), (client_id, Seq(1)));
    let ServerFrame::Message(message) = at_bob.receive_without_presence().await else {
        panic!("no message")
    };
    assert_eq!((message.body.as_str(), message.sender), ("hello, Bob", alice.id));
    at_bob.send(&ClientFrame::Delivered { conversation, up_to: Seq(1) }).await;
    at_bob.send(&ClientFrame::Read { conversation, up_to: Seq(1) }).await;
    let mut marks = Vec::new();
    while marks.last() != Some(&(1, 1)) {
        if let ServerFrame::Receipt { user, delivered, read, .. } = at_alice.receive().await {
            assert_eq!(user, bob.id);
            marks.push((delivered.0, read.0));
        }
    }
    assert!(marks == [(1, 0), (1, 1)] || marks == [(1, 1)], "{marks:?}");
    at_bob.send_message(conversation, "hello, Alice").await;
    let ServerFrame::Message(message) = at_alice.receive_without_presence().await else {
        panic!("no message")
    };
    assert_eq!((message.body.as_str(), message.seq), ("hello, Alice", Seq(2)));
    assert_eq!(alice.read_history(conversation).await, bob.read_history(conversation).await);
    server.stop().await;
}

#[tokio::test]
async fn signing_out_closes_only_the_sockets_of_its_session() {
    let server = TestServer::start().await;
    let alice = server.browser("alice").await;
    let elsewhere = crate::support::Browser::sign_in(server.address, "alice").await;
    let (mut here, mut there) =
        (alice.connect_past_hello().await, elsewhere.connect_past_hello().await);
    // Scales the limit with the current speed of the machine. The limit is far below the interval
    // of the periodic search for ended sessions.
    let yardstick = Instant::now();
    assert!(alice.get_page("/").await.status().is_success());
    let limit = Duration::from_secs(2) + yardstick.elapsed() * 20;
    let begun = Instant::now();
    assert!(alice.post_call("sign_out", "").await.status().as_u16() < 400);
    assert_eq!(here.close_code().await, Some(CloseCode::SessionEnded.code()));
    assert!(begun.elapsed() < limit, "{:?} of {limit:?}", begun.elapsed());
    there.send(&ClientFrame::Ping).await;
    assert_eq!(there.receive().await, ServerFrame::Pong);
    assert!(alice.try_connect(&crate::support::origin(server.address)).await.is_err());
    server.stop().await;
}

#[tokio::test]
async fn too_large_and_binary_frames_close_the_connection_with_their_code() {
    let server = TestServer::start().await;
    let alice = server.browser("alice").await;
    let mut socket = alice.connect_past_hello().await;
    let fits = "x".repeat(MAX_FRAME_BYTES);
    socket.0.send(Message::text(fits)).await.expect("sent");
    let ServerFrame::Refused { refusal, .. } = socket.receive().await else { panic!("accepted") };
    assert_eq!(refusal.code, ErrorCode::Malformed);
    socket.0.send(Message::text("x".repeat(MAX_FRAME_BYTES + 1))).await.expect("sent");
    assert_eq!(socket.close_code().await, Some(CloseCode::TooLarge.code()));
    let mut socket = alice.connect_past_hello().await;
    socket.0.send(Message::binary(vec![1, 2, 3])).await.expect("sent");
    assert_eq!(socket.close_code().await, Some(CloseCode::Binary.code()));
    server.stop().await;
}

/// JSON allows every character of a string as a `\u` escape, and some libraries write all of them
/// so.
#[tokio::test]
async fn the_longest_text_is_accepted_in_every_encoding_on_every_path() {
    let server = TestServer::start().await;
    let (alice, bob, conversation) = server.pair().await;
    let mut socket = alice.connect_past_hello().await;
    let mut expected = Vec::new();
    for character in ["😀", "\u{10FFFF}", "\r\n", "字", "\""] {
        let body = format!("a{}z", character.repeat(MAX_BODY_CHARS - 2));
        let escaped: String = body.encode_utf16().map(|unit| format!("\\u{unit:04x}")).collect();
        let percent: String = body.bytes().map(|byte| format!("%{byte:02X}")).collect();
        let client_id = ClientId::new();
        let frame = format!(
            "{{\n  \"\\u0074ype\": \"send\",\n  \"conversation\": \"{conversation}\",\n  \
             \"client_id\": \"{client_id}\",\n  \"body\": \"{escaped}\"\n}}"
        );
        socket.0.send(Message::text(frame)).await.expect("sent");
        assert!(
            matches!(socket.receive_without_presence().await, ServerFrame::Sent(_)),
            "{character:?}"
        );
        let form =
            format!("conversation={conversation}&client_id={}&body={percent}", ClientId::new());
        let called = alice.post_call("send_message", &form).await;
        assert_eq!(called.status(), 200, "{character:?}");
        let form = format!("client_id={}&seen=0&body={percent}", ClientId::new());
        let submitted = alice.submit_form(&format!("/c/{conversation}"), &form).await;
        assert_eq!(submitted.status(), 303, "{character:?}");
        expected.extend(std::iter::repeat_n(body.replace("\r\n", "\n"), 3));
        // Messages sent by call and by form arrive at this connection as well.
        for _ in 0..2 {
            assert!(matches!(socket.receive_without_presence().await, ServerFrame::Message(_)));
        }
    }
    let stored: Vec<_> = bob.read_history(conversation).await.into_iter().map(|m| m.body).collect();
    assert!(stored == expected, "every text is stored as it was written");
    server.stop().await;
}

#[tokio::test]
async fn a_client_that_sends_only_invalid_frames_is_disconnected() {
    let server = TestServer::start().await;
    let alice = server.browser("alice").await;
    let mut socket = alice.connect_past_hello().await;
    for _ in 0..30 {
        // The server may have closed the connection before the last frames.
        let _ = socket.0.send(Message::text("nonsense")).await;
    }
    assert_eq!(socket.close_code().await, Some(CloseCode::Malformed.code()));
    server.stop().await;
}

#[tokio::test]
async fn a_client_that_floods_after_refusals_is_disconnected() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let server = TestServer::with_rate_limits(directory, &["--frames-per-second=1"]).await;
    let alice = server.browser("alice").await;
    let socket = alice.connect_past_hello().await;
    let (mut sending, mut receiving) = socket.0.split();
    let flood = async {
        let ping = serde_json::to_string(&ClientFrame::Ping).expect("a frame");
        while sending.send(Message::text(ping.clone())).await.is_ok() {}
    };
    let closed = async {
        loop {
            match receiving.next().await {
                Some(Ok(Message::Close(frame))) => break frame.map(|frame| frame.code.into()),
                Some(Ok(_)) => {}
                Some(Err(_)) | None => break None,
            }
        }
    };
    // The flood ends when the client has answered the close.
    let (code, ()) = tokio::join!(closed, flood);
    assert_eq!(code, Some(CloseCode::TooManyRefused.code()));
    server.stop().await;
}

#[tokio::test]
async fn the_connections_of_a_user_are_limited() {
    let server = TestServer::with(&["--max-connections-per-user=2"]).await;
    let alice = server.browser("alice").await;
    let (_one, _two) = (alice.connect_past_hello().await, alice.connect_past_hello().await);
    let mut three = alice.connect().await;
    assert_eq!(three.close_code().await, Some(CloseCode::TooMany.code()));
    server.stop().await;
}

/// The kernel buffers some megabytes before the server's outbound queue begins to fill.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_never_reads_is_disconnected_and_resyncs_completely() {
    let server = TestServer::start().await;
    let (alice, bob, conversation) = server.pair().await;
    let mut never_reads = bob.connect_past_hello().await;
    let mut reads = bob.connect_past_hello().await;
    let mut sender = alice.connect_past_hello().await;
    let body = "x".repeat(4_000);
    let count = 3_000;
    let sending = async {
        for _ in 0..count {
            sender.send_message(conversation, &body).await;
            while !matches!(sender.receive().await, ServerFrame::Sent(_)) {}
        }
    };
    let reading = async {
        let mut heard = 0;
        while heard < count {
            if matches!(reads.receive().await, ServerFrame::Message(_)) {
                heard += 1;
            }
        }
    };
    tokio::join!(sending, reading);
    let mut taken = 0;
    let code = loop {
        match never_reads.next().await {
            Ok(_) => taken += 1,
            Err(code) => break code,
        }
    };
    // The client either received the close reason, or the connection broke after the write
    // deadline.
    assert!(matches!(code, None | Some(1013)), "{code:?}");
    assert!(taken < count, "it was never cut off");
    let all = bob.read_history(conversation).await;
    assert_eq!(all.len(), count);
    assert!(all.iter().zip(1..).all(|(message, n)| message.seq == Seq(n)));
    server.stop().await;
}
