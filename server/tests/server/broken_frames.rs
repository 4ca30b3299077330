//! WebSocket frames that break the protocol, written byte by byte: each is answered with its close
//! code, and the session of the user continues.

use protocol::limits::MAX_FRAME_BYTES;
use protocol::{CloseCode, SUBPROTOCOL};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::support::{Browser, PATIENCE, TestServer, origin};

const FINAL: u8 = 0x80;
const TEXT: u8 = 0x1;
const BINARY: u8 = 0x2;
const CONTINUATION: u8 = 0x0;
const CLOSE: u8 = 0x8;
const PING: u8 = 0x9;

/// A frame with a mask of zeros, so that the payload is readable in the test.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![first];
    match (u8::try_from(payload.len()), u16::try_from(payload.len())) {
        (Ok(length @ 0..=125), _) => frame.push(0x80 | length),
        (_, Ok(length)) => {
            frame.push(0x80 | 126);
            frame.extend(length.to_be_bytes());
        }
        _ => {
            frame.push(0x80 | 127);
            frame.extend((payload.len() as u64).to_be_bytes());
        }
    }
    frame.extend([0; 4]);
    frame.extend(payload);
    frame
}

/// Opens a WebSocket by hand and reads past `hello`.
async fn connect(browser: &Browser) -> TcpStream {
    let mut stream = TcpStream::connect(browser.address).await.expect("a connection");
    let request = format!(
        "GET /ws HTTP/1.1\r\nHost: x\r\nOrigin: {}\r\nCookie: {}\r\nUpgrade: websocket\r\n\
         Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: {SUBPROTOCOL}\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
        origin(browser.address),
        browser.cookie
    );
    stream.write_all(request.as_bytes()).await.expect("written");
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.expect("a head"));
    }
    assert!(head.starts_with(b"HTTP/1.1 101"), "{}", String::from_utf8_lossy(&head));
    let (opcode, hello) = read_frame(&mut stream).await.expect("a frame");
    assert_eq!(opcode, TEXT);
    assert!(String::from_utf8_lossy(&hello).contains("\"hello\""));
    stream
}

/// Returns the opcode and payload of the server's next frame; `None` at the end of the connection.
async fn read_frame(stream: &mut TcpStream) -> Option<(u8, Vec<u8>)> {
    let reading = async {
        let first = stream.read_u8().await.ok()?;
        let length = match stream.read_u8().await.ok()? {
            126 => u64::from(stream.read_u16().await.ok()?),
            127 => stream.read_u64().await.ok()?,
            short => u64::from(short),
        };
        let mut payload = vec![0; usize::try_from(length).ok()?];
        stream.read_exact(&mut payload).await.ok()?;
        Some((first & 0xf, payload))
    };
    timeout(PATIENCE, reading).await.expect("a frame in time")
}

/// Sends bytes and returns the close code that answers them.
async fn close_code(browser: &Browser, bytes: &[u8]) -> Option<u16> {
    let mut stream = connect(browser).await;
    stream.write_all(bytes).await.expect("written");
    loop {
        let (opcode, payload) = read_frame(&mut stream).await?;
        if opcode == CLOSE {
            let code: [u8; 2] = payload.get(..2)?.try_into().ok()?;
            return Some(u16::from_be_bytes(code));
        }
    }
}

#[tokio::test]
async fn every_broken_frame_is_answered_with_its_close_code() {
    let server = TestServer::start().await;
    let alice = server.browser("alice").await;
    let unmasked = vec![FINAL | TEXT, 2, b'{', b'}'];
    let fragments = |frames: &[(u8, &[u8])]| -> Vec<u8> {
        frames.iter().flat_map(|(first, payload)| frame(*first, payload)).collect()
    };
    let large = vec![b'x'; MAX_FRAME_BYTES + 1];
    let half = vec![b'x'; MAX_FRAME_BYTES / 2 + 1];
    let cases: Vec<(&str, Vec<u8>, CloseCode)> = vec![
        ("text that is not UTF-8", frame(FINAL | TEXT, b"\"\xff\xfe\""), CloseCode::NotUtf8),
        ("a surrogate", frame(FINAL | TEXT, b"\xed\xa0\x80"), CloseCode::NotUtf8),
        ("half a character", frame(FINAL | TEXT, b"{\xe2\x82"), CloseCode::NotUtf8),
        (
            "fragments that are not UTF-8 together",
            fragments(&[(TEXT, b"\xe2\x82"), (FINAL | CONTINUATION, b"x")]),
            CloseCode::NotUtf8,
        ),
        ("a binary frame", frame(FINAL | BINARY, b"{}"), CloseCode::Binary),
        ("a large frame", frame(FINAL | TEXT, &large), CloseCode::TooLarge),
        (
            "a large message of fragments",
            fragments(&[(TEXT, &half), (FINAL | CONTINUATION, &half)]),
            CloseCode::TooLarge,
        ),
        ("an unmasked frame", unmasked, CloseCode::Protocol),
        ("a reserved bit", frame(FINAL | 0x40 | TEXT, b"{}"), CloseCode::Protocol),
        ("an unknown data opcode", frame(FINAL | 0x3, b"{}"), CloseCode::Protocol),
        ("an unknown control opcode", frame(FINAL | 0xb, b""), CloseCode::Protocol),
        ("a continuation of nothing", frame(FINAL | CONTINUATION, b"{}"), CloseCode::Protocol),
        (
            "a text inside a fragmented text",
            fragments(&[(TEXT, b"{"), (FINAL | TEXT, b"}")]),
            CloseCode::Protocol,
        ),
        ("a fragmented ping", frame(PING, b""), CloseCode::Protocol),
        ("a long ping", frame(FINAL | PING, &[b'x'; 126]), CloseCode::Protocol),
        ("half a close code", frame(FINAL | CLOSE, b"\x03"), CloseCode::Protocol),
    ];
    for (what, bytes, code) in cases {
        assert_eq!(close_code(&alice, &bytes).await, Some(code.code()), "{what}");
    }
    let fragmented = fragments(&[(TEXT, b"{\"type\":"), (FINAL | CONTINUATION, b"\"ping\"}")]);
    let mut stream = connect(&alice).await;
    stream.write_all(&fragmented).await.expect("written");
    while let Some((opcode, payload)) = read_frame(&mut stream).await {
        assert_eq!(opcode, TEXT, "the socket stays open");
        if payload == b"{\"type\":\"pong\"}" {
            break;
        }
    }
    server.stop().await;
}
