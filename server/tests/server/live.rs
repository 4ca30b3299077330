//! The live connection over a real WebSocket.

use std::time::{Duration, Instant};

use futures::SinkExt;
use protocol::limits::{MAX_BODY_CHARS, MAX_FRAME_BYTES};
use protocol::{ClientFrame, ClientId, CloseCode, ErrorCode, Seq, ServerFrame};
use tokio_tungstenite::tungstenite::Message;

use crate::support::TestServer;

#[tokio::test]
async fn two_people_talk_and_the_marks_advance() {
    let server = TestServer::start().await;
    let (alice, bob, conversation) = server.pair().await;
    let (mut at_alice, mut at_bob) = (alice.joins().await, bob.joins().await);
    let client_id = at_alice.sends(conversation, "hello, Bob").await;
    let ServerFrame::Sent(sent) = at_alice.hears_of_messages().await else { panic!("not sent") };
    assert_eq!((sent.client_id, sent.seq), (client_id, Seq(1)));
    let ServerFrame::Message(message) = at_bob.hears_of_messages().await else {
        panic!("no message")
    };
    assert_eq!((message.body.as_str(), message.sender), ("hello, Bob", alice.id));
    at_bob.says(&ClientFrame::Delivered { conversation, up_to: Seq(1) }).await;
    at_bob.says(&ClientFrame::Read { conversation, up_to: Seq(1) }).await;
    let mut marks = Vec::new();
    while marks.last() != Some(&(1, 1)) {
        if let ServerFrame::Receipt { user, delivered, read, .. } = at_alice.hears().await {
            assert_eq!(user, bob.id);
            marks.push((delivered.0, read.0));
        }
    }
    assert!(marks == [(1, 0), (1, 1)] || marks == [(1, 1)], "{marks:?}");
    at_bob.sends(conversation, "hello, Alice").await;
    let ServerFrame::Message(message) = at_alice.hears_of_messages().await else {
        panic!("no message")
    };
    assert_eq!((message.body.as_str(), message.seq), ("hello, Alice", Seq(2)));
    assert_eq!(alice.reads(conversation).await, bob.reads(conversation).await);
    server.stop().await;
}

#[tokio::test]
async fn signing_out_closes_that_sessions_sockets_and_no_other() {
    let server = TestServer::start().await;
    let alice = server.browser("alice").await;
    let elsewhere = crate::support::Browser::sign_in(server.address, "alice").await;
    let (mut here, mut there) = (alice.joins().await, elsewhere.joins().await);
    // Scales the limit with the current speed of the machine. The limit is far below the interval
    // of the periodic search for ended sessions.
    let yardstick = Instant::now();
    assert!(alice.gets("/").await.status().is_success());
    let limit = Duration::from_secs(2) + yardstick.elapsed() * 20;
    let begun = Instant::now();
    assert!(alice.posts("sign_out", "").await.status().as_u16() < 400);
    assert_eq!(here.is_closed().await, Some(CloseCode::SessionEnded.code()));
    assert!(begun.elapsed() < limit, "{:?} of {limit:?}", begun.elapsed());
    there.says(&ClientFrame::Ping).await;
    assert_eq!(there.hears().await, ServerFrame::Pong);
    assert!(alice.try_connect(&crate::support::origin(server.address)).await.is_err());
    server.stop().await;
}

#[tokio::test]
async fn frames_that_are_too_large_or_binary_are_closed_by_name() {
    let server = TestServer::start().await;
    let alice = server.browser("alice").await;
    let mut socket = alice.joins().await;
    let fits = "x".repeat(MAX_FRAME_BYTES);
    socket.0.send(Message::text(fits)).await.expect("sent");
    let ServerFrame::Refused { refusal, .. } = socket.hears().await else { panic!("accepted") };
    assert_eq!(refusal.code, ErrorCode::Malformed);
    socket.0.send(Message::text("x".repeat(MAX_FRAME_BYTES + 1))).await.expect("sent");
    assert_eq!(socket.is_closed().await, Some(CloseCode::TooLarge.code()));
    let mut socket = alice.joins().await;
    socket.0.send(Message::binary(vec![1, 2, 3])).await.expect("sent");
    assert_eq!(socket.is_closed().await, Some(CloseCode::Binary.code()));
    server.stop().await;
}

/// JSON allows every character of a string as a `\u` escape, and some libraries write all of them
/// so.
#[tokio::test]
async fn the_longest_text_passes_in_every_spelling_and_by_every_way() {
    let server = TestServer::start().await;
    let (alice, bob, conversation) = server.pair().await;
    let mut socket = alice.joins().await;
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
        assert!(matches!(socket.hears_of_messages().await, ServerFrame::Sent(_)), "{character:?}");
        let form =
            format!("conversation={conversation}&client_id={}&body={percent}", ClientId::new());
        let called = alice.posts("send_message", &form).await;
        assert_eq!(called.status(), 200, "{character:?}");
        let form = format!("client_id={}&seen=0&body={percent}", ClientId::new());
        let submitted = alice.submits(&format!("/c/{conversation}"), &form).await;
        assert_eq!(submitted.status(), 303, "{character:?}");
        expected.extend(std::iter::repeat_n(body.replace("\r\n", "\n"), 3));
        // Messages sent by call and by form arrive at this connection as well.
        for _ in 0..2 {
            assert!(matches!(socket.hears_of_messages().await, ServerFrame::Message(_)));
        }
    }
    let stored: Vec<_> = bob.reads(conversation).await.into_iter().map(|m| m.body).collect();
    assert!(stored == expected, "every text is stored as it was written");
    server.stop().await;
}

#[tokio::test]
async fn a_client_that_only_speaks_nonsense_is_closed() {
    let server = TestServer::start().await;
    let alice = server.browser("alice").await;
    let mut socket = alice.joins().await;
    for _ in 0..30 {
        // The server may have closed the connection before the last frames.
        let _ = socket.0.send(Message::text("nonsense")).await;
    }
    assert_eq!(socket.is_closed().await, Some(CloseCode::Malformed.code()));
    server.stop().await;
}

#[tokio::test]
async fn one_person_has_a_bounded_number_of_connections() {
    let server = TestServer::with(&["--max-connections-per-user=2"]).await;
    let alice = server.browser("alice").await;
    let (_one, _two) = (alice.joins().await, alice.joins().await);
    let mut three = alice.connect().await;
    assert_eq!(three.is_closed().await, Some(CloseCode::TooMany.code()));
    server.stop().await;
}

/// The kernel buffers some megabytes before the server's outbound queue begins to fill.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_never_reads_is_cut_off_and_catches_up_whole() {
    let server = TestServer::start().await;
    let (alice, bob, conversation) = server.pair().await;
    let mut never_reads = bob.joins().await;
    let mut reads = bob.joins().await;
    let mut sender = alice.joins().await;
    let body = "x".repeat(4_000);
    let count = 3_000;
    let sending = async {
        for _ in 0..count {
            sender.sends(conversation, &body).await;
            while !matches!(sender.hears().await, ServerFrame::Sent(_)) {}
        }
    };
    let reading = async {
        let mut heard = 0;
        while heard < count {
            if matches!(reads.hears().await, ServerFrame::Message(_)) {
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
    let all = bob.reads(conversation).await;
    assert_eq!(all.len(), count);
    assert!(all.iter().zip(1..).all(|(message, n)| message.seq == Seq(n)));
    server.stop().await;
}
